"""Recall against speed of several indexes over the same vectors, measured in turns."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.engine.figures import Figure, Row, rate, seconds, times_as_fast
from semantic_media_search.benchmark.engine.memory import MB, own_memory
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.session import Say
from semantic_media_search.benchmark.engine.timing import seconds_of, turns
from semantic_media_search.benchmark.index.contestants import REFERENCE, Builder, Contestant, K, Searcher
from semantic_media_search.benchmark.index.vectors import Vectors
from semantic_media_search.records import F32, I64
from semantic_media_search.search.brute_force import BruteForceIndex
from semantic_media_search.search.recall import recall_by_distance

RECALLS = (0.95, 0.99)
MODES = ("one a call", "batch")
_WARM_UP_ROWS = 500
_MEMORY_NOTE = (
    "Memory is what the process grew by while it was built; where the index holds no copy of the vectors, they are "
    "added. Beside it: on disk, without the vectors where they are in the file."
)


@dataclass(frozen=True, slots=True)
class Built:
    """An index with what building it took: seconds of each round, and bytes (None where nobody says)."""

    contestant: Contestant
    build_seconds: list[float]
    memory: int | None
    disk: int | None


@dataclass(slots=True)
class Point:
    """One effort of one index: recall@10, and the seconds that all queries took in each round, by mode."""

    effort: float
    recall: float
    times: dict[str, list[float]] = field(default_factory=lambda: {mode: [] for mode in MODES})


def exact_top(vectors: Vectors) -> F32:
    """Cosines of the exact K nearest rows of each query, or of all where there are fewer: float32 [Q, min(K, N)]."""
    return BruteForceIndex(vectors.rows).search_batch(vectors.queries, min(K, len(vectors.rows)))[1]


def recall_of(vectors: Vectors, ids: I64, exact: F32) -> float:
    """Recall of answers int64 [Q, K] (-1 where none), judged by the true cosines of their ids, against `exact_top`.

    Ties count, an id that comes twice does not.
    """
    cosines = np.einsum("qkd,qd->qk", vectors.rows[ids], vectors.queries)
    order = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, axis=1)
    again = np.zeros_like(ids, dtype=np.bool_)
    np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    cosines[again | (ids < 0)] = -np.inf
    return recall_by_distance(-np.sort(-cosines, axis=1)[:, : exact.shape[1]], exact)


def build_in_turns(makers: Mapping[str, Builder], rows: F32, rounds: int, say: Say) -> dict[str, Built]:
    """Build each `rounds` times, turn and turn about, after a small one that compiles; the last ones are kept.

    Each is said when it is built: at 100,000 rows and beside all the peers this takes a quarter of an hour a round.
    """
    for builder in makers.values():
        builder(rows[:_WARM_UP_ROWS]).at(10.0).batch(rows[:2])
    contestants: dict[str, Contestant] = {}
    times: dict[str, list[float]] = {name: [] for name in makers}
    memory: dict[str, int | None] = {}
    for number in range(rounds):
        for name in turns(makers, number):
            builder = makers[name]
            contestants.pop(name, None)
            before = None if name in memory else own_memory()
            began = time.perf_counter()
            contestants[name] = builder(rows)
            times[name].append(time.perf_counter() - began)
            say(f"   built: {name}, {times[name][-1]:.1f} s")
            after = None if before is None else own_memory()
            memory.setdefault(name, None if before is None or after is None else after - before)
    return {
        name: Built(contestants[name], times[name], memory.get(name), _disk(contestants[name]))
        for name in makers
        if name in contestants
    }


@dataclass(frozen=True, slots=True)
class Line:
    """One curve to be measured: an index, the vectors and queries, and the exact answers (see `exact_top`)."""

    contestant: Contestant
    vectors: Vectors
    exact: F32

    def point(self, effort: float) -> Point:
        """The recall at one effort; times are still to come."""
        ids = self.contestant.at(effort).batch(self.vectors.queries)
        return Point(effort, recall_of(self.vectors, ids, self.exact))


def curves(lines: Mapping[str, Line], rounds: int) -> dict[str, list[Point]]:
    """Each line's points. In each round all have their turn at their first effort, then at the next.

    The line that goes first changes from round to round.
    """
    found = {name: [line.point(effort) for effort in line.contestant.efforts] for name, line in lines.items()}
    for number in range(rounds):
        for step in range(max(len(points) for points in found.values())):
            for name in turns(found, number):
                points = found[name]
                if step < len(points):
                    searcher = lines[name].contestant.at(points[step].effort)
                    _time(points[step], searcher, lines[name].vectors.queries)
    return found


def _time(point: Point, searcher: Searcher, queries: F32) -> None:
    def one_by_one() -> None:
        for query in queries:
            searcher.single(query)

    point.times["one a call"].append(seconds_of(one_by_one))
    point.times["batch"].append(seconds_of(lambda: searcher.batch(queries)))


def seconds_at(points: Sequence[Point], recall: float, mode: str) -> list[float] | None:
    """Seconds for all queries at a recall, in each round: read off between the points on either side.

    None where the curve does not reach it. Where the lowest effort does better already, that counts.
    """
    reached = np.maximum.accumulate([point.recall for point in points])
    if reached[-1] < recall:
        return None
    times = np.log([point.times[mode] for point in points])
    return [float(np.exp(np.interp(recall, reached, column))) for column in times.T]


def build_section(built: Mapping[str, Built], vectors: Vectors) -> Section:
    """Build time, memory and disk of each."""
    reference = REFERENCE if REFERENCE in built else None
    rows: list[Row] = []
    for name, one in built.items():
        held = (
            None
            if one.memory is None
            else one.memory + (0 if one.contestant.holds_rows else vectors.rows.nbytes)
        )
        rows.append(
            {
                "index": name,
                "build": seconds(one.build_seconds),
                "build against hnswlib": times_as_fast(one.build_seconds, built[reference].build_seconds)
                if reference
                else None,
                "memory with vectors": None if held is None else Figure((held / MB,), "MB"),
                "on disk, MB": None if one.disk is None else round(one.disk / MB, 1),
                "bytes a vector beside it": _beside(one, vectors),
            }
        )
    return Section(
        "build",
        f"Building: {vectors.text}; one thread, M = 16, efConstruction = 200",
        ("index",),
        rows,
        [_MEMORY_NOTE],
        [
            Chart("Build time", "index", "build"),
            Chart("Memory with the vectors", "index", "memory with vectors"),
        ],
    )


def curve_sections(found: Mapping[str, list[Point]], vectors: Vectors) -> list[Section]:
    """The points, and what they come to at fixed recalls beside the reference."""
    queries = len(vectors.queries)
    points: list[Row] = [
        {
            "index": name,
            "effort": point.effort,
            "recall@10": round(point.recall, 4),
            **{mode: rate(queries, point.times[mode]) for mode in MODES},
        }
        for name, line in found.items()
        for point in line
    ]
    reference = REFERENCE if REFERENCE in found else None
    at_recall: list[Row] = []
    for recall in RECALLS:
        for mode in MODES:
            base = seconds_at(found[reference], recall, mode) if reference else None
            for name, line in found.items():
                took = seconds_at(line, recall, mode)
                at_recall.append(
                    {
                        "recall@10": str(recall),
                        "queries": mode,
                        "index": name,
                        "speed": None if took is None else rate(queries, took),
                        "against hnswlib": None
                        if took is None or base is None
                        else times_as_fast(took, base),
                    }
                )
    return [
        Section(
            "curves",
            f"Recall and queries a second, one thread: {vectors.text}",
            ("index", "effort"),
            points,
            [
                "The effort is ef (pynndescent: epsilon). Recall is by distance against exact search: ties count."
            ],
            [
                Chart(
                    "Queries a second by recall, one a call",
                    "recall@10",
                    "one a call",
                    "index",
                    log_y=True,
                    near_1=True,
                ),
                Chart(
                    "Queries a second by recall, in batches",
                    "recall@10",
                    "batch",
                    "index",
                    log_y=True,
                    near_1=True,
                ),
            ],
        ),
        Section(
            "at-recall",
            "Queries a second at the same recall, read off the curves in each round",
            ("recall@10", "queries", "index"),
            at_recall,
        ),
    ]


def reached(points: Sequence[Point], recall: float, mode: str, queries: int) -> Figure | None:
    """Queries a second at a recall; None where the curve does not reach it."""
    took = seconds_at(points, recall, mode)
    return None if took is None else rate(queries, took)


def _beside(built: Built, vectors: Vectors) -> float | None:
    if built.disk is None:
        return None
    own = built.disk - (vectors.rows.nbytes if built.contestant.holds_rows else 0)
    return round(own / len(vectors.rows), 1)


def _disk(contestant: Contestant) -> int | None:
    if contestant.save is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        contestant.save(path)
        return path.stat().st_size
