from pathlib import Path

import pytest

from semantic_media_search.benchmark.media import (
    Contest,
    compare_media_reading,
    compare_photos,
    compare_videos,
    time_in_turn,
)
from semantic_media_search.benchmark.media_samples import VIDEO_KINDS, textured_pictures, write_photos
from video_makers import write_video


def test_the_ratio_is_that_of_the_medians() -> None:
    contest = Contest("job", "peer", 10, (1.0, 9.0, 2.0), (6.0, 4.0, 100.0), 0.25, "levels")
    assert contest.ratio == 3.0
    assert contest.to_json() == {
        "job": "job",
        "peer": "peer",
        "items": 10,
        "ours_per_second": 5.0,
        "peer_per_second": 1.67,
        "ratio": 3.0,
        "fidelity": 0.25,
        "fidelity_of": "levels",
    }


def test_both_sides_take_turns() -> None:
    order: list[str] = []
    ours, theirs = time_in_turn(lambda: order.append("ours"), lambda: order.append("theirs"), 3)
    assert order == ["ours", "theirs"] * 4
    assert len(ours) == len(theirs) == 3


def test_photos_are_read_faithfully(tmp_path: Path) -> None:
    contest = compare_photos(write_photos(tmp_path, textured_pictures(2, side=200), 1), repeat=1)
    assert contest.items == 1
    assert contest.fidelity < 1.0


def test_videos_are_read_at_the_asked_instants(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    (contest,) = compare_videos({"small": write_video(tmp_path / "a.mp4", frames=75)}, repeat=1)
    assert contest.items == 75
    assert contest.fidelity <= 0.5


@pytest.mark.exhaustive
def test_reading_is_as_fast_as_promised(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    photos, *videos = compare_media_reading(tmp_path)
    assert photos.ratio >= 2.5
    for contest, kind, least in zip(videos, VIDEO_KINDS, (4.0, 2.0, 1.1), strict=True):
        assert contest.ratio >= least, kind
        assert contest.fidelity <= 0.5
