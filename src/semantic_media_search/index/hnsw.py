"""Approximate nearest neighbors by cosine: a hierarchical navigable small world (Malkov & Yashunin 2018).

The class checks what it is given and owns the arrays; the work is done by the kernels of `walk`, `search` and
`link`. `docs/index.md` explains how it all goes together.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from semantic_media_search.errors import IndexFormatError, VectorError
from semantic_media_search.index import file_format, storage
from semantic_media_search.index.allowed import Answerable, nodes_of
from semantic_media_search.index.build import Builder
from semantic_media_search.index.checks import (
    check_dimensions,
    check_direction,
    check_pieces,
    check_rows,
    checked_ids,
    checked_mask,
    checked_numbers,
)
from semantic_media_search.index.coded_rows import CodedRows
from semantic_media_search.index.graph import Graph, empty_graph, grown
from semantic_media_search.index.inner_product import inner_product
from semantic_media_search.index.invariants import check_rules
from semantic_media_search.index.jit import read_only
from semantic_media_search.index.rotation import padded, signs_of
from semantic_media_search.index.scratch import Scratch, ScratchPool
from semantic_media_search.index.search import scan_many, search_many
from semantic_media_search.index.threads import share
from semantic_media_search.records import F32, I64, U8, BoolMask

logger = logging.getLogger(__name__)

DEFAULT_EF = 50
_DIM_LIMIT = 16_384
"""Costs of rows of so many dimensions fit the 32 bits that a candidate has for them, many times over."""
_SCAN_SHARE = 40
"""A scan of n allowed rows costs n; a walk that finds as many among N costs about 40 ef N / n of the same."""
_FEW = 60
"""So many rows beside 2 k are compared by their vectors at once: their codes would spare little."""
_SCAN_KEPT = 1000
"""So many rows beside k may be too near to the k-th best for their codes to tell, in a scan."""
_WIDER = 4
"""How much wider a walk is that is made again because it met too few rows that are allowed."""
_NOTHING_BLOCKED: U8 = np.empty(0, np.uint8)
_NOTHING_BLOCKED.flags.writeable = False


class HNSWIndex:
    """An index over rows of `embeddings`, which it references and never copies. Node ids are row numbers.

    Searches may run in several threads at once; changes (build, add, mark_deleted, restore) may not run beside
    anything else.
    """

    def __init__(self, dim: int, m: int = 16, ef_construction: int = 200, seed: int = 0):
        """An empty index for vectors of `dim` dimensions with at most `m` neighbors a layer (2 m at level 0)."""
        if not (
            1 <= dim <= _DIM_LIMIT
            and 2 <= m <= 512
            and 1 <= ef_construction <= 1_000_000
            and 0 <= seed < 2**63
        ):
            raise VectorError(
                f"cannot index with dim={dim}, m={m}, ef_construction={ef_construction}, seed={seed}: "
                f"dim is 1 to {_DIM_LIMIT}, m 2 to 512, ef_construction at least 1, seed not negative"
            )
        self.dim, self.m, self.ef_construction, self.seed = dim, m, ef_construction, seed
        self.fingerprint = ""
        self.embeddings: F32 = np.empty((0, dim), np.float32)
        self._graph: Graph = empty_graph(m)
        self._coded = CodedRows.none(dim)
        self._blocked: U8 = _NOTHING_BLOCKED
        self._deleted = 0
        self._signs = signs_of(padded(dim))
        self._scratch = ScratchPool(0, 2 * m, padded(dim))
        self._file: tuple[Path, dict[str, file_format.Section]] | None = None

    def __len__(self) -> int:
        return len(self._graph)

    @property
    def deleted_count(self) -> int:
        """How many rows are marked as deleted."""
        return self._deleted

    @property
    def entry_point(self) -> int | None:
        """The node on the highest level, from which every node can be reached; None in an empty index."""
        return self._graph.entry if len(self) else None

    # growing

    def build(self, embeddings: F32, threads: int = 1, linked: Callable[[int], None] | None = None) -> None:
        """Index all rows of `embeddings`, float32 [N, dim], L2-normalised, array or memmap; it is referenced.

        The result is the same for any number of `threads`. `linked` is told now and then of how many rows more are
        done. Raises VectorError for what cannot be indexed; the index is then as it was before.
        """
        check_rows(embeddings, 0, self.dim)
        self._grow(embeddings, 0, threads, linked)

    def add(self, embeddings: F32, threads: int = 1, linked: Callable[[int], None] | None = None) -> None:
        """Index the rows of the grown array that are beyond the first len(self), which are unchanged."""
        if len(embeddings) < len(self):
            raise VectorError(f"{len(embeddings)} rows were given to an index that already holds {len(self)}")
        if len(self) == 0:
            self.build(embeddings, threads, linked)
            return
        check_rows(embeddings, len(self), self.dim)
        if len(embeddings) == len(self):
            self.embeddings = read_only(np.asarray(embeddings))
            return
        self._grow(embeddings, len(self), threads, linked)

    def _grow(self, embeddings: F32, before: int, threads: int, linked: Callable[[int], None] | None) -> None:
        """Link rows from `before` on, all others being linked already. Nothing of the index changes before the end."""
        count = len(embeddings)
        logger.debug("linking rows %d to %d", before, count)
        coded = (self._coded if before else CodedRows.none(self.dim)).grown(embeddings, self.seed, threads)
        graph = grown(self._graph if before else empty_graph(self.m), count, self.seed)
        Builder(graph, coded, read_only(np.asarray(embeddings)), self.ef_construction, threads).link(
            before, count, linked
        )
        blocked = _NOTHING_BLOCKED
        if before and self._deleted:
            blocked = np.concatenate([self._blocked, np.zeros(count - before, np.uint8)])
        self._hold(storage.Parts(graph, coded, blocked), embeddings)
        self._file = None

    def _hold(self, parts: storage.Parts, embeddings: F32) -> None:
        """Take these arrays for the index's own, all read-only.

        Built or loaded, they are then of one type to Numba, which compiles a kernel for each type that it meets.
        """
        graph = parts.graph
        self._graph = Graph(
            read_only(graph.levels),
            read_only(graph.links),
            read_only(graph.upper),
            read_only(graph.offsets),
            graph.entry,
            graph.top,
            read_only(graph.landmarks),
        )
        coded = parts.coded
        self._coded = replace(
            coded,
            codes=read_only(coded.codes),
            norms=read_only(coded.norms),
            centre=read_only(coded.centre),
        )
        self._block_nodes(parts.blocked)
        self.embeddings = read_only(np.asarray(embeddings))
        self._scratch = ScratchPool(len(self), 2 * self.m, padded(self.dim))

    def _block_nodes(self, blocked: U8) -> None:
        self._deleted = int(np.count_nonzero(blocked))
        self._blocked = read_only(blocked) if self._deleted else _NOTHING_BLOCKED

    # deleting

    def mark_deleted(self, node_ids: Sequence[int] | I64) -> None:
        """Never give these rows as answers again; searches still walk through them. Raises VectorError for ids
        that are not there.
        """
        self._mark(node_ids, 1)

    def restore(self, node_ids: Sequence[int] | I64) -> None:
        """Take back `mark_deleted`."""
        self._mark(node_ids, 0)

    def _mark(self, node_ids: Sequence[int] | I64, value: int) -> None:
        ids = checked_ids(node_ids, len(self))
        blocked = self._blocked.copy() if self._deleted else np.zeros(len(self), np.uint8)
        blocked[ids] = value
        self._block_nodes(blocked)

    # searching

    def search(
        self, query_vec: F32, k: int, ef: int = DEFAULT_EF, allowed: BoolMask | None = None
    ) -> list[tuple[int, float]]:
        """The k nearest rows as (node_id, cosine), best first, ties by node; fewer only where fewer exist.

        `query_vec` is float32 [dim], L2-normalised. A larger `ef` looks at more of the graph; below k it counts
        as k, above N as N. `allowed`, bool [N], limits the answers. Raises VectorError and QueryError for unusable
        input.
        """
        check_dimensions(query_vec, 1, self.dim)
        k, ef = checked_numbers(k, ef)
        k = min(k, max(1, len(self)))
        query = _of_one_type(query_vec)
        # Numpy's own sum costs as much as a tenth of the search.
        if not 0 < inner_product(query, query) < np.inf:
            check_direction(query)
        answerable = self._answerable(allowed, max(ef, k))
        k = min(k, answerable.total)
        if k == 0:
            return []
        scratch = self._scratch.take(k)
        self._answer(query[np.newaxis], k, ef, answerable, scratch, scratch.ids, scratch.cosines)
        answer = list(zip(scratch.ids.tolist()[0], scratch.cosines.tolist()[0], strict=True))
        self._scratch.give(scratch)
        return answer

    def search_batch(
        self, queries: F32, k: int, ef: int = DEFAULT_EF, threads: int = 1, allowed: BoolMask | None = None
    ) -> tuple[I64, F32]:
        """As `search`, for queries float32 [Q, dim]: ids int64 [Q, k], -1 where none, cosines float32 [Q, k]."""
        check_dimensions(queries, 2, self.dim)
        k, ef = checked_numbers(k, ef)
        queries = _of_one_type(queries)
        check_direction(queries)
        ids = np.full((len(queries), k), -1, np.int64)
        cosines = np.zeros((len(queries), k), np.float32)
        answerable = self._answerable(allowed, max(ef, k))
        top = min(k, answerable.total)
        if top == 0 or len(queries) == 0:
            return ids, cosines

        def answer(a: int, b: int) -> None:
            scratch = self._scratch.take(0)
            self._answer(queries[a:b], top, ef, answerable, scratch, ids[a:b], cosines[a:b])
            self._scratch.give(scratch)

        share(answer, 0, len(queries), threads)
        return ids, cosines

    def comparisons(self, query_vec: F32, k: int, ef: int = DEFAULT_EF) -> int:
        """How many rows a search compares with the query at level 0: its cost without a clock.

        Not to be called beside other searches; raises as `search`.
        """
        self.search(query_vec, k, ef)
        scratch = self._scratch.take(0)
        compared = int(np.count_nonzero(scratch.visited == scratch.epoch))
        self._scratch.give(scratch)
        return compared

    def _answerable(self, allowed: BoolMask | None, ef: int) -> Answerable:
        count = len(self)
        enough = _SCAN_SHARE * ef * count
        if allowed is None:
            left = count - self._deleted
            if self._deleted == 0 or left * left > enough:
                return Answerable(left, None, self._blocked)
            allowed = self._blocked == 0
        else:
            allowed = checked_mask(allowed, count)
            if self._deleted:
                allowed = np.greater(allowed.view(np.uint8), self._blocked)
            left = int(np.count_nonzero(allowed))
        if left * left <= enough:
            return Answerable(left, nodes_of(allowed, left), _NOTHING_BLOCKED)
        return Answerable(left, None, read_only(np.logical_not(allowed).view(np.uint8)))

    def _answer(
        self, queries: F32, k: int, ef: int, answerable: Answerable, scratch: Scratch, ids: I64, cosines: F32
    ) -> None:
        """Fill `ids` and `cosines`, both [Q, >= k], with the k best of each query; there are as many."""
        left, nodes, blocked = answerable
        if nodes is not None:
            self._scan(queries, k, nodes, scratch, ids, cosines)
            return
        # A walk among forbidden rows ends with few to choose from, so that codes alone would decide.
        need = min(max(ef, 2 * k if len(blocked) else k), left)
        wide = -(-need * len(self) // left)
        # Rows that are allowed by lot are met in proportion. Where the nearest are not allowed, fewer are.
        enough = max(k, need // 2)
        if self._walk(queries, k, wide, enough, blocked, scratch, ids, cosines) == len(queries):
            return
        open_nodes: I64 | None = None
        for number in np.flatnonzero(ids[:, 0] < 0).tolist():
            one = slice(number, number + 1)
            wider, answered = wide * _WIDER, 0
            while not answered and _SCAN_SHARE * wider < left:
                answered = self._walk(
                    queries[one], k, wider, enough, blocked, scratch, ids[one], cosines[one]
                )
                wider *= _WIDER
            if not answered:
                if open_nodes is None:
                    open_nodes = np.flatnonzero(blocked == 0) if len(blocked) else np.arange(len(self))
                self._scan(queries[one], k, open_nodes, scratch, ids[one], cosines[one])

    def _walk(
        self, queries: F32, k: int, ef: int, enough: int, blocked: U8, scratch: Scratch, ids: I64, cosines: F32
    ) -> int:  # fmt: skip
        """Answer by the graph those queries whose walk meets `enough` rows that are not blocked; returns how many.

        The others have -1 as their first id.
        """
        graph, coded = self._graph, self._coded
        scratch.make_room(ef)
        scratch.epoch, answered = search_many(
            coded.codes, graph.links, graph.upper, graph.offsets, graph.landmarks, graph.top, self.embeddings,
            self._signs, coded.centre, coded.scale, queries, k, ef, enough, blocked, scratch.room, scratch.weights,
            scratch.pool, scratch.visited, scratch.epoch, scratch.fresh, scratch.better, scratch.nodes, ids, cosines,
        )  # fmt: skip
        return int(answered)

    def _scan(self, queries: F32, k: int, nodes: I64, scratch: Scratch, ids: I64, cosines: F32) -> None:
        kept, coded = k + _SCAN_KEPT, self._coded
        scratch.make_room(kept)
        scan_many(
            coded.codes, self.embeddings, self._signs, coded.centre, coded.scale, queries, k, 2 * k + _FEW, nodes,
            scratch.room, scratch.weights, scratch.pool[:kept], scratch.nodes, ids, cosines,
        )  # fmt: skip

    # keeping

    def save(self, path: str | Path, fingerprint: str = "") -> None:
        """Write the index atomically; `fingerprint`, at most 128 bytes, says which model's vectors it is over."""
        header = file_format.Header(
            len(self), self.dim, self.m, self.ef_construction, self.seed, self._graph.entry, self._graph.top,
            self._coded.scale, fingerprint or self.fingerprint,
        )  # fmt: skip
        storage.save(Path(path), header, storage.Parts(self._graph, self._coded, self._blocked))

    @classmethod
    def load(cls, path: str | Path, embeddings: F32) -> Self:
        """Map an index file over the rows that it was made from (further rows behind them are left alone).

        Checks the graph's bytes and ids, `verify` the rest. Raises IndexFormatError for what does not fit, VectorError
        for rows that do not lie in one piece each.
        """
        path = Path(path)
        check_pieces(embeddings)
        header, parts, sections = storage.load(path, embeddings)
        try:
            index = cls(header.dim, header.m, header.ef_construction, header.seed)
        except VectorError as error:
            raise IndexFormatError(f"{path} is damaged: {error}; {file_format.REBUILD}") from error
        index.fingerprint = header.fingerprint
        index._hold(parts, embeddings[: header.count])
        index._file = (path, sections)
        return index

    def verify(self) -> None:
        """Check every byte of the file that the index was loaded from, and the graph's own rules.

        Raises IndexFormatError naming what is damaged.
        """
        if self._file is not None:
            path, sections = self._file
            for section in sections.values():
                file_format.verify(path, section)
        check_rules(self._graph, self.m)


def _of_one_type(queries: F32) -> F32:
    """Queries as the kernels were compiled for: contiguous float32, writable."""
    held = np.ascontiguousarray(queries, np.float32)
    return held if held.flags.writeable else held.copy()
