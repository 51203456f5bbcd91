"""One file in, frames and facts out; and the plan's two functions on whole folders."""

import io
import json
import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from picture_makers import photo, quadrants, save
from semantic_media_search.errors import DecodeError
from semantic_media_search.ingest.duplicates import perceptual_hash
from semantic_media_search.ingest.image_ingest import ingest_images, read_image
from semantic_media_search.ingest.metadata_store import MetadataWriter, load_metadata
from semantic_media_search.ingest.video_ingest import ingest_videos, read_video
from video_makers import number_in, numbered, write_video

PLAN_FIELDS = ["frame_id", "video_id", "frame_path", "timestamp", "width", "height"]


def test_an_image_gives_one_standardised_frame_and_its_facts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0110], exif[0x0132] = "X100", "2020:01:02 03:04:05"
    path = save(tmp_path / "a.jpg", photo(1600, 1200), exif=exif)
    reader = read_image(path, max_side=512, jpeg_quality=90)
    (frame,) = reader
    assert frame.pixels.shape == (384, 512, 3)
    assert (frame.width, frame.height) == (512, 384)
    assert (frame.timestamp, frame.interval) == (None, None)
    assert frame.phash == perceptual_hash(frame.pixels)
    with Image.open(io.BytesIO(frame.jpeg)) as stored:
        assert np.abs(np.asarray(stored).astype(int) - frame.pixels).mean() < 3
    facts = reader.facts
    assert (facts.width, facts.height, facts.camera) == (1600, 1200, "X100")
    assert facts.captured_at == "2020-01-02T03:04:05"
    assert facts.problem is None


def test_facts_are_not_known_before_the_end(tmp_path: Path) -> None:
    reader = read_image(save(tmp_path / "a.jpg", quadrants()))
    with pytest.raises(RuntimeError, match="all frames"):
        _ = reader.facts
    list(reader)
    assert reader.facts.width == 96
    assert list(reader) == []


def test_a_damaged_image_raises_while_iterating(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    with pytest.raises(DecodeError, match=r"a\.jpg"):
        list(read_image(tmp_path / "a.jpg"))


def test_a_video_gives_frames_whose_intervals_leave_no_gap(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=150)
    reader = read_video(path, fps=2.0, max_side=160, duplicate_threshold=0)
    frames = list(reader)
    assert [frame.timestamp for frame in frames] == pytest.approx([at / 2 for at in range(12)], abs=0.04)
    assert all(number_in(frame.pixels) == round(frame.timestamp * 25) for frame in frames)
    assert all(frame.pixels.shape == (90, 160, 3) for frame in frames)
    for earlier, later in pairwise(frames):
        assert earlier.interval == (earlier.timestamp, later.timestamp)
    assert frames[-1].interval == pytest.approx((frames[-1].timestamp, 6.0))
    assert reader.facts.duration == pytest.approx(6.0)
    assert (reader.facts.width, reader.facts.height) == (320, 180)


def test_a_static_video_of_ten_minutes_costs_a_handful_of_frames(tmp_path: Path) -> None:
    still = photo(160, 90)
    noise = np.random.default_rng(1)

    def pictures():
        for number in range(1200):
            light = 4 * np.sin(number / 160)
            yield np.clip(still + light + noise.normal(0, 4, still.shape), 0, 255).astype(np.uint8)

    path = write_video(tmp_path / "static.mp4", pictures=pictures(), size=(160, 90), rate=2)
    reader = read_video(path, fps=1.0)
    frames = list(reader)
    assert len(frames) <= 3
    assert reader.facts.duplicates == 600 - len(frames)
    assert frames[0].interval[0] == 0.0
    assert frames[-1].interval[1] == pytest.approx(600.0)
    assert len(list(read_video(path, fps=1.0, duplicate_threshold=0))) == 600


def test_a_truncated_video_tells_its_problem(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", frames=250)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = read_video(path, duplicate_threshold=0)
    count = len(list(reader))
    assert reader.facts.problem.startswith(f"kept {count} frames, then: ")


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=100)
    first, second = (list(read_video(path, fps=5.0)) for _ in range(2))
    assert [(f.jpeg, f.phash, f.timestamp, f.interval) for f in first] == [
        (f.jpeg, f.phash, f.timestamp, f.interval) for f in second
    ]


def test_the_plans_functions_fill_a_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images, videos, frames = tmp_path / "images", tmp_path / "videos", tmp_path / "frames"
    images.mkdir()
    videos.mkdir()
    save(images / "a.png", photo(700, 300))
    save(images / "b.jpg", quadrants())
    (images / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    write_video(videos / "one.mp4", frames=75)
    write_video(videos / "two.webm", "libvpx", pictures=(numbered(900 + at) for at in range(50)))
    writer = MetadataWriter(str(tmp_path / "metadata.jsonl"))
    with caplog.at_level(logging.WARNING):
        ingest_images(str(images), str(frames), writer)
        ingest_videos(str(videos), str(frames), writer, fps=1.0)
    writer.close()
    assert ["broken.jpg" in record.message for record in caplog.records] == [True]

    records = load_metadata(str(tmp_path / "metadata.jsonl"))
    assert list(records) == list(range(7))
    assert [record["video_id"] for record in records.values()] == [
        None,
        None,
        *["vid_02"] * 3,
        *["vid_05"] * 2,
    ]
    assert [record["timestamp"] for record in records.values()] == [None, None, 0.0, 1.0, 2.0, 0.0, 1.0]
    for frame_id, record in records.items():
        assert list(record)[:6] == PLAN_FIELDS
        assert json.dumps(record)
        with Image.open(frames / f"{frame_id}.jpg") as stored:
            assert stored.size == (record["width"], record["height"])
    assert records[0]["source_path"] == str(images / "a.png")
    assert (records[0]["width"], records[0]["height"]) == (512, 219)
    assert sorted(file.name for file in frames.iterdir()) == [f"{at}.jpg" for at in range(7)]
