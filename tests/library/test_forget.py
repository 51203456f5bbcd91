"""Folders taken out of the library: what leaves, what stays, and how it comes back."""

from collections import Counter
from pathlib import Path

import pytest

from fakes import ColourEncoder, paint
from semantic_media_search.config import Settings
from semantic_media_search.errors import LibraryNotFoundError, SourceFolderError
from semantic_media_search.library import Library

ENCODER = ColourEncoder()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    paint(tmp_path / "here" / "red.png", "red")
    paint(tmp_path / "here" / "inner" / "green.png", "green")
    paint(tmp_path / "there" / "blue.png", "blue")
    (tmp_path / "here" / "inner" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path


@pytest.fixture
def library(folders: Path) -> Library:
    library = Library(Settings(library=folders / "library", threads=1), lambda _: ENCODER)
    library.add_roots([folders / "here", folders / "there"])
    library.update("colours")
    return library


def _found(library: Library) -> Counter[str]:
    return Counter(Path(hit.frame.source_path).stem for hit in library.view().search_text("red", 50))


def test_a_folder_leaves_and_stays_away(library: Library, folders: Path) -> None:
    assert library.forget([folders / "here"]) == 3
    assert _found(library) == Counter(["blue"])
    assert [root.path for root in library.roots()] == [str(folders / "there")]
    assert "red.png" not in library.paths.metadata.read_text(encoding="utf-8")
    summary, _ = library.update("colours")
    assert (summary.new, summary.unchanged, summary.skipped) == (0, 1, [])
    assert _found(library) == Counter(["blue"])
    assert (folders / "here" / "red.png").is_file()
    assert library.doctor(repair=False) == []


def test_added_again_it_comes_back_without_new_frames(library: Library, folders: Path) -> None:
    library.forget([folders / "here"])
    library.add_roots([folders / "here"])
    summary, indexed = library.update("colours")
    assert (summary.moved, summary.frames, indexed and indexed.embedded) == (2, 0, 0)
    assert _found(library) == Counter(["red", "green", "blue"])
    assert [file.path for file in summary.skipped] == [str(folders / "here" / "inner" / "broken.jpg")]


def test_after_compact_nothing_of_it_is_left(library: Library, folders: Path) -> None:
    library.forget([folders / "here"])
    assert library.compact().frames == 2
    library.add_roots([folders / "here"])
    summary, _ = library.update("colours")
    assert (summary.new, summary.frames) == (2, 2)
    assert _found(library) == Counter(["red", "green", "blue"])


def test_what_lies_in_another_folder_of_the_library_stays(library: Library, folders: Path) -> None:
    library.add_roots([folders / "here" / "inner"])
    library.update("colours")
    assert library.forget([folders / "here"]) == 1
    assert _found(library) == Counter(["green", "blue"])
    assert library.update("colours")[0].removed == 0
    assert library.forget([folders / "here" / "inner", folders / "there"]) == 3
    assert _found(library) == Counter()


def test_a_folder_that_is_not_the_librarys_is_refused(library: Library, folders: Path) -> None:
    with pytest.raises(
        SourceFolderError, match=r"elsewhere is no folder of this library; its folders are: .*there"
    ):
        library.forget([folders / "there", folders / "elsewhere"])
    assert _found(library) == Counter(["red", "green", "blue"])
    nothing = Library(Settings(library=folders / "none"), lambda _: ENCODER)
    with pytest.raises(LibraryNotFoundError):
        nothing.forget([folders / "here"])


def test_a_folder_that_is_gone_can_be_forgotten(library: Library, folders: Path) -> None:
    (folders / "there").rename(folders / "renamed")
    library.update("colours")
    assert library.forget([folders / "there"]) == 1
    assert _found(library) == Counter(["red", "green"])


def test_with_everything_forgotten_and_compacted_the_library_is_empty(
    library: Library, folders: Path
) -> None:
    library.forget([folders / "here", folders / "there"])
    library.compact()
    with pytest.raises(LibraryNotFoundError, match="holds no frames; run `media-search update YOUR_FOLDER`"):
        library.view()
    library.add_roots([folders / "there"])
    library.update("colours")
    assert _found(library) == Counter(["blue"])
