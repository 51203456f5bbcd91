"""The same graph walked on float32 vectors: what the index would be without its codes, to measure those against.

The graph comes out of a saved index; the walk is the index's own code (`index.walk`), compiled with comparisons of
whole vectors in place of codes. Nothing is ranked again in the end, since nothing was rounded. One query a call is
not compared: the index's own call was tuned, this one was not.
"""

import tempfile
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from semantic_media_search.benchmark.engine.figures import Row, rate, times_as_fast
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.index.contestants import EFS, OURS, Contestant, K, Searcher, searching
from semantic_media_search.benchmark.index.curves import RECALLS, Line, curves, exact_top, seconds_at
from semantic_media_search.benchmark.index.vectors import Vectors
from semantic_media_search.index import file_format, walk
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.index.inner_product import inner_product
from semantic_media_search.index.jit import kernel
from semantic_media_search.index.pool import node_of, pack
from semantic_media_search.records import F32, I64

_UNITS = 1 << 24
"""Cosines become whole numbers of this many parts, which is finer than float32 sums are exact."""
FLOATS = "float32 on the same graph"


@kernel
def float_cost(rows, norms, node, query):  # noqa: ARG001 - in place of `walk.cost_by_code`
    """A cosine as an integer cost; lower is better."""
    return -np.int64(inner_product(rows[node], query) * _UNITS)


@kernel
def float_cost_too(rows, norms, node, query, nearby, vectors, vector):  # noqa: ARG001 - in place of `walk.cost`
    """As `float_cost`: there is nothing finer."""
    return float_cost(rows, norms, node, query)


def _on_floats(kernel_of_codes: Any, name: str) -> Any:
    """One of `index.walk`'s kernels, compiled with cosines in place of its own costs."""
    function = getattr(kernel_of_codes, "py_func", kernel_of_codes)
    same = FunctionType(
        function.__code__, vars(walk) | {"cost": float_cost_too, "cost_by_code": float_cost}, name
    )
    same.__qualname__ = name  # by which the compiler keeps what it made
    return kernel(same)


float_descend = _on_floats(walk.descend, "float_descend")
float_beam = _on_floats(walk.beam, "float_beam")


@kernel
def float_search_many(
    rows, links, upper, offsets, entry, top, queries, ef, pool, visited, fresh, better, out
):
    """The best rows of each query, float32 [Q, D], into `out`, int64 [Q, K]; `visited` is uint8 [N], all zero."""
    epoch = 0
    for i in range(queries.shape[0]):
        epoch = walk.next_epoch(visited, epoch)
        node = float_descend(rows, None, upper, offsets, queries[i], entry, top, 0)
        visited[node] = np.uint8(epoch)
        pool[0] = pack(float_cost(rows, None, node, queries[i]), node)
        size = float_beam(
            rows, None, links, offsets, 0, queries[i], None, rows, queries[i], pool, 1, ef, visited,
            np.uint8(epoch), fresh, better,
        )  # fmt: skip
        for j in range(min(size, out.shape[1])):
            out[i, j] = node_of(pool[j])
    visited[:] = 0


def float_contestant(index: HNSWIndex) -> Contestant:
    """An index's own graph, walked on its float32 rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index.save(path)
        header, sections = file_format.read(path)
        links, upper, offsets = (np.array(sections[name].array) for name in ("links", "upper", "offsets"))
    rows = np.ascontiguousarray(index.embeddings)
    visited = np.zeros(len(rows), np.uint8)
    fresh, better = walk.beam_room(links.shape[1])
    pool = np.empty(max(EFS), np.int64)

    def search(queries: F32, ef: int) -> I64:
        out = np.full((len(queries), K), -1, np.int64)
        float_search_many(
            rows, links, upper, offsets, header.entry, header.top, queries, ef, pool, visited, fresh, better,
            out,
        )  # fmt: skip
        return out

    def at(effort: float) -> Searcher:
        ef = int(effort)
        return Searcher(lambda query: search(query[np.newaxis], ef), lambda queries: search(queries, ef))

    return Contestant(EFS, at, holds_rows=True, save=None)


def traversal_section(index: HNSWIndex, vectors: Vectors, rounds: int) -> Section:
    """The index as it is, on 4-bit codes with re-ranking, and its graph walked on float32, in the same turns."""
    exact = exact_top(vectors)
    lines = {
        OURS: Line(searching(index), vectors, exact),
        FLOATS: Line(float_contestant(index), vectors, exact),
    }
    found = curves(lines, rounds)
    rows: list[Row] = [
        {
            "walk": name,
            "ef": str(int(point.effort)),
            "recall@10": round(point.recall, 4),
            "batch": rate(len(vectors.queries), point.times["batch"]),
        }
        for name, points in found.items()
        for point in points
    ]
    for recall in RECALLS:
        codes, floats = (seconds_at(found[name], recall, "batch") for name in (OURS, FLOATS))
        if codes is not None and floats is not None:
            rows.append(
                {
                    "walk": OURS,
                    "ef": f"at {recall}",
                    "recall@10": recall,
                    "batch": rate(len(vectors.queries), codes),
                    "against float32": times_as_fast(codes, floats),
                }
            )
    title = f"Walking on 4-bit codes and on float32, batches, one thread: {vectors.text}"
    chart = Chart(
        "Recall and speed by what is walked on", "recall@10", "batch", "walk", log_y=True, near_1=True
    )
    return Section("codes", title, ("walk", "ef"), rows, charts=[chart])
