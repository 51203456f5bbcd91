"""Filters and deletions that allow so many rows that the graph is walked, where what is not allowed is met as well."""

import numpy as np
import pytest

from semantic_media_search.index import hnsw
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.records import F32, BoolMask
from semantic_media_search.search.brute_force import BruteForceIndex
from semantic_media_search.search.recall import recall_by_distance
from vectors import clustered, like_clip

COUNT, QUERIES, K = 4_000, 60, 10


_DRAWN = clustered(COUNT + QUERIES, 32)
QUERY_ROWS = _DRAWN[COUNT:]


@pytest.fixture(scope="module")
def index() -> HNSWIndex:
    built = HNSWIndex(32, m=8, ef_construction=60)
    built.build(_DRAWN[:COUNT])
    return built


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ef of every walk that is made, and -1 for every scan."""
    made: list[int] = []
    walk, scan = HNSWIndex._walk, HNSWIndex._scan

    def count_walk(self: HNSWIndex, queries: F32, k: int, ef: int, *rest: object) -> int:
        made.append(ef)
        return walk(self, queries, k, ef, *rest)  # type: ignore[arg-type]

    def count_scan(*given: object) -> None:
        made.append(-1)
        scan(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(HNSWIndex, "_walk", count_walk)
    monkeypatch.setattr(HNSWIndex, "_scan", count_scan)
    return made


def _recall(index: HNSWIndex, queries: F32, ef: int, allowed: BoolMask, dead: list[int]) -> float:
    """Share of the exact answers found; all answers are allowed, alive, told once and in order."""
    exact = BruteForceIndex(np.asarray(index.embeddings))
    exact.mark_deleted(dead)
    _, best = exact.search_batch(queries, K, allowed=allowed)
    ids, cosines = index.search_batch(queries, K, ef, allowed=allowed)
    assert (ids >= 0).all()
    assert allowed[ids].all()
    assert not np.isin(ids, dead).any()
    assert all(len(set(row)) == K for row in ids.tolist())
    assert (np.diff(cosines, axis=1) <= 0).all()
    return recall_by_distance(cosines, best)


def test_rows_that_are_walked_through_are_no_answers(index: HNSWIndex, walks: list[int]) -> None:
    nearest, _ = index.search_batch(QUERY_ROWS, 3, 100)
    walks.clear()
    dead = np.unique(nearest[:, :2]).tolist()  # the very rows that a walk meets
    allowed = np.ones(COUNT, np.bool_)
    allowed[nearest[:, 2]] = False
    index.mark_deleted(dead)
    try:
        assert _recall(index, QUERY_ROWS, 80, allowed, dead) >= 0.95
    finally:
        index.restore(dead)
    forbidden = np.union1d(dead, np.flatnonzero(~allowed))
    assert walks == [-(-80 * COUNT // (COUNT - len(forbidden)))]


def test_a_walk_is_as_much_wider_as_fewer_rows_are_allowed(index: HNSWIndex, walks: list[int]) -> None:
    allowed = np.random.default_rng(0).random(COUNT) < 0.93
    assert _recall(index, QUERY_ROWS, 80, allowed, []) >= 0.95
    assert walks == [-(-80 * COUNT // int(allowed.sum()))]


@pytest.mark.parametrize("spared", [0, 7])
@pytest.mark.parametrize("share", [0.95, 0.8, 0.6])
def test_rows_least_like_the_queries(index: HNSWIndex, walks: list[int], share: float, spared: int) -> None:
    """The nearest rows are forbidden, or all but every seventh: a walk that ends among them is made again, wider."""
    queries = np.repeat(QUERY_ROWS[:1], 8, axis=0)
    allowed = np.zeros(COUNT, np.bool_)
    order = np.argsort(index.embeddings @ queries[0])
    allowed[order[: round(share * COUNT)]] = True
    if spared:
        allowed[order[::-spared]] = True
    assert _recall(index, queries, 10, allowed, []) >= 0.95
    assert walks[0] > 0
    assert len(walks) > 1


def test_words_among_pictures_that_are_hardly_like_them() -> None:
    rows, words = like_clip(COUNT), like_clip(QUERIES, seed=1, text=True)
    index = HNSWIndex(64, m=8, ef_construction=60)
    index.build(rows)
    everything = np.ones(COUNT, np.bool_)
    plain = _recall(index, words, 80, everything, [])
    allowed = np.zeros(COUNT, np.bool_)
    allowed[np.argsort(rows @ words.mean(axis=0))[: round(0.97 * COUNT)]] = True
    assert COUNT**2 * 0.97**2 > hnsw._SCAN_SHARE * 80 * COUNT, "else they are all compared"
    assert _recall(index, words, 80, allowed, []) >= min(plain, 0.95)


def test_a_scan_does_not_depend_on_what_was_searched_before() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(1, 64)) + np.where(np.arange(3_000) % 6, 0.01, 1)[
        :, np.newaxis
    ] * random.normal(size=(3_000, 64))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    index = HNSWIndex(64, m=8, ef_construction=40)
    index.build(rows)
    allowed = np.arange(len(rows)) % 2 == 0
    before = [index.search(row, K, 10, allowed) for row in rows[:20]]
    index.search(rows[0], K, ef=len(rows))  # leaves more scratch memory behind
    assert [index.search(row, K, 10, allowed) for row in rows[:20]] == before


@pytest.mark.parametrize("built", [2_000, 1_500])
def test_a_few_rows_of_many_kinds_among_many_nearly_the_same(built: int) -> None:
    """As of a camera that stands still: what is made for the many must not cut the others short."""
    random = np.random.default_rng(4)
    still = random.normal(size=64) + 0.05 * random.normal(size=(1_500, 64))
    rows = np.concatenate([still, random.normal(size=(500, 64))])
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    index = HNSWIndex(64, m=8, ef_construction=60)
    index.build(rows[:built])
    index.add(rows)
    queries = rows[1_500:1_560] + 0.05 * random.normal(size=(60, 64)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    assert _recall(index, queries, 100, np.arange(2_000) >= 1_500, []) >= 0.95


def test_a_mask_whose_bytes_are_not_0_and_1(index: HNSWIndex) -> None:
    """A view of another array may be one; numpy takes every byte but 0 for true."""
    flags = np.zeros(COUNT, np.uint8)
    flags[::100] = 255
    query = QUERY_ROWS[0]
    odd, clean = (index.search(query, 3, allowed=mask) for mask in (flags.view(np.bool_), flags > 0))
    assert odd == clean
    flags[:3900] = 7
    odd, clean = (index.search(query, 3, allowed=mask) for mask in (flags.view(np.bool_), flags > 0))
    assert odd == clean
