"""Exact search: the oracle that the graph is measured against, and the faster way on small libraries."""

from collections.abc import Sequence

import numpy as np

from semantic_media_search.errors import VectorError
from semantic_media_search.index.checks import (
    check_dimensions,
    check_direction,
    checked_ids,
    checked_mask,
    checked_numbers,
)
from semantic_media_search.records import F32, I64, BoolMask

_BLOCK_BYTES = 64 << 20


def brute_force_search(query_embedding: F32, embeddings: F32, k: int) -> list[tuple[int, float]]:
    """The k rows of `embeddings` (float32 [N, D], L2-normalised) likest to a query (float32 [D], any length).

    Returns (row, cosine), best first. Raises VectorError for a query that is zero or not finite.
    """
    norm = float(np.linalg.norm(query_embedding))
    if not np.isfinite(norm) or norm == 0:
        raise VectorError(f"the query has length {norm}; it needs a direction")
    return BruteForceIndex(embeddings).search((query_embedding / norm).astype(np.float32), k)


class BruteForceIndex:
    """The search methods of HNSWIndex, answered exactly. `ef` is checked and of no effect."""

    def __init__(self, embeddings: F32):
        """Reference `embeddings`, float32 [N, D], L2-normalised; array or memmap, not copied."""
        if embeddings.ndim != 2 or embeddings.dtype != np.float32:
            raise VectorError(
                f"expected float32 embeddings [N, D], got {embeddings.dtype} {list(embeddings.shape)}"
            )
        self.embeddings = embeddings
        self._live: BoolMask | None = None

    def __len__(self) -> int:
        return len(self.embeddings)

    def mark_deleted(self, node_ids: Sequence[int] | I64) -> None:
        """Never give these rows as answers again, until they are restored. Raises VectorError for ids that are not
        there.
        """
        self._mark(node_ids, live=False)

    def restore(self, node_ids: Sequence[int] | I64) -> None:
        """Take back `mark_deleted` for these rows."""
        self._mark(node_ids, live=True)

    def _mark(self, node_ids: Sequence[int] | I64, *, live: bool) -> None:
        ids = checked_ids(node_ids, len(self))
        if self._live is None:
            self._live = np.ones(len(self), dtype=np.bool_)
        self._live[ids] = live

    def search(
        self, query_vec: F32, k: int, ef: int = 50, allowed: BoolMask | None = None
    ) -> list[tuple[int, float]]:
        """The k best rows as (row, cosine), best first, ties by row; fewer where fewer exist.

        `query_vec` is float32 [D], L2-normalised; `allowed` bool [N] limits the answers. Raises VectorError and
        QueryError for unusable input.
        """
        check_dimensions(query_vec, 1, self.embeddings.shape[1])
        k = min(checked_numbers(k, ef)[0], max(1, len(self)))
        ids, cosines = self.search_batch(query_vec[np.newaxis], k, ef, allowed=allowed)
        return [(int(row), float(cosine)) for row, cosine in zip(ids[0], cosines[0], strict=True) if row >= 0]

    def search_batch(
        self,
        queries: F32,
        k: int,
        ef: int = 50,
        threads: int = 1,  # noqa: ARG002 - BLAS has its own
        allowed: BoolMask | None = None,
    ) -> tuple[I64, F32]:
        """As `search`, for queries float32 [Q, D]: rows int64 [Q, k] (-1 where none), cosines float32 [Q, k]."""
        dim = self.embeddings.shape[1]
        check_dimensions(queries, 2, dim)
        queries = np.ascontiguousarray(queries, np.float32)
        k, ef = checked_numbers(k, ef)
        check_direction(queries)
        if allowed is not None:
            allowed = checked_mask(allowed, len(self))
        mask = self._live if allowed is None else (allowed if self._live is None else allowed & self._live)
        best_ids = np.full((len(queries), k), -1, dtype=np.int64)
        best = np.full((len(queries), k), -np.inf, dtype=np.float32)
        block = max(1, _BLOCK_BYTES // (4 * max(self.embeddings.shape[1], len(queries))))
        for start in range(0, len(self), block):
            rows = self.embeddings[start : start + block]
            ids = np.arange(start, start + len(rows))
            if mask is not None:
                ids = ids[mask[start : start + len(rows)]]
                rows = rows[ids - start] if len(ids) < len(rows) else rows
            if len(ids):
                _merge(best_ids, best, ids, queries @ np.asarray(rows).T)
        best[best_ids < 0] = 0.0
        return best_ids, best


def _merge(best_ids: I64, best: F32, ids: I64, cosines: F32) -> None:
    """Put the better of what is held ([Q, k]) and what came ([Q, n]) into what is held, best first."""
    k = best.shape[1]
    if cosines.shape[1] > k:
        top = _top(cosines, k)
        cosines, ids_2d = np.take_along_axis(cosines, top, axis=1), ids[top]
    else:
        ids_2d = np.broadcast_to(ids, cosines.shape)
    all_ids = np.concatenate([best_ids, ids_2d], axis=1)
    all_cosines = np.concatenate([best, cosines], axis=1)
    order = np.lexsort((all_ids, -all_cosines), axis=1)[:, :k]
    best_ids[:] = np.take_along_axis(all_ids, order, axis=1)
    best[:] = np.take_along_axis(all_cosines, order, axis=1)


def _top(cosines: F32, k: int) -> I64:
    """The columns of the k best of each row, in any order, of equals those that come first: int64 [Q, k]."""
    top: I64 = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    worst = np.take_along_axis(cosines, top, axis=1).min(axis=1)
    for row in np.flatnonzero((cosines >= worst[:, np.newaxis]).sum(axis=1) > k).tolist():
        as_good = np.flatnonzero(cosines[row] >= worst[row])
        top[row] = as_good[np.argsort(-cosines[row, as_good], kind="stable")[:k]]
    return top
