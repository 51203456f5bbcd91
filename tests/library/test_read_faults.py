"""Files and processes that fail for a while: nothing is given up for good, and few files are open at a time."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fakes import COLOURS, ColourEncoder, film, paint
from processes import importing_as_here
from semantic_media_search.config import Settings
from semantic_media_search.library import Library, ingest_run

DRIVER = Path(__file__).with_name("update_driver.py")
PHOTOS = 6


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number, colour in enumerate(COLOURS):
        paint(folder / f"{colour}.png", colour, seed=number)
    return folder


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Library:
    library = Library(Settings(library=tmp_path / "library", threads=2), lambda _: ColourEncoder())
    library.add_roots([photos])
    return library


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of files that cannot be read just now."""
    names: set[str] = set()
    whole = ingest_run.content_hash

    def content_hash(path: str) -> str:
        if Path(path).name in names:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return whole(path)

    monkeypatch.setattr(ingest_run, "content_hash", content_hash)
    return names


def test_what_cannot_be_looked_at_for_a_while_stays(
    library: Library, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is closed, one with a name that is no UTF-8 inside, and a linked disk that is unplugged."""
    closed, disk = photos / "closed", tmp_path / "disk"
    paint(closed / "one.png", "red", seed=11)
    (closed / "one.png").rename(closed / os.fsdecode(b"caf\xe9.png"))
    paint(disk / "two.png", "red", seed=12)
    (photos / "usb").symlink_to(disk, target_is_directory=True)
    library.update("colours")
    everything = {*COLOURS, "two", "caf%E9"}
    assert _found(library) == everything
    scandir = os.scandir

    def guarded(path: str) -> object:
        if path == str(closed):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    disk.rename(tmp_path / "unplugged")
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", guarded)
        summary, _ = library.update("colours")
    assert (summary.removed, summary.unavailable, summary.unchanged) == (0, 2, PHOTOS)
    assert _found(library) == everything
    (tmp_path / "unplugged").rename(disk)
    summary, _ = library.update("colours")
    assert (summary.unchanged, summary.frames) == (PHOTOS + 2, 0)
    (disk / "two.png").unlink()
    paint(disk / "three.png", "red", seed=13)
    assert library.update("colours")[0].removed == 1, "what was deleted leaves"


def _found(library: Library) -> set[str]:
    hits = library.view().search_text("red", 100)
    return {Path(hit.frame.source_path).stem for hit in hits}


def test_a_file_that_could_not_be_read_is_tried_again(library: Library, failing: set[str]) -> None:
    failing.update({"red.png", "blue.png"})
    summary, _ = library.update("colours")
    assert {Path(skipped.path).name for skipped in summary.skipped} == failing
    assert "Input/output error" in summary.skipped[0].reason
    assert _found(library) == set(COLOURS) - {"red", "blue"}
    assert len(library.update("colours")[0].skipped) == 2, "still failing, still said"
    failing.clear()
    summary, _ = library.update("colours")
    assert (summary.skipped, summary.frames) == ([], 2)
    assert _found(library) == set(COLOURS)
    assert library.doctor(repair=False) == []


def test_a_known_file_stays_while_it_cannot_be_read(
    library: Library, photos: Path, failing: set[str]
) -> None:
    library.update("colours")
    for path in photos.iterdir():
        os.utime(path, (1, 1))
    failing.update(path.name for path in photos.iterdir())
    assert len(library.update("colours")[0].skipped) == PHOTOS
    assert _found(library) == set(COLOURS)
    failing.clear()
    summary, _ = library.update("colours")
    assert (summary.skipped, summary.unchanged, summary.frames) == ([], PHOTOS, 0)
    assert _found(library) == set(COLOURS)


def test_a_folder_that_goes_in_the_middle_and_comes_back(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, away = ingest_run.content_hash, photos.with_name("away")
    seen: list[str] = []

    def content_hash(path: str) -> str:
        seen.append(path)
        if len(seen) == 3:
            photos.rename(away)
        return whole(path)

    monkeypatch.setattr(ingest_run, "content_hash", content_hash)
    assert library.update("colours")[0].skipped
    library.update("colours")
    away.rename(photos)
    library.update("colours")
    assert _found(library) == set(COLOURS)


@pytest.mark.parametrize("name", ["film.mp4", "red.png"])
@pytest.mark.parametrize("known", [False, True])
def test_a_file_that_goes_between_a_look_and_the_decoder(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch, name: str, known: bool
) -> None:
    """Its hash could be read, its pictures cannot: no verdict on it, and what is known of it stays."""
    film(photos / "film.mp4", ["red", "black"])
    going = photos / name
    if known:
        library.update("colours")
        os.utime(going, (1, 1))
        with going.open("ab") as file:
            file.write(b"\0")
    whole, away = ingest_run.content_hash, photos.with_name("away")

    def content_hash(path: str) -> str:
        digest = whole(path)
        if Path(path) == going:
            going.rename(away)
        return digest

    with monkeypatch.context() as patched:
        patched.setattr(ingest_run, "content_hash", content_hash)
        summary, _ = library.update("colours")
    assert [Path(file.path).name for file in summary.skipped] == [name]
    assert (going.stem in _found(library)) is known
    away.rename(going)
    summary, _ = library.update("colours")
    assert (summary.skipped, summary.new + summary.changed) == ([], 1)
    assert _found(library) == {*COLOURS, "film"}
    assert library.doctor(repair=False) == []


@pytest.mark.parametrize("name", ["film.mp4", "red.png"])
def test_a_file_that_grows_while_it_is_read(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As when a run meets a file that is still being copied: what it becomes is found, and only that."""
    film(photos / "film.mp4", ["yellow", "black"])
    growing = photos / name
    content = growing.read_bytes()
    growing.write_bytes(content[: len(content) // 2])
    whole = ingest_run.content_hash

    def content_hash(path: str) -> str:
        digest = whole(path)
        if Path(path) == growing:
            with growing.open("ab") as file:
                file.write(content[len(content) // 2 : -8])  # whole but for its last bytes
        return digest

    with monkeypatch.context() as patched:
        patched.setattr(ingest_run, "content_hash", content_hash)
        summary, _ = library.update("colours")
    told = summary.skipped + summary.partial
    assert [(Path(file.path).name, "it changed while it was read" in file.reason) for file in told] == [
        (name, True)
    ]
    growing.write_bytes(content)
    summary, _ = library.update("colours")
    assert (summary.skipped, summary.partial) == ([], [])
    undisturbed = Library(
        Settings(library=photos.with_name("undisturbed"), threads=2), lambda _: ColourEncoder()
    )
    undisturbed.add_roots([photos])
    undisturbed.update("colours")
    assert _hits(library) == _hits(undisturbed)
    (photos / "other").mkdir()
    (photos / "other" / name).write_bytes(content[: len(content) // 2])
    shutil.move(growing, photos.with_name(name))
    summary, _ = library.update("colours")
    assert summary.moved == 0, "half of it is not it"


def _hits(library: Library) -> list[tuple[str, float | None, float]]:
    hits = library.view().search_text("yellow", 100)
    return sorted((hit.frame.source_path, hit.frame.timestamp, round(hit.similarity, 5)) for hit in hits)


def test_few_files_are_open_at_a_time(tmp_path: Path) -> None:
    """A long video and many photos, under a limit far below the smallest that systems have."""
    folder = tmp_path / "media"
    colours = [list(COLOURS)[number % len(COLOURS)] for number in range(150)]
    film(folder / "long.mp4", colours)
    for number in range(120):
        paint(folder / f"{number}.png", "red", seed=number)
    environment = importing_as_here()
    ran = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path / "library"), str(folder)],
        env=environment | {"NO_EARLY_COMMITS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    status = Library(Settings(library=tmp_path / "library"), lambda _: ColourEncoder()).status()
    assert status.frames == 150 + 120
