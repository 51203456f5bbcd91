"""One suite for HNSWIndex and BruteForceIndex: what either promises."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from semantic_media_search.errors import QueryError, VectorError
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.index.jit import JIT_DISABLED
from semantic_media_search.records import F32, BoolMask
from semantic_media_search.search.brute_force import BruteForceIndex
from vectors import clustered, unit

Index = HNSWIndex | BruteForceIndex
SHRINK = 12 if JIT_DISABLED else 1
"""Not compiled, the kernels take a thousand times as long."""


def _hnsw(embeddings: F32) -> HNSWIndex:
    index = HNSWIndex(embeddings.shape[1], m=8 // (1 + JIT_DISABLED), ef_construction=60 // SHRINK)
    index.build(embeddings)
    return index


@pytest.fixture(params=[_hnsw, BruteForceIndex], ids=["hnsw", "exact"])
def make(request: pytest.FixtureRequest) -> Callable[[F32], Index]:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("count", [1, 2, 3, 9, 40])
def test_a_row_finds_itself_first(make: Callable[[F32], Index], count: int) -> None:
    rows = clustered(count, 16)
    index = make(rows)
    assert len(index) == count
    for number in range(count):
        (node, cosine), *_ = index.search(rows[number], min(3, count))
        assert node == number
        assert cosine == pytest.approx(1, abs=1e-5)


def test_an_empty_index_has_no_answers(make: Callable[[F32], Index]) -> None:
    index = make(np.empty((0, 8), np.float32))
    assert index.search(unit(np.ones(8)), 5) == []
    ids, cosines = index.search_batch(unit(np.ones((2, 8))), 3)
    assert ids.tolist() == [[-1] * 3] * 2
    assert cosines.shape == (2, 3)


def test_fewer_rows_than_asked_for(make: Callable[[F32], Index]) -> None:
    index = make(clustered(4, 8))
    assert len(index.search(clustered(1, 8, seed=5)[0], 10)) == 4
    ids, _ = index.search_batch(clustered(1, 8, seed=5), 10)
    assert sorted(ids[0].tolist()) == [-1] * 6 + [0, 1, 2, 3]


def test_answers_come_best_first_with_types_as_documented(make: Callable[[F32], Index]) -> None:
    index = make(clustered(300 // SHRINK, 16))
    ids, cosines = index.search_batch(clustered(7, 16, seed=3), 10)
    assert (ids.dtype, cosines.dtype) == (np.int64, np.float32)
    assert (np.diff(cosines, axis=1) <= 0).all()
    (node, cosine), *_ = index.search(clustered(1, 16, seed=3)[0], 1)
    assert (type(node), type(cosine)) == (int, float)


@pytest.mark.parametrize("share", [1.0, 0.9, 0.5, 0.1, 0.02])
def test_filters_never_under_fill(make: Callable[[F32], Index], share: float) -> None:
    rows, queries = clustered(1_500 // SHRINK, 16), clustered(30 // SHRINK, 16, seed=4)
    index = make(rows)
    allowed = np.random.default_rng(5).random(len(rows)) < share
    allowed[:10] = True
    ids, cosines = index.search_batch(queries, 10, allowed=allowed)
    assert (ids >= 0).all()
    assert allowed[ids].all()
    exact = -np.sort(-(queries @ rows[allowed].T), axis=1)[:, :10]
    assert np.mean(cosines >= exact[:, -1:] - 1e-5) >= 0.95


def test_a_filter_of_one_row_and_of_none(make: Callable[[F32], Index]) -> None:
    rows = clustered(500 // SHRINK, 16)
    index = make(rows)
    allowed = np.zeros(len(rows), np.bool_)
    assert index.search(rows[0], 5, allowed=allowed) == []
    allowed[33] = True
    assert [node for node, _ in index.search(rows[0], 5, allowed=allowed)] == [33]


def test_deleted_rows_never_come_back_until_restored(make: Callable[[F32], Index]) -> None:
    rows = clustered(600 // SHRINK, 16)
    index = make(rows)
    gone = np.arange(0, len(rows), 2)
    index.mark_deleted(gone)
    ids, _ = index.search_batch(rows[: 50 // SHRINK], 10)
    assert (ids % 2 == 1).all()
    assert all(node % 2 for node, _ in index.search(rows[0], 10))
    allowed = np.zeros(len(rows), np.bool_)
    allowed[:10] = True
    assert sorted(node for node, _ in index.search(rows[0], 10, allowed=allowed)) == [1, 3, 5, 7, 9]
    index.restore(gone[:1])
    assert index.search(rows[0], 1)[0][0] == 0


def test_all_rows_deleted(make: Callable[[F32], Index]) -> None:
    rows = clustered(50, 8)
    index = make(rows)
    index.mark_deleted(np.arange(50))
    assert index.search(rows[0], 5) == []


@pytest.mark.parametrize("k", [0, -1])
def test_k_must_be_positive(make: Callable[[F32], Index], k: int) -> None:
    with pytest.raises(QueryError, match=f"k is {k}"):
        make(clustered(10, 8)).search(clustered(1, 8)[0], k)


@pytest.mark.parametrize("query", [np.full(8, np.nan), np.full(8, np.inf), np.ones(9), np.ones((2, 8))])
def test_queries_that_cannot_be_answered_are_refused(make: Callable[[F32], Index], query: F32) -> None:
    with pytest.raises(VectorError):
        make(clustered(10, 8)).search(query.astype(np.float32), 3)


def test_a_query_without_a_direction_is_refused(make: Callable[[F32], Index]) -> None:
    index = make(clustered(10, 8))
    queries = clustered(3, 8)
    queries[1] = 0
    with pytest.raises(VectorError, match="needs a direction"):
        index.search(queries[1], 3)
    with pytest.raises(VectorError, match="needs a direction"):
        index.search_batch(queries, 3)


def test_of_equals_the_first_rows_are_given(make: Callable[[F32], Index]) -> None:
    rows = np.repeat(clustered(2, 16), [60, 5], axis=0)
    ids, _ = make(rows).search_batch(rows[:1], 10, ef=100)
    assert ids[0].tolist() == list(range(10))


@pytest.mark.parametrize(("k", "ef"), [(2.0, 50), (2, 50.5), (2, float("nan")), ("2", 50)])
def test_counts_are_whole_numbers(make: Callable[[F32], Index], k: Any, ef: Any) -> None:
    index = make(clustered(20, 8))
    query = clustered(1, 8, seed=1)[0]
    with pytest.raises(QueryError, match="must be whole numbers"):
        index.search(query, k, ef)
    with pytest.raises(QueryError, match="must be whole numbers"):
        index.search_batch(query[np.newaxis], k, ef)
    assert index.search(query, np.int32(2), np.uint8(50)) == index.search(query, 2, 50)


def test_ef_must_be_positive(make: Callable[[F32], Index]) -> None:
    index = make(clustered(10, 8))
    with pytest.raises(QueryError, match="ef is 0"):
        index.search(clustered(1, 8)[0], 3, ef=0)


@pytest.mark.parametrize("allowed", [np.ones(9, np.bool_), np.ones((10, 1), np.bool_), np.ones(10, np.uint8)])
def test_a_filter_that_does_not_fit_is_refused(make: Callable[[F32], Index], allowed: BoolMask) -> None:
    index = make(clustered(10, 8))
    with pytest.raises(VectorError, match=r"bool \[10\]"):
        index.search(clustered(1, 8)[0], 3, allowed=allowed)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([10], "no node 10"),
        ([3, -1], "no node -1"),
        (np.ones(10, np.bool_), "flatnonzero"),
        ([True] * 10, "flatnonzero"),
        ([1.0], "integers"),
        ([[1]], "integers"),
    ],
)
def test_ids_that_are_not_there_are_refused(make: Callable[[F32], Index], ids: Any, message: str) -> None:
    index = make(clustered(10, 8))
    for change in (index.mark_deleted, index.restore):
        with pytest.raises(VectorError, match=message):
            change(ids)
    assert len(index.search(clustered(1, 8)[0], 10)) == 10
    index.mark_deleted([])
    index.restore([])


def test_far_more_answers_than_rows_cost_nothing(make: Callable[[F32], Index]) -> None:
    rows = clustered(40, 8)
    index = make(rows)
    assert sorted(node for node, _ in index.search(rows[0], 10**9, ef=10**9)) == list(range(40))
    allowed = np.arange(40) < 30
    assert len(index.search(rows[0], 10**9, ef=10**9, allowed=allowed)) == 30
    index.mark_deleted([0])
    assert len(index.search(rows[0], 10**9)) == 39
    assert index.search_batch(rows, 2, ef=10**9)[0].shape == (40, 2)


def test_queries_may_be_read_only_strided_and_of_more_digits(make: Callable[[F32], Index]) -> None:
    rows = clustered(50, 8)
    index = make(rows)
    expected = index.search(rows[7], 5)
    fixed = rows[7].copy()
    fixed.flags.writeable = False
    strided = np.repeat(rows[7], 2)[::2]
    for query in (fixed, strided, rows[7].astype(np.float64)):
        assert index.search(query, 5) == expected
