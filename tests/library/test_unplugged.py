"""A disk whose mount point lies inside a folder of the library: unplugged, it leaves that folder empty, or none."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from fakes import ColourEncoder, paint
from semantic_media_search.config import Settings
from semantic_media_search.library import Library
from semantic_media_search.library.progress import Silent


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in a folder that holds something else too."""
    for number, colour in enumerate(["red", "green", "blue"]):
        paint(tmp_path / "holder" / "old name" / f"{colour}.png", colour, seed=number)
    (tmp_path / "holder" / "letter.txt").touch()
    return tmp_path / "holder" / "old name"


@pytest.fixture
def of_folder(tmp_path: Path, folder: Path) -> Library:
    library = Library(Settings(library=tmp_path / "library", threads=1), lambda _: ColourEncoder())
    library.add_roots([folder])
    library.update("colours")
    return library


@pytest.mark.parametrize("seen_away", [True, False])
def test_a_folder_that_was_renamed_is_not_embedded_again(
    of_folder: Library, folder: Path, seen_away: bool
) -> None:
    new = folder.rename(folder.parent / "new name")
    (new / "red.png").unlink()
    if seen_away:
        assert of_folder.update("colours")[0].unavailable == 3
    changes = of_folder.preview([new])
    assert (len(changes.moved), len(changes.to_read), len(changes.unavailable)) == (2, 0, 1)
    of_folder.add_roots([new])
    summary, indexed = of_folder.update("colours")
    assert (summary.moved, summary.new, summary.removed, summary.unavailable) == (2, 0, 0, 1)
    assert indexed is not None
    assert indexed.embedded == 0
    found = [Path(hit.frame.source_path) for hit in of_folder.view().search_text("red", 50)]
    assert sorted(found) == sorted([folder / "red.png", new / "blue.png", new / "green.png"])
    assert of_folder.doctor(repair=False) == []


def test_a_file_that_could_not_be_read_does_not_keep_a_renamed_folder_alive(
    of_folder: Library, folder: Path
) -> None:
    class Notes(Silent):
        said: ClassVar[list[str]] = []

        def note(self, text: str) -> None:
            self.said.append(text)

    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    of_folder.update("colours")
    of_folder.add_roots([folder.rename(folder.parent / "new name")])
    summary, _ = of_folder.update("colours", Notes())
    assert (summary.moved, summary.unavailable) == (3, 0)
    assert [Path(file.path).parent.name for file in summary.skipped] == ["new name"]
    assert Notes.said == []


@pytest.mark.parametrize("mount_point_stays", [True, False])
def test_a_copy_of_what_is_on_an_unplugged_disk_is_no_move(
    of_folder: Library, folder: Path, tmp_path: Path, mount_point_stays: bool
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    folder.parent.rename(tmp_path / "unplugged")
    if mount_point_stays:
        folder.parent.mkdir()
    of_folder.add_roots([copy])
    summary, _ = of_folder.update("colours")
    assert (summary.moved, summary.new, summary.removed, summary.unavailable) == (0, 3, 0, 3)
    if mount_point_stays:
        folder.parent.rmdir()
    (tmp_path / "unplugged").rename(folder.parent)
    summary, _ = of_folder.update("colours")
    assert (summary.unchanged, summary.frames, summary.unavailable) == (6, 0, 0)


def test_a_copy_of_an_unplugged_disk_whose_mount_point_goes_with_it_is_no_move(
    plug: Callable[[bool], None], disk: Path, tmp_path: Path
) -> None:
    library = Library(Settings(library=tmp_path / "library", threads=1), lambda _: ColourEncoder())
    library.add_roots([disk])
    library.update("colours")
    plug(False)
    disk.rmdir()
    library.add_roots([Path(shutil.copytree(tmp_path / "away", tmp_path / "copy"))])
    for new in (2, 0):
        summary, _ = library.update("colours")
        assert (summary.moved, summary.new, summary.removed, summary.unavailable) == (0, new, 0, 2)
    disk.mkdir()
    plug(True)
    assert library.update("colours")[0].unchanged == 4
