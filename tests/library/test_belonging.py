"""Vectors that are whole, in order and of other frames: found by encoding a sample again, and never by mistake."""

from pathlib import Path

import numpy as np
import pytest

from fakes import COLOURS, ColourEncoder, paint
from semantic_media_search.config import Settings
from semantic_media_search.embeddings.embed_store import VECTORS_NAME
from semantic_media_search.library import Library

ENCODER = ColourEncoder()


def _library(tmp_path: Path, photos: int, **settings: object) -> Library:
    for number in range(photos):
        colour = list(COLOURS)[number % len(COLOURS)]
        paint(tmp_path / "photos" / f"{number:02}.png", colour, seed=number)
    library = Library(Settings(library=tmp_path / "library", threads=1, **settings), lambda _: ENCODER)  # type: ignore[arg-type]
    library.add_roots([tmp_path / "photos"])
    library.update("colours")
    return library


def _shift(library: Library, by: int) -> None:
    """Every vector becomes that of the frame so many before."""
    (file,) = library.paths.root.glob(f"generations/*/{VECTORS_NAME}")
    rows = np.fromfile(file, np.float32).reshape(-1, ENCODER.dim)
    with file.open("r+b") as out:
        out.write(np.roll(rows, by, axis=0).tobytes())


@pytest.mark.parametrize("photos", [2, 3, 40])
def test_shifted_vectors_are_found_and_mended(tmp_path: Path, photos: int) -> None:
    library = _library(tmp_path, photos)
    assert library.doctor(repair=False, encoder=ENCODER) == []
    _shift(library, 1)
    assert library.doctor(repair=False) == [], "without the model nobody can tell"
    another = ColourEncoder(fingerprint="07be2")
    assert library.doctor(repair=False, encoder=another) == [], "nor with another one"
    (found,) = library.doctor(repair=True, encoder=ENCODER)
    assert found.path.endswith(VECTORS_NAME)
    assert "not those of their frames" in found.problem
    library.build_index("colours")
    assert library.doctor(repair=False, encoder=ENCODER) == []


def test_frames_of_the_same_picture_are_no_matter(tmp_path: Path) -> None:
    """Shifted by the number of colours, each vector is that of a frame like its own."""
    library = _library(tmp_path, 4 * len(COLOURS))
    _shift(library, len(COLOURS))
    assert library.doctor(repair=False, encoder=ENCODER) == []


@pytest.mark.parametrize("settings", [{"jpeg_quality": 1}, {"max_side": 32}])
def test_frames_stored_coarse_are_no_matter(tmp_path: Path, settings: dict[str, int]) -> None:
    library = _library(tmp_path, 12, **settings)
    assert library.doctor(repair=False, encoder=ENCODER) == []


def test_what_cannot_be_judged_is_left_out(tmp_path: Path) -> None:
    library = _library(tmp_path, 1)
    assert library.doctor(repair=False, encoder=ENCODER) == []
    library.paths.frame(0).write_bytes(b"no picture")
    (found,) = library.doctor(repair=False, encoder=ENCODER)
    assert "cannot be read" in found.problem
