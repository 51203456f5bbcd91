"""Growing the graph in batches, the same for any number of threads (Malkov & Yashunin 2018, algorithm 1).

The nodes of a batch do not see one another while they find their neighbors; a batch is therefore at most a small
share of the graph as it stands.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from semantic_media_search.index.coded_rows import CodedRows
from semantic_media_search.index.graph import I32, Graph, slot_owners
from semantic_media_search.index.landmarks import landmarks_of
from semantic_media_search.index.link import find_links, reach, take_links
from semantic_media_search.index.nearby import sight_of
from semantic_media_search.index.walk import beam_room
from semantic_media_search.records import F32, I64, U8

_BATCH_SHARE = 32
_BATCH_LIMIT = 1024
_NODES_A_TASK = 32


@dataclass(slots=True)
class _Scratch:
    """What one thread needs to walk; `epoch` is the last mark used in `visited`."""

    visited: U8
    pool: I64
    fresh: I32
    better: I64
    weights: np.ndarray[tuple[int], np.dtype[np.int8]]
    kept_weights: np.ndarray[tuple[int, int], np.dtype[np.int8]]
    sums: I64
    epoch: int = 0


class Builder:
    """Links nodes into `graph`, whose arrays are already large enough; `coded` are the codes of `rows`."""

    def __init__(self, graph: Graph, coded: CodedRows, rows: F32, ef_construction: int, threads: int):
        self._graph, self._codes, self._norms, self._rows = graph, coded.codes, coded.norms, rows
        coordinates = 2 * coded.codes.shape[1]
        self._sight = sight_of(coded.scale, coordinates)
        self._ef = max(ef_construction, 2 * graph.m)
        self._owners = slot_owners(graph)
        width = graph.links.shape[1]
        room = max(self._ef, width + _BATCH_LIMIT)
        self._threads = max(1, threads)
        self._scratch = [
            _Scratch(
                np.zeros(len(graph), np.uint8),
                np.zeros(room, np.int64),
                *beam_room(width),
                np.zeros(coordinates, np.int8),
                np.zeros((width, coordinates), np.int8),
                np.zeros(width, np.int64),
            )
            for _ in range(self._threads)
        ]

    def link(self, start: int, stop: int, linked: Callable[[int], None] | None = None) -> None:
        """Link nodes `start` to `stop`, then see to it that every node can be reached.

        `linked` is told, after each batch, how many nodes that was.
        """
        graph = self._graph
        report = linked or (lambda _: None)
        marked = start
        with ThreadPoolExecutor(self._threads) as pool:
            if graph.entry < 0 and start < stop:
                graph.entry, graph.top = start, int(graph.levels[start])
                self._mark(start + 1)
                start += 1
                report(1)
            while start < stop:
                end = min(stop, start + max(1, min(_BATCH_LIMIT, start // _BATCH_SHARE)))
                self._link_batch(start, end, pool)
                highest = start + int(np.argmax(graph.levels[start:end]))
                if graph.levels[highest] > graph.top:
                    graph.entry, graph.top = highest, int(graph.levels[highest])
                if end >= 2 * marked or graph.levels[graph.landmarks[0]] < min(graph.top, 1):
                    marked = self._mark(end)
                report(end - start)
                start = end
        if len(graph):
            self._mark(len(graph))
            self._mend()

    def _mark(self, count: int) -> int:
        """Choose landmarks among the first `count` nodes; returns that."""
        self._graph.landmarks = landmarks_of(self._graph, self._codes, self._norms, count)
        return count

    def _link_batch(self, start: int, end: int, pool: ThreadPoolExecutor) -> None:
        graph = self._graph

        def find(scratch: _Scratch, first: int, last: int) -> None:
            scratch.epoch = find_links(
                self._codes, self._norms, self._rows, self._sight, graph.links, graph.upper, graph.offsets,
                graph.levels, graph.landmarks, graph.entry, graph.top, first, last, self._ef, scratch.weights,
                scratch.kept_weights, scratch.sums, scratch.pool, scratch.visited, scratch.epoch, scratch.fresh,
                scratch.better,
            )  # fmt: skip

        self._share(pool, start, end, _NODES_A_TASK, find)
        new = np.arange(start, end)
        self._take(pool, graph.links, np.empty(0, np.int32), graph.links[start:end], new)
        tall = new[graph.levels[new] > 0]
        if len(tall):
            counts = graph.levels[tall].astype(np.int64)
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            slots = np.repeat(graph.offsets[tall], counts) + within
            targets = graph.upper[slots].astype(np.int64)
            at = np.where(targets >= 0, graph.offsets[targets] + within[:, np.newaxis], -1)
            self._take(pool, graph.upper, self._owners, at, np.repeat(tall, counts))

    def _take(self, pool: ThreadPoolExecutor, links: I32, owners: I32, rows: I32 | I64, sources: I64) -> None:
        """Let `links[rows[i, j]]` take in `sources[i]`, for every rows[i, j] >= 0."""
        real = rows >= 0
        target = rows[real].astype(np.int64)
        source = np.broadcast_to(sources[:, np.newaxis], rows.shape)[real].astype(np.int32)
        order = np.argsort(target, kind="stable")
        target, source = target[order], source[order]
        if not len(target):
            return
        firsts = np.flatnonzero(np.concatenate([[True], target[1:] != target[:-1]]))
        bounds = np.concatenate([firsts, [len(target)]])

        def take(scratch: _Scratch, first: int, last: int) -> None:
            take_links(
                self._codes, self._norms, self._rows, self._sight, links, owners, target[firsts], source, bounds,
                first, last, scratch.weights, scratch.kept_weights, scratch.sums, scratch.pool,
            )  # fmt: skip

        self._share(pool, 0, len(firsts), 8 * _NODES_A_TASK, take)

    def _share(
        self,
        pool: ThreadPoolExecutor,
        start: int,
        stop: int,
        size: int,
        work: Callable[[_Scratch, int, int], None],
    ) -> None:
        """Cut the work into tasks and let each thread take the next one as it becomes free."""
        tasks = iter(range(start, stop, size))  # a C iterator: safe to draw from in several threads

        def run(scratch: _Scratch) -> None:
            for first in tasks:
                work(scratch, first, min(first + size, stop))

        if self._threads == 1 or stop - start <= size:
            run(self._scratch[0])
        else:
            list(pool.map(run, self._scratch))

    def _mend(self) -> None:
        """Give every node that no path from the entry leads to a link from one that can be reached.

        Choosing neighbors may leave a node without any link to it, duplicates above all. The lost node is put in
        between a reached one and the last of its neighbors, so that nothing else is lost by it.
        """
        graph = self._graph
        seen = np.zeros(len(graph), np.uint8)
        queue = np.empty(len(graph), np.int64)
        reach(graph.links, graph.entry, seen, queue)
        for node in np.flatnonzero(seen == 0).tolist():
            if not seen[node]:
                row = graph.links[node]
                bridge = next((int(n) for n in row if n >= 0 and seen[n]), graph.entry)
                _put_between(graph.links[bridge], node, row)
                reach(graph.links, node, seen, queue)


def _put_between(bridge: I32, node: int, row: I32) -> None:
    """Link `bridge` (a row of links) to `node` (whose own is `row`), and `node` to what that displaced."""
    free = np.flatnonzero(bridge < 0)
    if len(free):
        bridge[free[0]] = node
        return
    displaced, bridge[-1] = bridge[-1], node
    if displaced not in row:
        free = np.flatnonzero(row < 0)
        row[free[0] if len(free) else -1] = displaced
