"""A disk that takes no more, or has become read-only, at any step of any work: what was committed is whole, and the
next run ends where an undisturbed one does.
"""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes import COLOURS, ColourEncoder, paint
from semantic_media_search.config import Settings
from semantic_media_search.ingest.image_ingest import read_image
from semantic_media_search.ingest.isolated import IsolatedReaders
from semantic_media_search.library import Library, ingest_run

ENCODERS = {"colours": ColourEncoder(), "other": ColourEncoder("other", "07be2")}
WORKS: dict[str, Callable[[Library], object]] = {
    "update": lambda library: library.update("colours"),
    "compact": Library.compact,
    "index": lambda library: library.build_index("other"),
}
STEPS = 200
"""More than any work has."""


class InProcessReaders(IsolatedReaders):
    """Reads photos in this process: starting workers for each run would take all the time."""

    def read_image(self, path: str, *, max_side: int = 512, jpeg_quality: int = 90) -> Any:
        return read_image(path, max_side=max_side, jpeg_quality=jpeg_quality)


def _open(folder: Path) -> Library:
    return Library(Settings(library=folder, threads=1), ENCODERS.__getitem__)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library with some photos in it, some gone since and some new."""
    monkeypatch.setattr(ingest_run, "IsolatedReaders", InProcessReaders)
    media, begun = tmp_path / "media", tmp_path / "begun"
    for number, colour in enumerate(COLOURS):
        paint(media / f"{colour}.png", colour, seed=number)
    library = _open(begun)
    library.add_roots([media])
    library.update("colours")
    (media / "red.png").unlink()
    library.update("colours")
    paint(media / "new.png", "white", seed=50)
    return begun


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Have the n-th thing from now on that is brought to the disk, and all after it, fail with this error."""
    left, number, sync = STEPS, 0, os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    def refuse(after: int, error: int) -> None:
        nonlocal left, number
        left, number = after, error

    monkeypatch.setattr(os, "fsync", fsync)
    return refuse


def _contents(folder: Path) -> dict[str, object]:
    library = _open(folder)
    hits = library.view().search_text("green", 100)
    held = {
        "metadata": library.paths.metadata.read_text().replace(str(folder), ""),
        "rows": (folder / "embeddings.idx").read_text(),
        "frames": sorted((path.name, path.read_bytes()) for path in library.paths.frames.iterdir()),
        "found": [(hit.frame.frame_id, round(hit.similarity, 5)) for hit in hits],
    }
    assert library.doctor(repair=False) == []
    return held


def _refuse_at_each(
    work: str, begun: Path, tmp_path: Path, refusing: Callable[[int, int], None], every: int
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(begun, whole)
    WORKS[work](_open(whole))
    expected = _contents(whole)
    failed = 0
    for step in range(0, STEPS, every):
        folder = tmp_path / f"{step}"
        shutil.copytree(begun, folder)
        refusing(step, (errno.ENOSPC, errno.EROFS)[step // every % 2])
        try:
            WORKS[work](_open(folder))
        except OSError:
            failed += 1
        else:
            break
        refusing(STEPS, 0)
        view = _open(folder).view()
        for hit in view.search_text("green", 100):
            assert Path(hit.frame.frame_path).read_bytes()[-2:] == b"\xff\xd9"
        WORKS[work](_open(folder))
        assert _contents(folder) == expected
        shutil.rmtree(folder)
    assert failed > 2, "all of its steps were refused, one after the other"


@pytest.mark.parametrize("work", WORKS)
def test_some_steps(work: str, begun: Path, tmp_path: Path, refusing: Callable[[int, int], None]) -> None:
    _refuse_at_each(work, begun, tmp_path, refusing, every=4)


@pytest.mark.exhaustive
@pytest.mark.parametrize("work", WORKS)
def test_every_step(work: str, begun: Path, tmp_path: Path, refusing: Callable[[int, int], None]) -> None:
    _refuse_at_each(work, begun, tmp_path, refusing, every=1)
