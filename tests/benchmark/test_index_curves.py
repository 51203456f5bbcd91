from pathlib import Path

import numpy as np
import pytest

from semantic_media_search.benchmark.index_curves import EFS, Contestant, Point, curves, ours, speed_at
from semantic_media_search.cli import main
from vectors import clustered


def test_speed_is_read_off_between_the_points() -> None:
    points = [Point(10, 0.9, 1_000, 2_000), Point(20, 1.0, 250, 500)]
    assert speed_at(points, 0.95, batch=False) == pytest.approx(500)
    assert speed_at(points, 0.95, batch=True) == pytest.approx(1_000)
    assert speed_at(points, 0.89, batch=False) is None


def test_recall_is_that_of_the_answers() -> None:
    rows, queries = clustered(600, 16), clustered(20, 16, seed=1)
    nothing = Contestant(
        "nothing", 1.0, lambda q, ef: None, lambda q, ef: np.full((len(q), 10), -1, np.float32)
    )
    found = curves([ours(rows), nothing], rows, queries)
    assert [point.ef for point in found["nothing"]] == list(EFS)
    assert all(point.recall == 0 for point in found["nothing"])
    assert found["this index"][-1].recall > 0.99
    assert all(point.single > 0 and point.batch > 0 for point in found["this index"])


def test_the_command_refuses_what_it_cannot_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "index", "--vectors", str(tmp_path / "absent.npy")]) == 1
    assert "absent.npy" in capsys.readouterr().err
    np.save(tmp_path / "few.npy", clustered(10, 8))
    assert main(["benchmark", "index", "--vectors", str(tmp_path / "few.npy")]) == 1
    assert "more than 1000" in capsys.readouterr().err
