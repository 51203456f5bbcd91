"""The file of an index: what is saved comes back, damage is found, and what was once written loads for ever."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest

import kept_index
from semantic_media_search.errors import IndexFormatError
from semantic_media_search.index import file_format
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.records import F32
from semantic_media_search.search.brute_force import BruteForceIndex
from vectors import clustered

FORMAT_1 = Path(__file__).parents[1] / "data" / "hnsw_format_1.bin"
"""A file of the first ones: without `fitted`, nothing deleted."""
GROWN = {
    name: FORMAT_1.with_name(f"hnsw_format_{name}.bin") for name in ("1_grown", "2_grown", "2_landmarks")
}
"""What `kept_index` wrote when each format was the newest."""


OLD_ROWS: F32 = clustered(40, 8, seed=11)
"""What FORMAT_1 is over."""


def build(rows: F32) -> HNSWIndex:
    index = HNSWIndex(rows.shape[1], m=8, ef_construction=60)
    index.build(rows)
    return index


@pytest.mark.parametrize("count", [0, 1, 2])
def test_tiny_indexes_are_saved_and_loaded(tmp_path: Path, count: int) -> None:
    rows = clustered(count, 8) if count else np.empty((0, 8), np.float32)
    build(rows).save(tmp_path / "index.bin")
    loaded = HNSWIndex.load(tmp_path / "index.bin", rows)
    assert len(loaded) == count
    loaded.verify()


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    rows, queries = clustered(1_000), clustered(20, seed=1)
    index = build(rows)
    index.mark_deleted([3, 4])
    index.save(tmp_path / "index.bin", fingerprint="model 1")
    longer = np.concatenate([rows, clustered(50, seed=9)])  # the library appends before it commits
    loaded = HNSWIndex.load(tmp_path / "index.bin", longer)
    assert (len(loaded), loaded.fingerprint, loaded.deleted_count) == (1_000, "model 1", 2)
    assert (loaded.m, loaded.ef_construction) == (8, 60)
    for before, after in zip(index.search_batch(queries, 10), loaded.search_batch(queries, 10), strict=True):
        np.testing.assert_array_equal(before, after)
    loaded.add(longer)
    assert all(loaded.search(row, 1)[0][1] > 0.999 for row in longer[-50:])
    loaded.restore([3])
    assert loaded.search(rows[3], 1)[0][0] == 3


def test_growing_across_reloads_is_growing_in_one_go(tmp_path: Path) -> None:
    rows = clustered(400, 16)
    # What comes later lies elsewhere: the codes must be made anew.
    rows[150:] = np.roll(rows[150:], 5, axis=1)
    steady = build(rows[:100])
    steady.save(tmp_path / "often.bin")
    for stop in (150, 199, 260, 400):
        steady.add(rows[:stop])
        often = HNSWIndex.load(tmp_path / "often.bin", rows)
        often.add(rows[:stop])
        often.save(tmp_path / "often.bin")
    steady.save(tmp_path / "steady.bin")
    assert (tmp_path / "often.bin").read_bytes() == (tmp_path / "steady.bin").read_bytes()


def test_the_scale_of_the_codes_comes_back_as_it_was(tmp_path: Path) -> None:
    """The file holds it as float32: a row added later gets the same code, whether the index was reloaded or not."""
    rows = clustered(100, 16)
    index = build(rows)
    index.save(tmp_path / "index.bin")
    assert HNSWIndex.load(tmp_path / "index.bin", rows)._coded.scale == index._coded.scale


def test_what_was_opened_can_be_checked_after_its_file_was_written_anew(tmp_path: Path) -> None:
    rows = clustered(100, 16)
    path = tmp_path / "index.bin"
    build(rows).save(path)
    index = HNSWIndex.load(path, rows)
    index.mark_deleted([1])
    index.save(path)
    index.verify()
    HNSWIndex.load(path, rows).verify()


def test_a_file_of_format_1_loads_for_ever() -> None:
    rows = clustered(40, 8, seed=11)
    index = HNSWIndex.load(FORMAT_1, rows)
    index.verify()
    assert (len(index), index.m, index.ef_construction, index.fingerprint) == (40, 4, 20, "format 1")
    assert [index.search(rows[number], 1)[0][0] for number in range(40)] == list(range(40))


@pytest.mark.parametrize("name", GROWN)
def test_a_grown_file_with_deleted_rows_loads_for_ever(tmp_path: Path, name: str) -> None:
    number = int(name[0])
    index = HNSWIndex.load(GROWN[name], kept_index.ROWS)
    index.verify()
    assert (len(index), index.m, index.ef_construction, index.seed) == (kept_index.COUNT, 4, 30, 5)
    assert index.fingerprint == f"format {number}, grown"
    assert index.deleted_count == len(kept_index.DELETED)
    index.save(tmp_path / "again")
    assert ((tmp_path / "again").read_bytes() == GROWN[name].read_bytes()) == (name == list(GROWN)[-1])
    again = HNSWIndex.load(tmp_path / "again", kept_index.ROWS)
    exact = BruteForceIndex(kept_index.ROWS[: kept_index.COUNT])
    exact.mark_deleted(kept_index.DELETED)
    for query in clustered(20, 12, seed=13):
        found, wanted = index.search(query, 5, ef=kept_index.COUNT), exact.search(query, 5)
        assert [node for node, _ in found] == [node for node, _ in wanted]
        assert [cosine for _, cosine in found] == pytest.approx([cosine for _, cosine in wanted], abs=1e-6)
        assert again.search(query, 5) == index.search(query, 5)
    codes = index._coded.codes
    # The codes of a file of format 1 are made anew at opening, over all of its rows.
    fitted = kept_index.FITTED if number > 1 else kept_index.COUNT
    index.add(kept_index.ROWS[: min(len(kept_index.ROWS), 2 * fitted - 1)])
    np.testing.assert_array_equal(index._coded.codes[: len(codes)], codes)
    if number > 1:
        index.add(kept_index.ROWS)
        assert not np.array_equal(index._coded.codes[: len(codes)], codes), (
            "doubled since, and so fitted anew"
        )
    assert index.deleted_count == len(kept_index.DELETED)


def test_a_file_of_a_later_format_says_so(tmp_path: Path) -> None:
    data = bytearray(GROWN["2_grown"].read_bytes())
    data[8] = 3
    (tmp_path / "later.bin").write_bytes(data)
    with pytest.raises(IndexFormatError, match="is of version 3; this program reads 1 to 2"):
        HNSWIndex.load(tmp_path / "later.bin", kept_index.ROWS)


def _found(path: Path, data: bytes, rows: F32 = OLD_ROWS) -> bool:
    """Whether these bytes, as a file over these rows, are found to be damaged: at opening, or by `verify`."""
    path.write_bytes(data)
    try:
        index = HNSWIndex.load(path, rows)
        index.search_batch(rows, 5)  # whatever was opened can be searched without harm
        index.verify()
    except IndexFormatError as error:
        assert "run `media-search index`" in str(error)
        return True
    return False


@pytest.mark.parametrize(("kept", "rows"), [(FORMAT_1, OLD_ROWS), (GROWN["2_grown"], kept_index.ROWS)])
def test_truncations_and_flipped_bytes_are_found(tmp_path: Path, kept: Path, rows: F32) -> None:
    whole = kept.read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "index.bin"
    assert not _found(path, whole, rows)
    for length in [0, 1, 7, 8, 100, 200, *random.integers(0, len(whole), 60).tolist(), len(whole) - 1]:
        assert _found(path, whole[:length], rows), length
    for position in [*range(0, 260, 3), *random.integers(0, len(whole), 300).tolist()]:
        damaged = bytearray(whole)
        damaged[position] ^= int(random.integers(1, 256))
        assert _found(path, bytes(damaged), rows), position
    assert _found(path, whole + b"\0", rows)


@pytest.mark.exhaustive
def test_each_single_truncation_and_flipped_byte_is_found(tmp_path: Path) -> None:
    whole = FORMAT_1.read_bytes()
    for length in range(len(whole)):
        assert _found(tmp_path / "index.bin", whole[:length]), length
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF if position % 2 else 1 << position // 2 % 8
        assert _found(tmp_path / "index.bin", bytes(damaged)), position


@pytest.mark.parametrize("name", ["levels", "links", "upper", "offsets", "centre", "deleted", "fitted"])
def test_opening_finds_a_flipped_bit_in_every_section_but_codes_and_norms(tmp_path: Path, name: str) -> None:
    rows = clustered(400)
    index = build(rows)
    index.mark_deleted([7])
    path = tmp_path / "index.bin"
    index.save(path)
    section = file_format.read(path)[1][name]
    data = bytearray(path.read_bytes())
    data[section.offset] ^= 1
    path.write_bytes(data)
    with pytest.raises(IndexFormatError, match=f"damaged in its section '{name}'"):
        HNSWIndex.load(path, rows)


def test_saving_is_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "index.bin"
    rows = clustered(100, 8)
    build(rows).save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        build(clustered(200, 8)).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["index.bin"], "what was begun is cleared away"


def test_the_new_name_of_a_file_is_brought_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
    )
    build(clustered(10, 8)).save(tmp_path / "index.bin")
    assert synced == ([False] if os.name == "nt" else [False, True])
