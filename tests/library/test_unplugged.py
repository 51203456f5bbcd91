"""A disk whose mount point lies inside a folder of the library: unplugged, it leaves that folder empty, or none."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fakes import ColourEncoder, paint
from semantic_media_search.config import Settings
from semantic_media_search.library import Library


@pytest.fixture
def plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Plug a disk in at `photos/disk`, or pull it out: its files go, and the folder is of the disk around it."""
    place, away = tmp_path / "photos" / "disk", tmp_path / "away"
    stat: Any = os.stat
    plugged = True

    def of_another_disk(path: Any, **options: Any) -> Any:
        facts = stat(path, **options)
        if not plugged or place not in (Path(str(path)), *Path(str(path)).parents):
            return facts
        seen = {name: getattr(facts, name) for name in dir(facts) if name.startswith("st_")}
        return SimpleNamespace(**seen | {"st_dev": facts.st_dev + 1})

    def plug_in(wanted: bool) -> None:
        nonlocal plugged
        if wanted != plugged:
            place.rename(place.with_name(".other"))
            away.rename(place)
            place.with_name(".other").rename(away)
            plugged = wanted

    away.mkdir()
    monkeypatch.setattr(os, "stat", of_another_disk)
    return plug_in


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    paint(tmp_path / "photos" / "here.png", "red")
    paint(tmp_path / "photos" / "disk" / "one.png", "green")
    return paint(tmp_path / "photos" / "disk" / "deep" / "two.png", "blue").parents[1]


@pytest.fixture
def library(tmp_path: Path, disk: Path) -> Library:
    library = Library(Settings(library=tmp_path / "library", threads=1), lambda _: ColourEncoder())
    library.add_roots([disk.parent])
    return library


def _found(library: Library) -> set[str]:
    return {Path(hit.frame.source_path).stem for hit in library.view().search_text("red", 50)}


@pytest.mark.parametrize("folder_stays", [True, False])
def test_an_unplugged_disk_deletes_nothing(
    plug: Callable[[bool], None], library: Library, disk: Path, folder_stays: bool
) -> None:
    library.update("colours")
    plug(False)
    if not folder_stays:
        disk.rmdir()
    for _ in range(2):
        assert library.preview([]).missing == []
        summary, _ = library.update("colours")
        assert (summary.removed, summary.unavailable, summary.unchanged) == (0, 2, 1)
    assert _found(library) == {"here", "one", "two"}
    disk.mkdir(exist_ok=True)
    plug(True)
    summary, _ = library.update("colours")
    assert (summary.unavailable, summary.unchanged, summary.frames) == (0, 3, 0)


def test_what_is_deleted_from_a_disk_or_a_folder_is_gone(
    plug: Callable[[bool], None], library: Library, disk: Path
) -> None:
    """All of it, so that only an empty folder stays; a disk that is plugged in is known by its number."""
    library.update("colours")
    (disk / "one.png").unlink()
    (disk / "deep" / "two.png").unlink()
    assert library.update("colours")[0].removed == 2
    paint(disk.parent / "folder" / "three.png", "white")
    library.update("colours")
    (disk.parent / "folder" / "three.png").unlink()
    assert library.update("colours")[0].removed == 1
    assert _found(library) == {"here"}


def test_files_in_the_place_of_a_disk_make_it_a_folder(
    plug: Callable[[bool], None], library: Library, disk: Path
) -> None:
    library.update("colours")
    plug(False)
    paint(disk / "new.png", "yellow")
    summary, _ = library.update("colours")
    assert (summary.new, summary.removed, summary.unavailable) == (1, 2, 0)


def test_a_disk_that_will_not_come_back_is_taken_out(
    plug: Callable[[bool], None], library: Library, disk: Path
) -> None:
    library.update("colours")
    plug(False)
    library.update("colours")
    assert library.forget([disk]) == 2
    assert library.update("colours")[0].unavailable == 0
    assert _found(library) == {"here"}
    plug(True)
    summary, _ = library.update("colours")
    assert summary.frames == 0
    assert _found(library) == {"here", "one", "two"}
