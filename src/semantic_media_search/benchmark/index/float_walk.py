"""The same graph walked on float32 vectors: what the index would be without its codes, to measure those against.

The graph comes out of a saved index; the walk is the index's own (`index.walk`), but that each comparison is of
whole vectors. Nothing is ranked again in the end, since nothing was rounded. One query a call is not compared: the
index's own call was tuned, this one was not.
"""

import tempfile
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.engine.figures import Row, rate, times_as_fast
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.index.contestants import EFS, OURS, Contestant, K, Searcher, searching
from semantic_media_search.benchmark.index.curves import RECALLS, Line, curves, exact_top, seconds_at
from semantic_media_search.benchmark.index.vectors import Vectors
from semantic_media_search.index import file_format
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.index.instructions import prefetch_row
from semantic_media_search.index.jit import kernel
from semantic_media_search.index.pool import insert, node_of, pack
from semantic_media_search.index.search import exact_cosine
from semantic_media_search.index.walk import EXPANDED_TOGETHER, expand, link_row
from semantic_media_search.records import F32, I64

_UNITS = 1 << 24
"""Cosines become whole numbers of this many parts, which is finer than float32 sums are exact."""
FLOATS = "float32 on the same graph"


@kernel
def float_cost(rows, node, query):
    """A cosine as an integer cost; lower is better."""
    return -np.int64(exact_cosine(rows, node, query) * _UNITS)


@kernel
def float_descend(rows, upper, offsets, query, node, top):
    """From `node`, go to the nearest neighbor while that helps, on each level from `top` down to 1."""
    best = float_cost(rows, node, query)
    for level in range(top, 0, -1):
        moved = True
        while moved:
            moved = False
            row = link_row(offsets, level, node)
            for i in range(upper.shape[1]):
                neighbor = upper[row, i]
                if neighbor < 0:
                    break
                candidate = float_cost(rows, neighbor, query)
                if candidate < best:
                    best, node, moved = candidate, np.int64(neighbor), True
    return node


@kernel
def float_beam(rows, links, query, entry, pool, ef, visited, epoch, fresh):
    """`walk.beam` over the bottom layer from one entry; returns how many keys `pool`, int64 [>= ef], then holds."""
    visited[entry] = epoch
    pool[0] = pack(float_cost(rows, entry, query), entry)
    size, cursor = 1, 0
    while cursor < size:
        count, expanded = 0, 0
        while cursor < size and expanded < EXPANDED_TOGETHER:
            if not pool[cursor] & 1:
                pool[cursor] |= 1
                count = expand(rows, links, np.int64(node_of(pool[cursor])), visited, epoch, fresh, count)
                expanded += 1
            cursor += 1
        if cursor < size:
            prefetch_row(links, np.int64(node_of(pool[cursor])))
        first = size
        for i in range(count):
            key = pack(float_cost(rows, fresh[i], query), fresh[i])
            if size == ef and key >= pool[size - 1]:
                continue
            place = insert(pool, size, ef, key)
            size = min(size + 1, ef)
            first = min(first, place)
            if place < cursor + EXPANDED_TOGETHER:
                prefetch_row(links, np.int64(fresh[i]))
        cursor = min(cursor, first)
    return size


@kernel
def float_search_many(rows, links, upper, offsets, entry, top, queries, ef, pool, visited, fresh, out):
    """The best rows of each query, float32 [Q, D], into `out`, int64 [Q, K]; `visited` is uint8 [N], all zero."""
    epoch = 0
    for i in range(queries.shape[0]):
        if epoch == 255:
            visited[:] = 0
            epoch = 0
        epoch += 1
        start = float_descend(rows, upper, offsets, queries[i], entry, top)
        size = float_beam(rows, links, queries[i], start, pool, ef, visited, np.uint8(epoch), fresh)
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
    fresh = np.empty(EXPANDED_TOGETHER * links.shape[1], np.int32)
    pool = np.empty(max(EFS), np.int64)

    def search(queries: F32, ef: int) -> I64:
        out = np.full((len(queries), K), -1, np.int64)
        float_search_many(
            rows, links, upper, offsets, header.entry, header.top, queries, ef, pool, visited, fresh, out
        )
        return out

    def at(effort: float) -> Searcher:
        ef = int(effort)
        return Searcher(lambda query: search(query[np.newaxis], ef), lambda queries: search(queries, ef))

    return Contestant(EFS, at, holds_rows=True, save=None)


def traversal_section(index: HNSWIndex, vectors: Vectors, rounds: int) -> Section:
    """The index as it is, on 8-bit codes with re-ranking, and its graph walked on float32, in the same turns."""
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
    title = f"Walking on 8-bit codes and on float32, batches, one thread: {vectors.text}"
    chart = Chart(
        "Recall and speed by what is walked on", "recall@10", "batch", "walk", log_y=True, near_1=True
    )
    return Section("codes", title, ("walk", "ef"), rows, charts=[chart])
