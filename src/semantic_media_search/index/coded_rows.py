"""The codes of an index's rows: made, kept up as rows are added, and made anew where those lie elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np

from semantic_media_search.index.codes import encode_rows, stride_of
from semantic_media_search.index.graph import I32
from semantic_media_search.index.instructions import STEP
from semantic_media_search.index.jit import read_only
from semantic_media_search.index.rotation import padded, rotation_room, signs_of
from semantic_media_search.index.threads import share
from semantic_media_search.records import F32, U8

_SAMPLE = 20_000
_STEP_SIGMAS = 0.4
"""A step of the codes in standard deviations of a coordinate: 16 of them reach to 3.2, beyond which little lies."""
_LONGEST = 0.99
_FIT_BLOCK = 256
_MANY_NEW, _TOO_SHORT = 16, 1.5
"""Where a sixteenth of the rows is new and would have steps half as long again, all codes are made anew."""


@dataclass(frozen=True, slots=True)
class CodedRows:
    """The codes of N rows, and the rule by which they were made.

    `codes` uint8 [N, stride]; `norms` int32 [N]: their squared lengths; `centre` float32 [D]; `scale`; `fitted`: how
    many rows there were when centre and scale were chosen.
    """

    codes: U8
    norms: I32
    centre: F32
    scale: float
    fitted: int

    @classmethod
    def none(cls, dim: int) -> Self:
        """Those of no rows of `dim` dimensions."""
        empty = aligned_zeros(0, stride_of(dim))
        return cls(empty, np.empty(0, np.int32), np.zeros(dim, np.float32), 1.0, 0)

    def __len__(self) -> int:
        return len(self.codes)

    def grown(self, embeddings: F32, seed: int = 0, threads: int = 1) -> "CodedRows":
        """The codes of all rows of `embeddings`, float32 [N, D], of which the first len(self) have theirs already.

        They are the same for any number of `threads`.
        """
        start, count = len(self), len(embeddings)
        centre, scale, fitted = self.centre, self.scale, self.fitted
        if self._must_be_made_anew(embeddings, seed):
            centre, scale = fit(embeddings, seed)
            start, fitted = 0, count
        codes, norms = aligned_zeros(count, stride_of(embeddings.shape[1])), np.empty(count, np.int32)
        codes[:start], norms[:start] = self.codes[:start], self.norms[:start]
        share(partial(encode, embeddings, centre, scale, codes, norms), start, count, threads)
        return CodedRows(codes, norms, centre, scale, fitted)

    def _must_be_made_anew(self, embeddings: F32, seed: int) -> bool:
        """Whether so many rows are new that they may lie elsewhere, or some that would be cut short."""
        count, new = len(embeddings), len(embeddings) - len(self)
        if count == 0 or count >= 2 * self.fitted:
            return count > 0
        return (
            _MANY_NEW * new >= count
            and scale_of(embeddings[len(self) :], self.centre, seed) > _TOO_SHORT * self.scale
        )


def fit(embeddings: F32, seed: int = 0) -> tuple[F32, float]:
    """The centre, float32 [D], and the scale for rows like these, from a seeded sample of them.

    Rows that are not finite, in a damaged file, do not count.
    """
    blocks = [rows[np.isfinite(rows).all(axis=1)] for rows in _sampled(embeddings, seed)]
    total = sum(rows.sum(axis=0, dtype=np.float64) for rows in blocks)
    centre: F32 = (total / max(1, sum(map(len, blocks)))).astype(np.float32)
    return centre, scale_of(embeddings, centre, seed)


def scale_of(embeddings: F32, centre: F32, seed: int = 0) -> float:
    """The scale that suits rows like these around a centre, from a seeded sample.

    It is made for the longest hundredth of them rather than for the mean, so that a few rows of many kinds are not cut
    short among many that are nearly the same. The scale is one that the file, which holds float32, gives back as it is.
    """
    squares = np.concatenate([((rows - centre) ** 2).sum(axis=1) for rows in _sampled(embeddings, seed)])
    squares = squares[np.isfinite(squares)]
    longest = float(np.quantile(squares, _LONGEST)) if len(squares) else 0.0
    scale = float(np.float32(_STEP_SIGMAS * np.sqrt(longest / padded(embeddings.shape[1]))))
    return scale if scale > 0 else 1.0


def _sampled(embeddings: F32, seed: int) -> Iterator[F32]:
    """A seeded sample of rows, in blocks that stay in a cache."""
    count = len(embeddings)
    rows = np.arange(count)
    if count > _SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(count, _SAMPLE, replace=False))
    for at in range(0, len(rows), _FIT_BLOCK):
        yield embeddings[rows[at : at + _FIT_BLOCK]]


def aligned_zeros(rows: int, stride: int) -> U8:
    """uint8 [rows, stride] of zeros whose rows begin at cache lines."""
    raw = np.zeros(rows * stride + STEP, dtype=np.uint8)
    start = -raw.ctypes.data % STEP
    return raw[start : start + rows * stride].reshape(rows, stride)


def encode(embeddings: F32, centre: F32, scale: float, out: U8, norms: I32, start: int, stop: int) -> None:
    """Write the codes of rows `start` to `stop` into `out`, uint8 [N, stride], and into `norms`, int32 [N], their
    squared lengths, sum((u - 8)^2).
    """
    signs = signs_of(padded(embeddings.shape[1]))
    rows, middle = read_only(np.asarray(embeddings)), read_only(centre)
    encode_rows(
        rows, middle, np.float32(1 / scale), signs, rotation_room(signs.shape[1]), out, norms, start, stop
    )
