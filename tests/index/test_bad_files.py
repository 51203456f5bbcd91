"""Files whose checksums are right and whose arrays are not: none may lead a search out of bounds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semantic_media_search.errors import IndexFormatError
from semantic_media_search.index import file_format
from semantic_media_search.index.file_format import Header
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.records import F32
from vectors import clustered

ROWS = 120
Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> F32:
    return clustered(ROWS, 8)


@pytest.fixture(scope="module")
def written(rows: F32, tmp_path_factory: pytest.TempPathFactory) -> tuple[Header, Arrays]:
    path = tmp_path_factory.mktemp("whole") / "index.bin"
    index = HNSWIndex(8, m=3, ef_construction=20)
    index.build(rows)
    index.save(path)
    header, sections = file_format.read(path)
    assert header.top >= 2
    return header, {name: np.array(section.array) for name, section in sections.items()}


def _set(name: str, place: Any, value: Any) -> Callable[[Arrays, Header], Header]:
    def change(arrays: Arrays, header: Header) -> Header:
        arrays[name][place] = value
        return header

    return change


def _as(name: str, make: Callable[[Any], Any]) -> Callable[[Arrays, Header], Header]:
    def change(arrays: Arrays, header: Header) -> Header:
        arrays[name] = make(arrays[name])
        return header

    return change


def _head(**changes: Any) -> Callable[[Arrays, Header], Header]:
    return lambda arrays, header: replace(header, **changes)


def _low_landmark(arrays: Arrays, header: Header) -> Header:
    arrays["landmarks"][0] = np.flatnonzero(arrays["levels"] == 0)[0]
    return header


def _lower_entry(arrays: Arrays, header: Header) -> Header:
    return replace(header, entry=int(np.flatnonzero(arrays["levels"] == 0)[0]))


def _not_the_highest(arrays: Arrays, header: Header) -> Header:
    return replace(header, entry=int(np.flatnonzero(arrays["levels"] == 1)[0]), top=1)


def _swap_levels(arrays: Arrays, header: Header) -> Header:
    levels = arrays["levels"]
    low, high = np.flatnonzero(levels == 0)[-1], np.flatnonzero(levels == 1)[0]
    levels[low], levels[high] = 1, 0
    return header


def _up_a_layer_too_far(arrays: Arrays, header: Header) -> Header:
    low = int(np.flatnonzero(arrays["levels"] == 0)[0])
    slot = int(arrays["offsets"][header.entry])
    arrays["upper"][slot, 0] = low
    return header


def _to_layer_two_too_far(arrays: Arrays, header: Header) -> Header:
    low = int(np.flatnonzero(arrays["levels"] == 1)[0])
    arrays["upper"][int(arrays["offsets"][header.entry]) + 1, 0] = low
    return header


def _without(name: str) -> Callable[[Arrays, Header], Header]:
    def change(arrays: Arrays, header: Header) -> Header:
        del arrays[name]
        return header

    return change


BAD = {
    "a link beyond the rows": (_set("links", (5, 0), ROWS), "links name nodes that are not there"),
    "a link below -1": (_set("links", (5, 0), -2), "links name nodes that are not there"),
    "an upper link beyond the rows": (_set("upper", (0, 0), ROWS), "upper links name nodes"),
    "an upper link below -1": (_set("upper", (0, 0), -9), "upper links name nodes"),
    "an upper link to a low node": (_up_a_layer_too_far, "a link on level 1 leads to"),
    "a link on layer two to a node of layer one": (_to_layer_two_too_far, "a link on level 2 leads to"),
    "an entry beyond the rows": (_head(entry=ROWS), "entry point is node 120"),
    "an entry below none": (_head(entry=-1), "entry point is node -1"),
    "an entry that is not on the top": (_lower_entry, "its entry point is node"),
    "an entry below the highest node": (_not_the_highest, "its entry point is node"),
    "a top that no node has": (_head(top=9), "on level 9"),
    "a landmark beyond the rows": (_set("landmarks", 1, ROWS), "landmarks name nodes that are not there"),
    "a landmark below none": (_set("landmarks", 0, -1), "landmarks name nodes that are not there"),
    "a landmark on level 0": (_low_landmark, "a landmark is not on level 1"),
    "landmarks of another type": (_as("landmarks", lambda a: a.astype(np.int32)), "its landmarks are int32"),
    "levels that give more slots": (_set("levels", 0, 29), "its upper are int32"),
    "levels of other nodes": (_swap_levels, "not where its levels say"),
    "offsets elsewhere": (_as("offsets", lambda a: np.where(a >= 0, a + 1, a)), "not where its levels say"),
    "offsets far out": (_as("offsets", lambda a: np.where(a >= 0, a + 2**40, a)), "not where its levels say"),
    "levels of another type": (_as("levels", lambda a: a.astype(np.int8)), "its levels are int8"),
    "too few levels": (_as("levels", lambda a: a[:-1]), "its levels are"),
    "links of another type": (_as("links", lambda a: a.astype(np.int64)), "its links are int64"),
    "links without a column": (_as("links", lambda a: a[:, :-1].copy()), "its links are int32"),
    "too few links": (_as("links", lambda a: a[:-1]), "its links are int32"),
    "too few slots": (_as("upper", lambda a: a[:-1]), "its upper are int32"),
    "offsets of another type": (_as("offsets", lambda a: a.astype(np.int32)), "its offsets are int32"),
    "too few offsets": (_as("offsets", lambda a: a[:-1]), "its offsets are"),
    "too few codes": (_as("codes", lambda a: a[:-1]), "its codes are uint8"),
    "narrow codes": (_as("codes", lambda a: a[:, :-1].copy()), "its codes are uint8"),
    "codes of another type": (_as("codes", lambda a: a.view(np.int8)), "its codes are int8"),
    "too few norms": (_as("norms", lambda a: a[:-1]), "its norms are int32"),
    "norms of another type": (_as("norms", lambda a: a.astype(np.float32)), "its norms are float32"),
    "too few marks": (_as("deleted", lambda a: np.zeros(ROWS - 1, np.uint8)), "its deleted are uint8"),
    "marks of another type": (_as("deleted", lambda a: np.zeros(ROWS, np.int16)), "its deleted are int16"),
    "a centre too short": (_as("centre", lambda a: a[:-1]), "its centre are float32"),
    "a centre of another type": (_as("centre", lambda a: a.astype(np.float64)), "its centre are float64"),
    "a centre that is not finite": (_set("centre", 2, np.nan), "its centre is not finite"),
    "a table where fitted is one number": (_as("fitted", lambda a: a.repeat(2)), "its fitted are int64"),
    "fitted to no number of rows": (_set("fitted", 0, -1), "fitted to -1"),
    "fitted to more rows than there are": (_set("fitted", 0, ROWS + 1), "fitted to 121"),
    "a scale of nothing": (_head(scale=0.0), "its scale is 0"),
    "a scale that is not finite": (_head(scale=float("nan")), "its scale is nan"),
    "another M": (_head(m=4), "its links are int32"),
    "an M that cannot be": (_head(m=0), "its links are int32"),
    "a seed that cannot be": (_head(seed=-1), "seed=-1"),
    "fewer rows": (_head(count=ROWS - 1), "its levels are"),
    "another dimension": (_head(dim=9), "9 dimensions"),
    "no codes": (_without("codes"), "lacks a part"),
    "no links": (_without("links"), "lacks a part"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_array_is_found_at_opening(
    tmp_path: Path, rows: F32, written: tuple[Header, Arrays], case: str
) -> None:
    change, message = BAD[case]
    header, arrays = written[0], {name: array.copy() for name, array in written[1].items()}
    header = change(arrays, header)
    file_format.write(tmp_path / "index.bin", header, arrays)
    with pytest.raises(IndexFormatError, match=message) as caught:
        HNSWIndex.load(tmp_path / "index.bin", rows)
    assert "run `media-search index`" in str(caught.value)


def test_the_same_file_unchanged_is_opened(tmp_path: Path, rows: F32, written: tuple[Header, Arrays]) -> None:
    file_format.write(tmp_path / "index.bin", *written)
    HNSWIndex.load(tmp_path / "index.bin", rows).verify()
    without = {name: array for name, array in written[1].items() if name not in ("fitted", "landmarks")}
    file_format.write(tmp_path / "index.bin", written[0], without)
    HNSWIndex.load(tmp_path / "index.bin", rows).verify()


@pytest.mark.parametrize(
    "other", [lambda rows: rows.astype(np.float64), lambda rows: rows[0], lambda rows: rows[:-1]]
)
def test_embeddings_that_do_not_fit_are_refused(
    tmp_path: Path, rows: F32, written: tuple[Header, Arrays], other: Callable[[F32], F32]
) -> None:
    file_format.write(tmp_path / "index.bin", *written)
    with pytest.raises(IndexFormatError, match="float32 vectors of 8 dimensions"):
        HNSWIndex.load(tmp_path / "index.bin", other(rows))


@pytest.mark.parametrize("kind", ["|O", "zz", ""])
def test_a_type_that_cannot_be_is_refused(
    tmp_path: Path, rows: F32, written: tuple[Header, Arrays], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Table:
        size = file_format._SECTION.size

        def pack(self, name: bytes, dtype: bytes, *rest: int) -> bytes:
            return real.pack(name, kind.encode() if name == b"links" else dtype, *rest)

    real = file_format._SECTION
    with monkeypatch.context() as patched:
        patched.setattr(file_format, "_SECTION", Table())
        file_format.write(tmp_path / "index.bin", *written)
    with pytest.raises(IndexFormatError, match="media-search index"):
        HNSWIndex.load(tmp_path / "index.bin", rows)
