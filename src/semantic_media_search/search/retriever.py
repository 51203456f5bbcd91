"""Query in, ranked frames out.

The graph answers for the rows that it holds; rows committed since it was saved are searched exactly, so that
what was stored is found before the graph has caught up.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from semantic_media_search.errors import QueryError
from semantic_media_search.records import F32, I64, BoolMask
from semantic_media_search.search.brute_force import BruteForceIndex

DEFAULT_EF = 50
EXACT_BELOW = 1_000
EXACT_ONCE_BELOW = 100_000
"""Where one search is all that is wanted, comparing fewer rows takes less time than importing the compiler."""
MAX_QUERY_LENGTH = 1_000


class TextEncoder(Protocol):
    """The half of an encoder that a text search needs."""

    def encode_texts(self, queries: Sequence[str]) -> F32:
        """Vectors of texts: float32 [B, D], L2-normalised."""
        ...


class VectorIndex(Protocol):
    """What the retriever asks of an index: HNSWIndex and BruteForceIndex both have it."""

    def __len__(self) -> int:
        """How many rows the index holds."""
        ...

    def search(
        self, query_vec: F32, k: int, ef: int = DEFAULT_EF, allowed: BoolMask | None = None
    ) -> list[tuple[int, float]]:
        """The k best rows as (node_id, cosine), best first."""
        ...

    def mark_deleted(self, node_ids: I64) -> None:
        """Never give these rows as answers again."""
        ...


class EmbeddingRows(Protocol):
    """Vectors float32 [N, D] and the frame_id of each row, int64 [N]."""

    @property
    def vectors(self) -> F32:
        """The rows."""
        ...

    @property
    def frame_ids(self) -> I64:
        """Whose rows they are."""
        ...


def check_query(query: str) -> str:
    """The query without surrounding blanks. Raises QueryError where it is empty or beyond reason."""
    text = query.strip()
    if not text:
        raise QueryError("the query is empty; say in plain words what the picture shows")
    if len(text) > MAX_QUERY_LENGTH:
        raise QueryError(f"the query has {len(text)} characters; at most {MAX_QUERY_LENGTH} are read")
    return text


class ImageRetriever:
    """Text or vector in, frames out, best first.

    `index` may hold fewer rows than `emb_store`: the rest is searched exactly. Below EXACT_BELOW rows, or
    where `index` is None, all of it is: that is faster than walking a graph, and exact. `removed` are rows
    that never come back. `metadata` maps a frame_id to its record.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        index: VectorIndex | None,
        emb_store: EmbeddingRows,
        metadata: Mapping[int, Mapping[str, Any]],
        *,
        ef: int = DEFAULT_EF,
        removed: I64 | None = None,
    ):
        self.encoder = encoder
        self.index = index
        self.emb_store = emb_store
        self.metadata = metadata
        self.ef = ef
        total = len(emb_store.frame_ids)
        self._indexed = 0 if index is None or total < EXACT_BELOW else min(len(index), total)
        self._tail = BruteForceIndex(emb_store.vectors[self._indexed :]) if total > self._indexed else None
        self._live_tail: BoolMask | None = None
        if removed is not None and removed.size:
            if self._indexed and index is not None:
                index.mark_deleted(removed[removed < self._indexed])
            self._live_tail = np.ones(total - self._indexed, dtype=np.bool_)
            self._live_tail[removed[removed >= self._indexed] - self._indexed] = False

    @property
    def exact(self) -> bool:
        """Whether every search is exact at this size."""
        return self._indexed == 0

    def search_text(self, query: str, k: int = 20) -> list[dict[str, Any]]:
        """The k frames likest to the words: their metadata, each with `similarity`, the cosine clamped to [0, 1].

        Raises QueryError for an empty or over-long query.
        """
        vector = self.encoder.encode_texts([check_query(query)])[0]
        return [
            {**self.metadata[frame_id], "similarity": min(1.0, max(0.0, similarity))}
            for frame_id, similarity in self.search_vector(vector, k)
            if frame_id in self.metadata
        ]

    def search_vector(
        self, vector: F32, k: int, *, ef: int | None = None, allowed: BoolMask | None = None
    ) -> list[tuple[int, float]]:
        """The k best (frame_id, raw cosine) for a vector float32 [D]; ties by frame_id.

        `allowed` is bool [N]: only rows where it is true are answers.
        """
        if k < 1:
            raise QueryError(f"k is {k}; ask for at least 1 result")
        k = min(k, len(self.emb_store.frame_ids))
        split = self._indexed
        hits: list[tuple[int, float]] = []
        if split and self.index is not None:
            part = None if allowed is None else allowed[:split]
            hits = self.index.search(vector, min(k, split), max(ef or self.ef, k), part)
        if self._tail is not None:
            part = self._live_tail
            if allowed is not None:
                part = allowed[split:] if part is None else allowed[split:] & part
            hits = hits + [
                (row + split, cosine) for row, cosine in self._tail.search(vector, k, allowed=part)
            ]
        hits.sort(key=lambda hit: (-hit[1], hit[0]))
        frame_ids = self.emb_store.frame_ids
        return [(int(frame_ids[row]), cosine) for row, cosine in hits[:k]]
