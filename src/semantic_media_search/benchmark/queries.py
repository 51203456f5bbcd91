"""The plan's benchmark: searches on one library, by the graph and exactly, timed and held against each other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from semantic_media_search.benchmark.engine.figures import Figure, Row
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.timing import turns
from semantic_media_search.errors import LibraryNotFoundError, QueryError
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.library import LibraryView
from semantic_media_search.records import F32
from semantic_media_search.search.brute_force import BruteForceIndex
from semantic_media_search.search.recall import recall_by_distance

_NOISE = 0.75
_EXACT = 0
"""Where an ef stands for a search: no graph is searched with it."""

Answer: TypeAlias = list[tuple[int, float]]
Search: TypeAlias = Callable[[F32], Answer]


@dataclass(slots=True)
class QueryBenchmark:
    """What was measured; `to_json` gives the plan's schema with further keys beside the plan's."""

    k: int
    encode_ms: float
    per_query: list[dict[str, Any]] = field(default_factory=list)
    times: dict[int, list[list[float]]] = field(default_factory=dict)
    """For each ef, and 0 for exact search, the milliseconds of every repeat of every query."""

    def section(self) -> Section:
        """As other benchmarks keep what they find, for `report` and `compare`: means over the queries, by repeat."""
        rows: list[Row] = []
        for ef, times in sorted(self.times.items()):
            found = [row["recall"] for row in self.per_query if row["ef_search"] == ef]
            rows.append(
                {
                    "search": f"graph, ef {ef}" if ef else "exact",
                    f"recall@{self.k}": round(float(np.mean(found)), 4) if ef else 1.0,
                    "mean of all queries": Figure(tuple(np.mean(times, axis=0).tolist()), "ms"),
                }
            )
        count = len(self.times[0])
        title = f"Searches on this library, one at a time: {count} {'query' if count == 1 else 'queries'}"
        charts = [Chart("Time of a search", "search", "mean of all queries")]
        return Section("queries", title, ("search",), rows, charts=charts)

    def to_json(self) -> dict[str, Any]:
        """`encode_ms`, `per_query` and `aggregates` as the plan has them."""
        efs = sorted({row["ef_search"] for row in self.per_query})
        return {
            "encode_ms": self.encode_ms,
            "per_query": self.per_query,
            "aggregates": {str(ef): self._aggregate(ef) for ef in efs},
            "k": self.k,
        }

    def _aggregate(self, ef: int) -> dict[str, float]:
        rows = [row for row in self.per_query if row["ef_search"] == ef]
        graph = [row["hnsw_ms"] for row in rows]
        every = [time for times in self.times[ef] for time in times]  # a tail cannot be seen in medians
        return {
            "queries": len(rows),
            "avg_recall": float(np.mean([row["recall"] for row in rows])),
            "avg_hnsw_ms": float(np.mean(graph)),
            "avg_brute_ms": float(np.mean([row["brute_ms"] for row in rows])),
            "avg_speedup": float(np.mean([row["speedup"] for row in rows])),
            "p50_hnsw_ms": float(np.percentile(every, 50)),
            "p95_hnsw_ms": float(np.percentile(every, 95)),
            "p99_hnsw_ms": float(np.percentile(every, 99)),
        }


def require_ef(efs: Sequence[int], k: int) -> None:
    """Raise QueryError for an ef that cannot give k results."""
    for ef in efs:
        if ef < k:
            raise QueryError(
                f"ef_search {ef} is below k {k}: the search keeps only its {ef} best candidates, so it could not "
                f"return {k} results; choose ef_search >= {k}"
            )


def measure_queries(
    view: LibraryView, queries: Sequence[str], efs: Sequence[int], k: int, repeat: int
) -> QueryBenchmark:
    """Search for each text with each ef, `repeat` times, by the graph and exactly.

    All take turns, and an ef given twice counts once. The median of the repeats is a query's time; percentiles are
    over every repeat of every query.

    The graph itself is measured, also where the library is so small that searches would be answered exactly.
    Raises QueryError for an ef below k, LibraryNotFoundError where the library has no graph.
    """
    require_ef(efs, k)
    view.encoder.encode_texts(queries[:1])  # loads the text tower, which is no query's time
    began = time.perf_counter()
    vectors = np.concatenate([view.encoder.encode_texts([query]) for query in queries])
    encode_ms = (time.perf_counter() - began) * 1000 / len(queries)
    return _measure(view, queries, vectors, efs, k, repeat, encode_ms)


def measure_random(
    view: LibraryView, count: int, efs: Sequence[int], k: int, repeat: int = 1, *, seed: int = 0
) -> QueryBenchmark:
    """As `measure_queries`, for `count` seeded random queries: vectors of the library with noise added."""
    require_ef(efs, k)
    random = np.random.default_rng(seed)
    rows = random.integers(0, view.store.rows, count)
    vectors = np.asarray(view.store.vectors[rows], dtype=np.float32)
    noise = random.standard_normal(vectors.shape).astype(np.float32)
    vectors = vectors + _NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [f"random {number}" for number in range(count)]
    return _measure(view, names, vectors, efs, k, repeat, 0.0)


def _measure(
    view: LibraryView,
    names: Sequence[str],
    vectors: F32,
    efs: Sequence[int],
    k: int,
    repeat: int,
    encode_ms: float,
) -> QueryBenchmark:
    if view.generation.index_file is None:
        raise LibraryNotFoundError(
            f"the library in {view.paths.root} has no index yet; run `media-search index`"
        )
    folder = view.paths.generation(view.generation.generation)
    graph = HNSWIndex.load(folder / view.generation.index_file, view.store.vectors)
    exact = BruteForceIndex(view.store.vectors[: len(graph)])
    k = min(k, len(graph))
    searches: dict[int, Search] = {_EXACT: lambda vector: exact.search(vector, k)}
    for ef in efs:
        searches[ef] = lambda vector, ef=ef: graph.search(vector, k, ef)  # type: ignore[misc]
    for search in searches.values():
        search(vectors[0])  # the graph's compiles, or loads what was compiled
    result = QueryBenchmark(k, encode_ms, times={ef: [] for ef in searches})
    for number, (name, vector) in enumerate(zip(names, vectors, strict=True)):
        found, times = _searched(searches, vector, repeat, first_round=number * repeat)
        for ef, taken in times.items():
            result.times[ef].append(taken)
        truth = found.pop(_EXACT)
        best = np.array([[cosine for _, cosine in truth]], dtype=np.float32)
        brute_ms = float(np.median(times[_EXACT]))
        for ef, answer in found.items():
            hnsw_ms = float(np.median(times[ef]))
            cosines = np.full((1, k), -np.inf, dtype=np.float32)
            cosines[0, : len(answer)] = [cosine for _, cosine in answer]
            result.per_query.append(
                {
                    "query": name,
                    "ef_search": ef,
                    "recall": recall_by_distance(cosines, best),
                    "hnsw_ms": hnsw_ms,
                    "brute_ms": brute_ms,
                    "speedup": brute_ms / hnsw_ms,
                    "hnsw_results": [int(view.store.frame_ids[row]) for row, _ in answer],
                    "brute_results": [int(view.store.frame_ids[row]) for row, _ in truth],
                }
            )
    return result


def _searched(
    searches: Mapping[int, Search], vector: F32, repeat: int, first_round: int
) -> tuple[dict[int, Answer], dict[int, list[float]]]:
    """What each search returns, and the milliseconds of each time it is made; all have their turn in each round.

    Whichever comes first for a vector, or after exact search, finds the caches cold: so that this meets all alike,
    rounds are counted on from vector to vector.
    """
    found: dict[int, Answer] = {}
    times: dict[int, list[float]] = {ef: [] for ef in searches}
    for number in range(first_round, first_round + repeat):
        for ef in turns(searches, number):
            began = time.perf_counter()
            found[ef] = searches[ef](vector)
            times[ef].append((time.perf_counter() - began) * 1000)
    return {ef: found[ef] for ef in searches}, times
