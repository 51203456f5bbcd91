"""Damaged files of every format: a named reason or what can be read, never another error, a crash or a hang."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from picture_makers import photo, png_claiming, save
from semantic_media_search.errors import MediaError
from semantic_media_search.ingest.isolated import IsolatedReaders
from semantic_media_search.media.formats import VIDEO_EXTENSIONS
from video_makers import write_video

PICTURES = ("a.jpg", "a.png", "a.webp", "a.avif", "a.heic", "a.tif", "a.bmp", "a.jp2", "a.gif", "a.ppm")
VIDEOS = {
    "a.mp4": "libx264",
    "b.mkv": "libx264",
    "c.avi": "mpeg4",
    "d.ts": "mpeg2video",
    "e.webm": "libvpx",
    "f.mp4": "libx265",
    "g.avi": "mjpeg",
}
SECONDS = 10.0


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("whole")
    exif = Image.Exif()
    exif[0x0112], exif[0x8769] = 6, {0x9003: "2020:01:01 00:00:00"}
    exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0), 3: "E", 4: (1.0, 2.0, 3.0)}
    plain = (".bmp", ".jp2", ".gif", ".ppm")
    pictures = [
        save(folder / name, photo(160, 120), **({} if name.endswith(plain) else {"exif": exif.tobytes()}))
        for name in PICTURES
    ]
    films = [
        write_video(
            folder / name,
            codec,
            frames=40,
            size=(160, 90),
            pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p",
        )
        for name, codec in VIDEOS.items()
    ]
    return pictures + films


def damaged(whole: bytes, choice: random.Random) -> bytes:
    """Cut short, bytes changed anywhere or in the header, or a piece blanked or missing."""
    data = bytearray(whole)
    match choice.choice(("cut", "flip", "flip", "header", "blank", "gap")):
        case "cut":
            return bytes(data[: choice.randrange(len(data))])
        case "flip":
            for _ in range(choice.choice((1, 3, 10, 50))):
                data[choice.randrange(len(data))] = choice.randrange(256)
        case "header":
            for _ in range(choice.choice((1, 4, 16))):
                data[choice.randrange(min(400, len(data)))] = choice.randrange(256)
        case kind:
            start, length = choice.randrange(len(data)), choice.randrange(1, len(data) // 4)
            data[start : start + length] = bytes(length) if kind == "blank" else b""
    return bytes(data)


def read(readers: IsolatedReaders, path: Path) -> str:
    is_video = path.suffix in VIDEO_EXTENSIONS
    try:
        reader = readers.read_video(str(path)) if is_video else readers.read_image(str(path))
        frames = list(reader)
    except MediaError as error:
        assert path.name in str(error)
        assert "hung" not in str(error)
        assert "crashed" not in str(error)
        return "refused"
    assert frames
    return "partly" if reader.facts.problem else "read"


def check(whole_files: list[Path], folder: Path, count: int, seed: int) -> Counter[str]:
    choice = random.Random(seed)
    outcomes: Counter[str] = Counter()
    with IsolatedReaders(1, timeout=SECONDS) as readers:
        for number in range(count):
            source = whole_files[number % len(whole_files)]
            path = folder / f"{number}{source.suffix}"
            path.write_bytes(damaged(source.read_bytes(), choice))
            began = time.monotonic()
            outcomes[read(readers, path)] += 1
            assert time.monotonic() - began < SECONDS, path.name
            path.unlink()
    return outcomes


def test_damaged_files_are_read_or_refused_by_name(whole_files: list[Path], tmp_path: Path) -> None:
    outcomes = check(whole_files, tmp_path, 170, seed=1)
    assert set(outcomes) == {"refused", "partly", "read"}
    assert outcomes["refused"] > 40


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(2, 12))
def test_thousands_of_damaged_files(whole_files: list[Path], tmp_path: Path, seed: int) -> None:
    check(whole_files, tmp_path, 2000, seed)


def special_files(folder: Path) -> Iterator[Path]:
    whole = write_video(folder / "whole.mp4", frames=25).read_bytes()
    contents = {
        "zero.jpg": b"",
        "zero.mp4": b"",
        "zeros.png": bytes(10_000),
        "text.heic": b"not a picture\n" * 100,
        "bomb.png": png_claiming(30_000, 30_000),
        "video.jpg": whole,
        "page.mp4": b"<html></html>",
        "playlist.mp4": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        "eps.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "svg.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
        yield folder / name


def test_files_that_are_not_what_they_are_called(tmp_path: Path) -> None:
    with IsolatedReaders(1, timeout=SECONDS) as readers:
        assert {read(readers, path) for path in special_files(tmp_path)} == {"refused"}
