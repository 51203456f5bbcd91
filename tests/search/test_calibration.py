import numpy as np
import pytest

from semantic_media_search.records import F32
from semantic_media_search.search.calibration import SAMPLE_ROWS, Background, Calibration


def _unit(rows: F32) -> F32:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def photos() -> F32:
    return _unit(np.random.default_rng(1).standard_normal((6_000, 64)).astype(np.float32))


def test_the_background_is_that_of_the_whole_library(photos: F32) -> None:
    query = _unit(np.random.default_rng(2).standard_normal(64).astype(np.float32))
    background = Calibration(photos, np.arange(len(photos))).background(query)
    exact = photos @ query
    assert len(photos) > SAMPLE_ROWS
    assert background.middle == pytest.approx(float(np.median(exact)), abs=0.01)
    assert background.spread == pytest.approx(float(exact.std()), rel=0.06)


def test_what_stands_out_is_told_from_noise(photos: F32) -> None:
    rng = np.random.default_rng(3)
    calibration = Calibration(photos, np.arange(len(photos)))
    hits = misses = 0
    for row in rng.choice(len(photos), 200, replace=False):
        query = _unit(photos[row] + 0.12 * rng.standard_normal(64).astype(np.float32))
        cosines = photos @ query
        background = calibration.background(query)
        hits += background.good(float(cosines.max()))
        without = float(np.delete(cosines, row).max())
        misses += not background.good(without - 0.9 * background.spread)
    assert hits == 200
    assert misses > 100


def test_strength_grows_with_the_cosine_and_is_bounded() -> None:
    background = Background(0.1, 0.05, 1000)
    strengths = [background.strength(cosine) for cosine in np.linspace(-1, 1, 50)]
    assert strengths == sorted(strengths)
    assert (strengths[0], strengths[-1]) == (0.0, 1.0)


def test_removed_rows_are_no_background(photos: F32) -> None:
    live = np.arange(100)
    assert Calibration(photos, live).background(photos[500]).rows == 100
    assert Calibration(photos, live[:0]).background(photos[0]).rows == 0


def test_a_handful_of_frames_is_never_called_without_a_match() -> None:
    assert Background(0.2, 0.1, 5).good(0.2)


def test_a_model_that_was_measured_says_which_cosines_are_noise() -> None:
    clear, dim = Background(0.0, 0.02, 1000, 0.065), Background(0.0, 0.02, 1000)
    assert clear.noise * 0.065 == pytest.approx(0.2416, abs=1e-3)
    assert dim.good(0.2)
    assert not clear.good(0.2)
    assert clear.good(0.25)
    assert not Background(0.2, 0.1, 1000, 0.065).good(0.25)  # it does not stand out either way
