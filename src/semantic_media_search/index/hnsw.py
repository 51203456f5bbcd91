"""Approximate nearest neighbors by cosine: a hierarchical navigable small world (Malkov & Yashunin 2018).

The class checks what it is given and owns the arrays; the work is done by the kernels of `walk`, `search` and
`link`. `docs/index.md` explains how it all goes together.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from semantic_media_search.errors import IndexFormatError, QueryError, VectorError
from semantic_media_search.index import codes as coding
from semantic_media_search.index import file_format
from semantic_media_search.index.build import Builder
from semantic_media_search.index.graph import I32, Graph, empty_graph, grown
from semantic_media_search.index.invariants import check_graph
from semantic_media_search.index.pool import NODE_LIMIT
from semantic_media_search.index.scratch import ScratchPool
from semantic_media_search.index.search import reranked, search_graph, search_many, search_scan
from semantic_media_search.records import F32, I64, U8, BoolMask

logger = logging.getLogger(__name__)

DEFAULT_EF = 50
_NORM_TOLERANCE = 1e-3
_CHECK_ROWS = 8192
_SCAN_SHARE = 60
"""A scan of n allowed rows costs n; a walk that finds as many among N costs about 60 ef N / n of the same."""
_NOTHING_BLOCKED = np.empty(0, np.uint8)
_VERIFIED_AT_OPENING = ("levels", "links", "upper", "offsets", "centre", "deleted", "fitted")
"""All sections but the codes and their norms, which are most of the file and hold no ids."""


class HNSWIndex:
    """An index over rows of `embeddings`, which it references and never copies. Node ids are row numbers.

    Searches may run in several threads at once; changes (build, add, mark_deleted, restore) may not run beside
    anything else.
    """

    def __init__(self, dim: int, m: int = 16, ef_construction: int = 200, seed: int = 0):
        """An empty index for vectors of `dim` dimensions with at most `m` neighbors a layer (2 m at level 0)."""
        if not (
            1 <= dim <= 65_536 and 2 <= m <= 512 and 1 <= ef_construction <= 1_000_000 and 0 <= seed < 2**63
        ):
            raise VectorError(
                f"cannot index with dim={dim}, m={m}, ef_construction={ef_construction}, seed={seed}: "
                "dim is 1 to 65536, m 2 to 512, ef_construction at least 1, seed not negative"
            )
        self.dim, self.m, self.ef_construction, self.seed = dim, m, ef_construction, seed
        self.fingerprint = ""
        self.embeddings: F32 = np.empty((0, dim), np.float32)
        self._graph: Graph = empty_graph(m)
        self._centre: F32 = np.zeros(dim, np.float32)
        self._scale = 1.0
        self._fitted = 0  # how many rows there were when centre and scale were chosen
        self._codes: U8 = coding.aligned_zeros(0, coding.stride_of(dim))
        self._norms: I32 = np.empty(0, np.int32)
        self._blocked: U8 = _NOTHING_BLOCKED
        self._deleted = 0
        self._scratch = self._fresh_scratch()
        self._file: tuple[Path, dict[str, file_format.Section]] | None = None

    def __len__(self) -> int:
        return len(self._graph)

    @property
    def deleted_count(self) -> int:
        """How many rows are marked as deleted."""
        return self._deleted

    @property
    def entry_point(self) -> int | None:
        """The node where searches begin; None in an empty index."""
        return self._graph.entry if len(self) else None

    # growing

    def build(self, embeddings: F32, threads: int = 1) -> None:
        """Index all rows of `embeddings`, float32 [N, dim], L2-normalised, array or memmap; it is referenced.

        The result is the same for any number of `threads`. Raises VectorError for what cannot be indexed.
        """
        self._graph = empty_graph(self.m)
        self._codes = coding.aligned_zeros(0, coding.stride_of(self.dim))
        self._norms = np.empty(0, np.int32)
        self._blocked, self._deleted = _NOTHING_BLOCKED, 0
        self._check_rows(embeddings, 0)
        self._fitted = 0
        self._grow(embeddings, threads)

    def add(self, embeddings: F32, threads: int = 1) -> None:
        """Index the rows of the grown array that are beyond the first len(self), which are unchanged."""
        if len(embeddings) < len(self):
            raise VectorError(f"{len(embeddings)} rows were given to an index that already holds {len(self)}")
        if len(self) == 0:
            self.build(embeddings, threads)
            return
        self._check_rows(embeddings, len(self))
        self._grow(embeddings, threads)

    def _grow(self, embeddings: F32, threads: int) -> None:
        before, count = len(self), len(embeddings)
        if count == before:
            self.embeddings = np.asarray(embeddings)
            return
        logger.debug("linking rows %d to %d", before, count)
        held = coding.aligned_zeros(count, self._codes.shape[1])
        norms = np.empty(count, np.int32)
        start = before
        if (
            count >= 2 * self._fitted
        ):  # so many new rows may lie elsewhere than those that the codes were made for
            self._centre, self._scale = coding.fit(embeddings, self.seed)
            self._fitted, start = count, 0
        held[:start], norms[:start] = self._codes[:start], self._norms[:start]

        def encode(start: int, stop: int) -> None:
            coding.encode(embeddings, self._centre, self._scale, held, start, stop)
            coding.square_norms(held, norms, start, stop)

        _share(encode, start, count, threads)
        graph = grown(self._graph, count, self.seed)
        Builder(graph, held, norms, self.ef_construction, threads).link(before, count)
        self._graph, self._codes, self._norms, self.embeddings = graph, held, norms, np.asarray(embeddings)
        if len(self._blocked):
            self._blocked = np.concatenate([self._blocked, np.zeros(count - before, np.uint8)])
        self._scratch = self._fresh_scratch()
        self._file = None

    def _check_rows(self, embeddings: F32, start: int) -> None:
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dim or embeddings.dtype != np.float32:
            raise VectorError(
                f"expected float32 embeddings [N, {self.dim}], got {embeddings.dtype} {list(embeddings.shape)}"
            )
        if len(embeddings) >= NODE_LIMIT:
            raise VectorError(f"{len(embeddings)} rows are more than one index holds ({NODE_LIMIT})")
        for at in range(start, len(embeddings), _CHECK_ROWS):
            norms = np.linalg.norm(embeddings[at : at + _CHECK_ROWS], axis=1)
            wrong = np.flatnonzero(~(np.abs(norms - 1) <= _NORM_TOLERANCE))
            if wrong.size:
                raise VectorError(
                    f"row {at + wrong[0]} has length {norms[wrong[0]]:.4g}; divide each row by its length, and leave "
                    "out those that are zero or not finite"
                )

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
        ids = np.asarray(node_ids, np.int64)
        if ids.size and (ids.min() < 0 or ids.max() >= len(self)):
            wrong = ids.min() if ids.min() < 0 else ids.max()
            raise VectorError(f"there is no node {wrong}: the index holds nodes 0 to {len(self) - 1}")
        blocked = self._blocked.copy() if len(self._blocked) else np.zeros(len(self), np.uint8)
        blocked[ids] = value
        self._deleted = int(np.count_nonzero(blocked))
        self._blocked = blocked if self._deleted else _NOTHING_BLOCKED

    # searching

    def search(
        self, query_vec: F32, k: int, ef: int = DEFAULT_EF, allowed: BoolMask | None = None
    ) -> list[tuple[int, float]]:
        """The k nearest rows as (node_id, cosine), best first, ties by node; fewer only where fewer exist.

        `query_vec` is float32 [dim], L2-normalised. A larger `ef` looks at more of the graph; below k it counts
        as k. `allowed`, bool [N], limits the answers. Raises VectorError and QueryError for unusable input.
        """
        if query_vec.ndim != 1:
            raise VectorError(f"expected one query, float32 [{self.dim}], got {list(query_vec.shape)}")
        if allowed is None and self._deleted == 0 and len(self) and query_vec.dtype == np.float32:
            self._check_search(query_vec, k, ef)
            return self._walk(np.ascontiguousarray(query_vec), min(k, len(self)), max(ef, k))
        row_ids, row_cosines = self.search_batch(query_vec[np.newaxis], k, ef, 1, allowed)
        found = int(np.count_nonzero(row_ids[0] >= 0))
        return list(zip(row_ids[0, :found].tolist(), row_cosines[0, :found].tolist(), strict=True))

    def search_batch(
        self, queries: F32, k: int, ef: int = DEFAULT_EF, threads: int = 1, allowed: BoolMask | None = None
    ) -> tuple[I64, F32]:
        """As `search`, for queries float32 [Q, dim]: ids int64 [Q, k], -1 where none, cosines float32 [Q, k]."""
        if queries.ndim != 2:
            raise VectorError(f"expected queries [Q, {self.dim}], got {list(queries.shape)}")
        queries = np.ascontiguousarray(queries, np.float32)
        self._check_search(queries, k, ef)
        ids = np.full((len(queries), k), -1, np.int64)
        cosines = np.zeros((len(queries), k), np.float32)
        blocked, left = self._block(allowed)
        top = min(k, left)
        if top == 0 or len(queries) == 0:
            return ids, cosines
        if left * left <= _SCAN_SHARE * max(ef, k) * len(self) and left < len(self):
            nodes = np.flatnonzero(blocked == 0)
            _share(
                lambda a, b: self._scan(queries[a:b], nodes, top, ids[a:b], cosines[a:b]),
                0,
                len(queries),
                threads,
            )
            return ids, cosines
        wide = min(len(self), -(-max(ef, k) * len(self) // left))
        _share(
            lambda a, b: self._walk_many(queries, a, b, top, wide, blocked, ids, cosines),
            0,
            len(queries),
            threads,
        )
        short = np.flatnonzero(ids[:, top - 1] < 0)
        if short.size:  # a walk may end before it has met as many allowed rows as there are
            nodes = np.flatnonzero(blocked == 0) if len(blocked) else np.arange(len(self))
            some_ids, some_cosines = ids[short], cosines[short]
            self._scan(queries[short], nodes, top, some_ids, some_cosines)
            ids[short], cosines[short] = some_ids, some_cosines
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

    def _check_search(self, queries: F32, k: int, ef: int) -> None:
        if k < 1 or ef < 1:
            raise QueryError(f"k is {k} and ef is {ef}; both must be at least 1")
        if queries.shape[-1] != self.dim:
            raise VectorError(f"the query has {queries.shape[-1]} dimensions, the index {self.dim}")
        # Plain comparisons for one query: numpy's own cost as much as a tenth of the search.
        if queries.ndim == 1:
            usable = 0.0 < float(np.dot(queries, queries)) < np.inf
        else:
            squares = np.einsum("ij,ij->i", queries, queries)
            usable = bool(np.all((squares > 0) & (squares < np.inf)))
        if not usable:
            raise VectorError("a query is zero or not finite; it needs a direction")

    def _block(self, allowed: BoolMask | None) -> tuple[U8, int]:
        """Which nodes are no answers (uint8 [N], or empty where all are), and how many are."""
        if allowed is None:
            return self._blocked, len(self) - self._deleted
        if allowed.shape != (len(self),) or allowed.dtype != np.bool_:
            raise VectorError(
                f"expected allowed to be bool [{len(self)}], got {allowed.dtype} {list(allowed.shape)}"
            )
        blocked = np.logical_not(allowed).view(np.uint8)
        if self._deleted:
            blocked = blocked | self._blocked
        return blocked, len(self) - int(np.count_nonzero(blocked))

    def _walk(self, query: F32, k: int, ef: int) -> list[tuple[int, float]]:
        graph, scratch = self._graph, self._scratch.take(max(ef, reranked(k)), k)
        ids, cosines = scratch.ids, scratch.cosines
        found = search_graph(
            self._codes, graph.links, graph.upper, graph.offsets, graph.entry, graph.top, self.embeddings, query,
            scratch.weights, k, ef, _NOTHING_BLOCKED, scratch.pool, scratch.visited, scratch.next_epoch(),
            scratch.fresh, scratch.nodes, ids, cosines,
        )  # fmt: skip
        answer = list(zip(ids[:found].tolist(), cosines[:found].tolist(), strict=True))
        self._scratch.give(scratch)
        return answer

    def _walk_many(
        self, queries: F32, start: int, stop: int, k: int, ef: int, blocked: U8, ids: I64, cosines: F32
    ) -> None:
        graph, scratch = self._graph, self._scratch.take(max(ef, reranked(k)))
        scratch.epoch = search_many(
            self._codes, graph.links, graph.upper, graph.offsets, graph.entry, graph.top, self.embeddings, queries,
            start, stop, scratch.weights, k, ef, blocked, scratch.pool, scratch.visited, scratch.epoch,
            scratch.fresh, scratch.nodes, ids, cosines,
        )  # fmt: skip
        self._scratch.give(scratch)

    def _scan(self, queries: F32, nodes: I64, k: int, ids: I64, cosines: F32) -> None:
        limit = min(len(nodes), 2 * reranked(k))
        scratch = self._scratch.take(limit)
        for number, query in enumerate(queries):
            search_scan(
                self._codes, self.embeddings, query, scratch.weights, k, limit, nodes, scratch.pool, scratch.nodes,
                ids[number], cosines[number],
            )  # fmt: skip
        self._scratch.give(scratch)

    def _fresh_scratch(self) -> ScratchPool:
        return ScratchPool(len(self), 2 * self.m, self._codes.shape[1])

    # keeping

    def save(self, path: str | Path, fingerprint: str = "") -> None:
        """Write the index atomically; `fingerprint`, at most 128 bytes, says which model's vectors it is over."""
        graph = self._graph
        header = file_format.Header(
            len(self), self.dim, self.m, self.ef_construction, self.seed, graph.entry, graph.top, self._scale,
            fingerprint or self.fingerprint,
        )  # fmt: skip
        sections: dict[str, npt.NDArray[Any]] = {
            "levels": graph.levels, "links": graph.links, "upper": graph.upper, "offsets": graph.offsets,
            "centre": self._centre, "norms": self._norms, "codes": self._codes, "deleted": self._blocked,
            "fitted": np.array([self._fitted], np.int64),
        }  # fmt: skip
        file_format.write(Path(path), header, sections)

    @classmethod
    def load(cls, path: str | Path, embeddings: F32) -> Self:
        """Map an index file over the rows that it was made from (further rows behind them are left alone).

        Checks the graph's bytes and ids, `verify` the rest. Raises IndexFormatError for what does not fit.
        """
        path = Path(path)
        header, sections = file_format.read(path)
        if embeddings.ndim != 2 or embeddings.shape[1] != header.dim or len(embeddings) < header.count:
            raise IndexFormatError(
                f"{path} is over {header.count} vectors of {header.dim} dimensions, "
                f"not over {list(embeddings.shape)}; {file_format.REBUILD}"
            )
        try:
            index = cls(header.dim, header.m, header.ef_construction, header.seed)
            # Plain arrays: handing a kernel a memmap costs a microsecond each, handing it an array a tenth of one.
            arrays = {name: np.asarray(section.array) for name, section in sections.items()}
            graph = Graph(
                arrays["levels"],
                arrays["links"],
                arrays["upper"],
                arrays["offsets"],
                header.entry,
                header.top,
            )
            index._centre, index._norms, index._codes = arrays["centre"], arrays["norms"], arrays["codes"]
            blocked = arrays["deleted"]
        except (KeyError, VectorError) as error:
            raise IndexFormatError(f"{path} lacks a part ({error}); {file_format.REBUILD}") from error
        for name in sorted(sections.keys() & set(_VERIFIED_AT_OPENING)):
            file_format.verify(path, sections[name])
        check_graph(path, header, graph, index._codes, index._norms, blocked)
        index._graph, index._scale, index.fingerprint = graph, header.scale, header.fingerprint
        index._blocked, index._deleted = blocked, int(np.count_nonzero(blocked))
        index.embeddings = np.asarray(embeddings)[: header.count]
        # The first files of this format do not say. Any number is safe: it only decides when codes are chosen anew.
        index._fitted = int(arrays["fitted"][0]) if "fitted" in arrays else header.count
        index._scratch = index._fresh_scratch()
        index._file = (path, sections)
        return index

    def verify(self) -> None:
        """Check every byte of the file that the index was loaded from, and the graph's own rules.

        Raises IndexFormatError naming what is damaged.
        """
        from semantic_media_search.index.invariants import check_rules

        if self._file is not None:
            path, sections = self._file
            for section in sections.values():
                file_format.verify(path, section)
            file_format.verify_gaps(path, sections)
        check_rules(self._graph, self.m)


def _share(work, start: int, stop: int, threads: int) -> None:
    """Do `work(first, last)` over a range, cut into a part for each thread."""
    parts = max(1, min(threads, stop - start))
    bounds = [start + (stop - start) * part // parts for part in range(parts + 1)]
    if parts == 1:
        work(start, stop)
        return
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))
