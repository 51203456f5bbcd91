"""Recall as a promise: how far the graph must be searched to find what exact search finds."""

from typing import Protocol

import numpy as np

from semantic_media_search.records import F32, I64

EF_FLOOR = 50
"""The plan's efSearch: less saves next to nothing."""
EF_LIMIT = 4096


class BatchSearch(Protocol):
    """What HNSWIndex and BruteForceIndex have in common here."""

    def search_batch(self, queries: F32, k: int, ef: int = 50) -> tuple[I64, F32]:
        """Rows int64 [Q, k] (-1 where none) and cosines float32 [Q, k], best first."""
        ...


def recall_by_distance(found: F32, exact: F32, tolerance: float = 1e-5) -> float:
    """Share of the exact top k that was found, judged by cosine so that ties count: both float32 [Q, k], best first."""
    worst = exact[:, -1:]
    return float(np.mean(found >= worst - tolerance))


def choose_ef(
    index: BatchSearch, exact: BatchSearch, queries: F32, k: int, target: float
) -> tuple[int, float]:
    """The smallest ef from EF_FLOOR on, to a few per cent, with which recall@k on these queries reaches the target.

    Returns (ef, recall measured with it); where no ef up to EF_LIMIT is enough, that limit and what it reaches.
    """
    _, truth = exact.search_batch(queries, k)

    def measure(ef: int) -> float:
        ids, cosines = index.search_batch(queries, k, ef)
        return recall_by_distance(np.where(ids < 0, -np.inf, cosines).astype(np.float32), truth)

    low, high = 0, max(k, EF_FLOOR)
    recall = measure(high)
    while recall < target and high < EF_LIMIT:
        low, high = high, min(2 * high, EF_LIMIT)
        recall = measure(high)
    while high - low > max(2, high // 16) and low >= k:
        middle = (low + high) // 2
        reached = measure(middle)
        if reached >= target:
            high, recall = middle, reached
        else:
            low = middle
    return high, recall
