"""Recall against speed of the index and of hnswlib, on the same vectors in one run, one thread."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from semantic_media_search.errors import ConfigError
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.records import F32
from semantic_media_search.search.brute_force import BruteForceIndex
from semantic_media_search.search.recall import recall_by_distance

K = 10
EFS = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320)
_REPEATS = 3
_WARM_UP_ROWS = 500


@dataclass(frozen=True, slots=True)
class Point:
    """One setting: recall@10 by distance, and queries a second one by one and all in one call."""

    ef: int
    recall: float
    single: float
    batch: float


@dataclass(frozen=True, slots=True)
class Contestant:
    """One index over the vectors: how it is searched, and how long it took to build, in seconds."""

    name: str
    build_seconds: float
    search: Callable[[F32, int], object]
    search_batch: Callable[[F32, int], F32]


def ours(rows: F32) -> Contestant:
    """HNSWIndex with its defaults, one thread; compiled before the clock starts."""
    warm = HNSWIndex(rows.shape[1])
    warm.build(rows[:_WARM_UP_ROWS])
    warm.search(rows[0], 1)
    index = HNSWIndex(rows.shape[1])
    began = time.perf_counter()
    index.build(rows)
    seconds = time.perf_counter() - began
    return Contestant(
        "this index",
        seconds,
        lambda query, ef: index.search(query, K, ef),
        lambda queries, ef: index.search_batch(queries, K, ef)[1],
    )


def hnswlib_peer(rows: F32) -> Contestant:
    """Hnswlib with the same M and efConstruction, one thread. Raises ConfigError where it is not installed."""
    try:
        import hnswlib
    except ImportError as error:
        raise ConfigError("hnswlib is not installed; `pip install hnswlib` and run this again") from error
    index = hnswlib.Index("ip", rows.shape[1])
    began = time.perf_counter()
    index.init_index(len(rows), M=16, ef_construction=200)
    index.add_items(rows, num_threads=1)
    seconds = time.perf_counter() - began

    def search(queries: F32, ef: int) -> F32:
        index.set_ef(ef)
        distances: F32 = index.knn_query(queries, K, num_threads=1)[1]
        return 1 - distances

    return Contestant("hnswlib", seconds, search, search)


def curves(contestants: Sequence[Contestant], rows: F32, queries: F32) -> dict[str, list[Point]]:
    """Each contestant's points, measured in turns: all contestants at one ef, then at the next."""
    _, exact = BruteForceIndex(rows).search_batch(queries, K)
    found: dict[str, list[Point]] = {contestant.name: [] for contestant in contestants}
    for ef in EFS:
        for contestant in contestants:
            recall = recall_by_distance(contestant.search_batch(queries, ef), exact)
            single = batch = np.inf
            for _ in range(_REPEATS):
                began = time.perf_counter()
                for query in queries:
                    contestant.search(query, ef)
                halfway = time.perf_counter()
                contestant.search_batch(queries, ef)
                single = min(single, halfway - began)
                batch = min(batch, time.perf_counter() - halfway)
            found[contestant.name].append(Point(ef, recall, len(queries) / single, len(queries) / batch))
    return found


def speed_at(points: Sequence[Point], recall: float, *, batch: bool) -> float | None:
    """Queries a second at a recall, between the points on either side; None where the curve does not reach it."""
    reached = [point.recall for point in points]
    if not reached[0] <= recall <= reached[-1]:
        return None
    speeds = [point.batch if batch else point.single for point in points]
    return float(np.exp(np.interp(recall, reached, np.log(speeds))))
