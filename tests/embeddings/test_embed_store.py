from pathlib import Path

import numpy as np
import pytest

from semantic_media_search.embeddings.embed_store import (
    EmbeddingStore,
    EmbeddingWriter,
    load_embeddings_index,
    write_embeddings_index,
)
from semantic_media_search.errors import LibraryCorruptError, VectorError
from semantic_media_search.records import F32


def _rows(count: int, dim: int = 8, seed: int = 0) -> F32:
    vectors = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _write(folder: Path, frame_ids: list[int], vectors: F32, after: int = 0) -> None:
    with EmbeddingWriter(folder, after, vectors.shape[1]) as writer:
        writer.append(frame_ids, vectors)
        writer.flush()


def test_the_plan_reads_the_rows_with_a_memmap(tmp_path: Path) -> None:
    vectors = _rows(5)
    _write(tmp_path, [0, 1, 2, 4, 5], vectors)
    read = np.memmap(tmp_path / "embeddings.dat", dtype="float32", mode="r", shape=(5, 8))
    np.testing.assert_array_equal(read, vectors)


def test_rows_of_frames(tmp_path: Path) -> None:
    _write(tmp_path, [0, 1, 2, 4, 5], _rows(5))
    store = EmbeddingStore(tmp_path, 5, 8)
    assert store.rows_of([4, 3, 0, 99]).tolist() == [3, 0]


def test_rows_beyond_the_commit_are_cut_back_by_the_next_writer(tmp_path: Path) -> None:
    _write(tmp_path, [0, 1, 2], _rows(3))
    fresh = _rows(2, seed=1)
    _write(tmp_path, [1, 2], fresh, after=1)
    store = EmbeddingStore(tmp_path, 3, 8)
    np.testing.assert_array_equal(store.vectors[1:], fresh)
    assert (tmp_path / "embeddings.dat").stat().st_size == 3 * 8 * 4


def test_fewer_rows_than_committed_is_corrupt(tmp_path: Path) -> None:
    _write(tmp_path, [0, 1], _rows(2))
    with pytest.raises(LibraryCorruptError, match="--rebuild"):
        EmbeddingStore(tmp_path, 3, 8)
    with pytest.raises(LibraryCorruptError, match="--rebuild"):
        EmbeddingWriter(tmp_path, 3, 8)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda v: v.astype(np.float64), "float64"),
        (lambda v: v[:, :4], "4"),
        (lambda v: v * 2, "length 2"),
        (lambda v: v * np.nan, "length nan"),
        (lambda v: v * 0, "length 0"),
    ],
)
def test_vectors_that_cannot_be_right_are_refused(tmp_path: Path, spoil, message: str) -> None:
    with EmbeddingWriter(tmp_path, 0, 8) as writer, pytest.raises(VectorError, match=message):
        writer.append([0, 1], spoil(_rows(2)))


def test_the_index_file_says_which_row_is_whose(tmp_path: Path) -> None:
    path = tmp_path / "embeddings.idx"
    write_embeddings_index(path, [3, 5, 9], frozenset({1}))
    assert load_embeddings_index(path) == {3: 0, 9: 2}
    path.write_text("3 0\nfive 1\n")
    with pytest.raises(LibraryCorruptError, match="line 2"):
        load_embeddings_index(path)
