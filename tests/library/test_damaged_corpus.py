"""A folder of well over a hundred damaged and odd files through the whole library: each is counted, none stops it."""

import os
import random
import struct
from pathlib import Path

import pytest

from fakes import ColourEncoder, paint
from picture_makers import encoded, photo, png_claiming, save
from semantic_media_search.config import Settings
from semantic_media_search.library import Library
from video_makers import write_video

WHOLE = ("a.jpg", "a.png", "a.webp", "a.tif", "a.gif", "a.bmp", "a.mp4", "a.avi")
TRUNCATED, FLIPPED, BOMBS = 8, 6, 5


def _cut_and_flipped(folder: Path) -> set[str]:
    choice = random.Random(5)
    made = set()
    for name in WHOLE:
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        path = folder / name
        whole = (
            (write_video(path, "mpeg4", frames=30, size=(96, 64)) if suffix in (".mp4", ".avi") else None)
            or save(path, photo(120, 90))
        ).read_bytes()
        for number in range(TRUNCATED):
            made.add(f"{stem}{suffix[1:]}-cut{number}{suffix}")
            (folder / f"{stem}{suffix[1:]}-cut{number}{suffix}").write_bytes(
                whole[: len(whole) * number // TRUNCATED]
            )
        for number in range(FLIPPED):
            data = bytearray(whole)
            for _ in range(20):
                data[choice.randrange(len(data))] ^= 1 << choice.randrange(8)
            made.add(f"{stem}{suffix[1:]}-flip{number}{suffix}")
            (folder / f"{stem}{suffix[1:]}-flip{number}{suffix}").write_bytes(data)
    return made | set(WHOLE)


def _claiming(whole: bytes, at: int, layout: str) -> bytes:
    """The same file, with a header that claims 30,000 x 30,000 pixels."""
    size = struct.pack(layout, 30_000, 30_000)
    return whole[:at] + size + whole[at + len(size) :]


def _claiming_jpeg() -> bytes:
    whole = encoded(photo(60, 40), "JPEG")
    return _claiming(whole, whole.index(b"\xff\xc0") + 5, ">HH")


def _claiming_jpeg2000() -> bytes:
    whole = encoded(photo(60, 40), "JPEG2000")
    boxed = _claiming(whole, whole.index(b"ihdr") + 4, ">II")
    return _claiming(boxed, boxed.index(b"\xff\x51") + 6, ">II")


def _odd(folder: Path) -> set[str]:
    files = {
        "text.jpg": b"not a picture",
        "empty.png": b"",
        "bomb.png": png_claiming(30_000, 30_000),
        "bomb.gif": _claiming(encoded(photo(60, 40), "GIF"), 6, "<HH"),
        "bomb.bmp": _claiming(encoded(photo(60, 40), "BMP"), 18, "<ii"),
        "bomb.jpg": _claiming_jpeg(),
        "bomb.jp2": _claiming_jpeg2000(),
        "page.mp4": b"<html></html>",
        "line\nbreak.jpg": b"\xff\xd8\xff",
        "\N{DOG FACE}.jpg": b"\xff\xd8\xff",
        "n" * 251 + ".jpg": b"\xff\xd8\xff",
        os.fsdecode(b"caf\xe9.jpg"): b"\xff\xd8\xff",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return set(files)


@pytest.mark.skipif(os.name != "posix", reason="names, links and pipes that only these systems have")
def test_every_file_is_counted_and_the_good_ones_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    given = _cut_and_flipped(folder) | _odd(folder)
    for colour in ("red", "green", "blue"):
        given.add(paint(folder / f"{colour}.png", colour).name)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "nowhere.jpg").symlink_to(folder / "gone.jpg")
    os.mkfifo(folder / "pipe.jpg")
    assert len(given) > 120

    library = Library(Settings(library=tmp_path / "library", threads=2), lambda _: ColourEncoder())
    library.add_roots([folder])
    summary, _ = library.update("colours")
    skipped = {skipped.path for skipped in summary.skipped}
    assert summary.new + len(skipped) - len(
        [path for path in skipped if path.endswith("nowhere.jpg")]
    ) == len(given)
    assert len(skipped) > 40
    assert all(skipped.reason for skipped in summary.skipped)
    assert {Path(path).stem for path in skipped if "bomb" in path} == {"bomb"}
    assert sum("bomb" in path for path in skipped) == BOMBS
    assert summary.partial, "what of a cut file can be read is kept, and said"
    hits = library.view().search_text("green", 1)
    assert Path(hits[0].frame.source_path).name == "green.png"
    assert library.doctor(repair=False) == []

    again, _ = library.update("colours")
    assert (again.new, again.changed, again.frames) == (0, 0, 0)
    assert {skipped.path for skipped in again.skipped} == skipped
