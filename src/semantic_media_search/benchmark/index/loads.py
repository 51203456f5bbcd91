"""The loads that an index has to bear beside plain search: filters, threads while building, growth."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.engine.figures import Figure, Row, power, seconds, times_as_fast
from semantic_media_search.benchmark.engine.memory import MB, allocated
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.timing import in_turns, seconds_of
from semantic_media_search.benchmark.index.contestants import EF_CONSTRUCTION, K, M, searching
from semantic_media_search.benchmark.index.curves import Line, curves, exact_top, reached, recall_of
from semantic_media_search.benchmark.index.synthetic import extended
from semantic_media_search.benchmark.index.vectors import Vectors
from semantic_media_search.index.hnsw import DEFAULT_EF, HNSWIndex
from semantic_media_search.records import F32, BoolMask
from semantic_media_search.search.brute_force import BruteForceIndex
from semantic_media_search.search.recall import recall_by_distance

_SHARES = (1.0, 0.9, 0.7, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001)
_FEW_ROWS = (10, 1)
_TIMED_QUERIES = 30
_TURN_SECONDS = 0.02
_EXACT_NOTE = (
    "Exact search is numpy's over the allowed rows, with all the threads that its BLAS takes: once picking the rows by "
    "the same mask, once with the rows gathered before the clock started."
)


def filter_section(index: HNSWIndex, vectors: Vectors, rounds: int) -> Section:
    """Searches limited to some of the rows, against exact search over just those, one query a call.

    `random` allows rows by lot; `elsewhere` those least like the queries, where a walk meets few of them.
    """
    rows: list[Row] = []
    for kind, order in _orders(vectors).items():
        counts = {*(round(share * len(vectors.rows)) for share in _SHARES), *_FEW_ROWS} - {0}
        for count in sorted(counts, reverse=True):
            if kind != "random" and count == len(vectors.rows):
                continue  # all rows are all rows
            allowed = np.zeros(len(vectors.rows), np.bool_)
            allowed[order[:count]] = True
            rows.append(_filtered(index, vectors, allowed, kind, rounds))
    return Section(
        "filters",
        f"Filtered searches at ef {DEFAULT_EF}: {vectors.text}",
        ("which", "allowed"),
        rows,
        [_EXACT_NOTE, slower_note(rows)],
        [Chart("Time of a filtered search", "allowed", "time", "which", log_x=True, log_y=True)],
    )


def slower_note(rows: Sequence[Row]) -> str:
    """For which filters exact search over the allowed rows is faster, where those lie gathered already."""
    slower = [
        f"{row['allowed']:,} ({row['which']}, {ratio.value:.2f}x)"
        for row in rows
        if isinstance(ratio := row["against exact, gathered"], Figure) and ratio.value < 1
    ]
    if not slower:
        return "Never slower than exact search, rows gathered before or not."
    return (
        f"Slower than exact search over rows gathered before, at so many rows allowed: {', '.join(slower)}."
    )


def _orders(vectors: Vectors) -> dict[str, np.ndarray]:
    centre = vectors.queries.mean(axis=0)
    return {
        "random": np.random.default_rng(2).permutation(len(vectors.rows)),
        "elsewhere": np.argsort(vectors.rows @ centre),
    }


def _filtered(index: HNSWIndex, vectors: Vectors, allowed: BoolMask, kind: str, rounds: int) -> Row:
    gathered, masked = BruteForceIndex(vectors.rows[allowed]), BruteForceIndex(vectors.rows)
    count = int(np.count_nonzero(allowed))
    k = min(K, count)
    exact = gathered.search_batch(vectors.queries, k)[1]
    ids, cosines = index.search_batch(vectors.queries, k, DEFAULT_EF, 1, allowed)
    timed = vectors.queries[:_TIMED_QUERIES]

    def each(search: Callable[[F32], object]) -> None:
        for query in timed:
            search(query)

    times = in_turns(
        {
            "index": lambda: each(lambda query: index.search(query, k, DEFAULT_EF, allowed)),
            "masked": lambda: each(lambda query: masked.search(query, k, allowed=allowed)),
            "gathered": lambda: each(lambda query: gathered.search(query, k)),
        },
        rounds,
        at_least=_TURN_SECONDS,
    )
    return {
        "which": kind,
        "allowed": count,
        "recall@10": round(recall_by_distance(cosines, exact), 4),
        "fewest results": int((ids >= 0).sum(axis=1).min()),
        "time": Figure(tuple(1000 * second / len(timed) for second in times["index"]), "ms"),
        "against exact": times_as_fast(times["index"], times["masked"]),
        "against exact, gathered": times_as_fast(times["index"], times["gathered"]),
    }


def thread_section(vectors: Vectors, rounds: int, threads: int = 2) -> Section:
    """Building with several threads against one; the files that both give are compared byte by byte."""
    files: dict[int, set[str]] = {1: set(), threads: set()}

    def build(count: int) -> None:
        index = HNSWIndex(vectors.rows.shape[1])
        index.build(vectors.rows, count)
        with tempfile.TemporaryDirectory() as folder:
            index.save(Path(folder) / "index")
            files[count].add(hashlib.sha256((Path(folder) / "index").read_bytes()).hexdigest())

    times = in_turns({str(count): partial(build, count) for count in files}, rounds, warm_up=False)
    rows: list[Row] = [
        {"threads": name, "build": seconds(taken), "against one": times_as_fast(taken, times["1"])}
        for name, taken in times.items()
    ]
    same = len(set.union(*files.values())) == 1
    note = (
        "The same index each time, to the byte." if same else "NOT the same index each time: this is a fault."
    )
    return Section("threads", f"Building with several threads: {vectors.text}", ("threads",), rows, [note])


def growth_section(vectors: Vectors, sizes: Sequence[int], dim: int, threads: int, rounds: int) -> Section:
    """Build time, query time at recall 0.95, size and load time at several sizes, with the fitted exponents."""
    rows: list[Row] = []
    measured: dict[str, list[float]] = {"build": [], "query": []}
    for size in sizes:
        grown = extended(vectors, size, dim)
        index = HNSWIndex(grown.rows.shape[1], M, EF_CONSTRUCTION)
        with allocated() as held:
            built = seconds_of(lambda index=index, grown=grown: index.build(grown.rows, threads))  # type: ignore[misc]
        exact = exact_top(grown)
        (points,) = curves({"this index": Line(searching(index), grown, exact)}, rounds).values()
        speed = reached(points, 0.95, "one a call", len(grown.queries))
        at_default = recall_of(grown, index.search_batch(grown.queries, K, DEFAULT_EF)[0], exact)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "index"
            index.save(path)
            disk = path.stat().st_size
            loads = in_turns(
                {"load": lambda path=path, grown=grown: HNSWIndex.load(path, grown.rows)},  # type: ignore[misc]
                rounds,
            )["load"]
        rows.append(
            {
                "vectors": size,
                "build": seconds([built]),
                "recall@10 at ef 50": round(at_default, 4),
                "speed at 0.95": speed,
                "query at 0.95": None if speed is None else _each_ms(speed),
                "bytes a vector in memory": round((held.bytes or 0) / size),
                "in memory, MB": round((held.bytes or 0) / MB, 3),
                "bytes a vector on disk": round(disk / size, 1),
                "on disk, MB": round(disk / MB, 3),
                "load": seconds(loads),
            }
        )
        measured["build"].append(built)
        if speed is not None:
            measured["query"].append(1 / speed.value)
    notes = [
        f"{threads} threads build, one searches; {grown.rows.shape[1]} dimensions. Bytes are beside the vectors.",
        *(
            f"{name} time grows as N^{power(sizes, taken):.2f}"
            for name, taken in measured.items()
            if len(taken) == len(sizes) > 1
        ),
        *extended.__doc__.splitlines()[:1],  # type: ignore[union-attr]
    ]
    charts = [
        Chart(title, "vectors", column, log_x=True, log_y=True, fit=True)
        for title, column in (
            ("Time to build the index", "build"),
            ("Time of a query at recall 0.95, one a call", "query at 0.95"),
            ("Memory beside the vectors", "in memory, MB"),
            ("Disk beside the vectors", "on disk, MB"),
        )
    ]
    return Section("growth", f"Growth: {vectors.source}, extended", ("vectors",), rows, notes, charts)


def _each_ms(speed: Figure) -> Figure:
    return Figure(tuple(1000 / repeat for repeat in speed.repeats), "ms")
