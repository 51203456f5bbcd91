"""The file of the graph, as an index run finds it: of an older format, missing, damaged."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from colour_library import painted
from fakes import ColourEncoder, Noting, paint
from semantic_media_search.embeddings.embed_store import EmbeddingStore
from semantic_media_search.errors import LibraryError
from semantic_media_search.index import file_format
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.library import Library

COLOURS = ["red", "green", "blue", "yellow"]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = painted(tmp_path, COLOURS)
    library.ingest()
    library.build_index("colours")
    return library


def graph_of(library: Library) -> Path:
    view = library.view()
    name = view.generation.index_file
    assert name is not None
    return view.paths.generation(view.generation.generation) / name


def check(library: Library, count: int = len(COLOURS)) -> None:
    """The graph of so many rows is of the present format, whole, and answers."""
    path = graph_of(library)
    assert file_format.read(path)[0].version == file_format.VERSION
    generation = library.view().generation
    vectors = EmbeddingStore(path.parent, generation.rows, generation.model.dim).vectors
    index = HNSWIndex.load(path, vectors)
    index.verify()
    assert len(index) == count
    for row in range(count):
        assert index.search(vectors[row], 1)[0][0] == row
    assert library.doctor(repair=False) == []


def as_format_1(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a graph's file as it was in format 1, whose codes had a byte a dimension, padded to 64."""
    header, sections = file_format.read(path)
    arrays = {name: np.array(section.array) for name, section in sections.items()}
    arrays["codes"] = np.full((header.count, -(-header.dim // 64) * 64), 128, np.uint8)
    with monkeypatch.context() as patched:
        patched.setattr(file_format, "VERSION", 1)
        file_format.write(path, header, arrays)


def test_an_older_format_is_written_anew_though_nothing_is_new(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = graph_of(library)
    links = np.array(file_format.read(before)[1]["links"].array)
    as_format_1(before, monkeypatch)
    progress = Noting()
    summary = library.build_index("colours", progress)
    assert summary.embedded == 0
    assert [stage[0] for stage in progress.stages] == ["Measuring recall"], "nothing is built"
    assert progress.notes == []
    np.testing.assert_array_equal(file_format.read(graph_of(library))[1]["links"].array, links)
    assert not before.exists()
    check(library)
    assert library.build_index("colours").generation.index_file == graph_of(library).name, "once"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def flip(path: Path) -> None:
    """A byte of the codes, which opening does not look at."""
    codes = file_format.read(path)[1]["codes"]
    damaged = bytearray(path.read_bytes())
    damaged[codes.offset + 1] ^= 255
    path.write_bytes(damaged)


def misdirect(path: Path) -> None:
    header, sections = file_format.read(path)
    arrays = {name: np.array(section.array) for name, section in sections.items()}
    arrays["links"][0, 0] = 1000
    file_format.write(path, header, arrays)


@pytest.mark.parametrize("new", [0, 1])
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (Path.unlink, "is missing"),
        (cut, "is no index file"),
        (misdirect, "name nodes"),
        (flip, "is damaged in its section 'codes'"),
    ],
)
def test_a_graph_that_cannot_be_used_is_built_anew(
    library: Library, harm: Callable[[Path], None], said: str, new: int, tmp_path: Path
) -> None:
    """And nothing that is damaged is written again, with sums that are right."""
    path = graph_of(library)
    harm(path)
    problems = [found.problem for found in library.doctor(repair=False) if found.path == str(path)]
    assert len(problems) == 1
    assert said in problems[0]
    assert str(path) not in problems[0], "that stands before it"
    if new:
        paint(tmp_path / "photos" / "more.png", "white", seed=9)
        library.ingest()
    progress = Noting()
    assert library.build_index("colours", progress).embedded == new
    if harm is misdirect and not new:
        assert not progress.notes, "its sums are right: no program of ours writes such a file"
        library.doctor(repair=True)
        library.build_index("colours", progress)
    else:
        (note,) = progress.notes
        assert said in note
        assert "is built anew" in note
        assert "run `media-search" not in note
    built = [stage for stage in progress.stages if stage[0] == "Building the index"]
    assert built == [["Building the index", len(COLOURS) + new, len(COLOURS) + new, True]]
    check(library, len(COLOURS) + new)


def test_a_graph_of_other_rows_than_were_committed_is_built_anew(library: Library, tmp_path: Path) -> None:
    path = graph_of(library)
    generation = library.view().generation
    vectors = EmbeddingStore(path.parent, generation.rows, generation.model.dim).vectors
    fewer = HNSWIndex(generation.model.dim)
    fewer.build(vectors[:2])
    fewer.save(path)
    progress = Noting()
    library.build_index("colours", progress)
    assert "holds 2 rows" in progress.notes[0]
    assert "where 4 of" in progress.notes[0]
    check(library)


def test_a_graph_that_cannot_be_read_now_is_left_alone(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = graph_of(library)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(file_format, "read", refuse)
    with pytest.raises(PermissionError):
        library.build_index("colours")
    monkeypatch.undo()
    assert graph_of(library) == before
    check(library)


def test_the_name_of_a_graph_that_is_gone_is_taken_away(library: Library, tmp_path: Path) -> None:
    """It would be over other rows than `embeddings.dat`."""
    published = library.paths.root / "hnsw_index.bin"
    graph_of(library).unlink()
    paint(tmp_path / "photos" / "more.png", "white", seed=9)
    library.ingest()
    assert not published.exists()
    written = (library.paths.root / "embeddings.idx").stat().st_mtime_ns
    library.ingest()
    assert (library.paths.root / "embeddings.idx").stat().st_mtime_ns == written, "nothing changed since"
    library.build_index("colours")
    assert published.samefile(graph_of(library))


@pytest.mark.parametrize("harm", [Path.unlink, cut, misdirect])
def test_a_search_that_needs_a_graph_that_cannot_be_used_says_what_to_run(
    library: Library, harm: Callable[[Path], None]
) -> None:
    """The API makes a 503 of it, with the advice: it is an error of the library, not of the server."""
    harm(graph_of(library))
    by_graph = Library(library.settings, lambda name: ColourEncoder(), exact_below=0)
    with pytest.raises(LibraryError, match="run `media-search index` to make it anew"):
        by_graph.view()
    by_graph.build_index("colours")
    if harm is not misdirect:  # its sums are right: that is for doctor
        assert by_graph.view().index is not None
