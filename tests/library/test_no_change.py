"""A run over folders in which nothing has changed: no file is opened, no process started, nothing written."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import COLOURS, ColourEncoder, film, paint
from semantic_media_search.config import Settings
from semantic_media_search.ingest.catalog import FrameRow, Source
from semantic_media_search.ingest.discovery import discover
from semantic_media_search.library import Library
from semantic_media_search.library.writer import open_writer

A_FOLDER = 1_000

watched: dict[str, list[str]] = {}


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if not watched:
        return
    if event == "open" and isinstance(arguments[0], str | bytes | Path):
        for folder, opened in watched.items():
            if os.fsdecode(arguments[0]).startswith(folder + os.sep):
                opened.append(os.fsdecode(arguments[0]))
    elif event == "subprocess.Popen":
        next(iter(watched.values())).append(f"process {arguments[0]}")


sys.addaudithook(_listen)  # hooks cannot be taken away again; this one only works while something is watched


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[str]]:
    """The files of `media` that are opened, and the processes that are started, from when it is cleared."""
    watched[str(tmp_path / "media")] = found = []
    yield found
    watched.clear()


def _library(tmp_path: Path) -> Library:
    library = Library(Settings(library=tmp_path / "library", threads=2), lambda _: ColourEncoder())
    library.add_roots([tmp_path / "media"])
    return library


def _state(library: Library) -> dict[str, tuple[int, int, int]]:
    """Every file of the library but SQLite's own, with inode, size and (but for rows, cut to length) time."""
    return {
        path.relative_to(library.paths.root).as_posix(): (
            facts.st_ino,
            facts.st_size,
            facts.st_mtime_ns * (path.suffix != ".dat"),
        )
        for path in library.paths.root.rglob("*")
        if path.is_file() and not path.name.startswith("catalog.sqlite")
        for facts in [path.stat()]
    }


def test_nothing_is_read_or_written(tmp_path: Path, opened: list[str]) -> None:
    for number, colour in enumerate(COLOURS):
        paint(tmp_path / "media" / f"{colour}.png", colour, seed=number)
    film(tmp_path / "media" / "film.mp4", ["red", "white"])
    (tmp_path / "media" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    library = _library(tmp_path)
    library.update("colours")
    assert opened, "reading a file is seen"
    before, commit, view = _state(library), library.commit(), library.view()
    opened.clear()
    summary, _ = library.update("colours")
    assert (summary.unchanged, summary.new, summary.changed, len(summary.skipped)) == (7, 0, 0, 1)
    assert opened == []
    assert _state(library) == before
    assert library.commit() == commit, "a server need not open the same library again"
    assert library.view() is view


@pytest.mark.parametrize("files", [10_000, pytest.param(100_000, marks=pytest.mark.exhaustive)])
def test_many_files(tmp_path: Path, opened: list[str], files: int) -> None:
    media = tmp_path / "media"
    for number in range(files):
        if number % A_FOLDER == 0:
            folder = media / f"{number // A_FOLDER:03d}"
            folder.mkdir(parents=True)
        os.close(os.open(f"{folder}/{number}.jpg", os.O_CREAT | os.O_WRONLY))
    library = _library(tmp_path)
    with open_writer(library.paths.root) as writer, writer.committing(next_frame=files):
        (root,) = writer.catalog.roots()
        for number, file in enumerate(discover(media)):
            source = Source(None, root.root_id, file.path, file.kind, file.size, file.mtime_ns, f"{number:x}")
            frame = FrameRow(number, None, None, 64, 48, number)
            writer.catalog.add_frames(writer.catalog.put_source(source), [frame])
    library.ingest()  # writes the plan's files
    before, commit = _state(library), library.commit()
    opened.clear()
    summary = library.ingest()
    assert (summary.unchanged, summary.frames, summary.skipped) == (files, 0, [])
    assert opened == []
    assert _state(library) == before
    assert library.commit() == commit
