"""How strong a match is, relative to how the same query scores across the whole library.

A raw cosine means little by itself: 0.27 is a bull's-eye for one model and query and noise for another. A query's
scores against a fixed sample of the library tell what noise looks like for it; a match is as strong as it
stands out from there.
"""

import math
from dataclasses import dataclass

import numpy as np

from semantic_media_search.records import F32, I64

SAMPLE_ROWS = 4_096
_SEED = 20_240_229
_SMALL = 30
"""Below this many rows there is no telling what is usual."""

STANDS_OUT = 3.0
"""Standard deviations above the middle from which the best match counts as one at all."""
CERTAIN = 7.0
"""Standard deviations above the middle that fill the bar."""


@dataclass(frozen=True, slots=True)
class Background:
    """How a query scores across the library: `middle` and `spread` of its cosines, over `rows` sampled rows."""

    middle: float
    spread: float
    rows: int

    def deviations(self, cosine: float) -> float:
        """How many spreads a cosine lies above the middle."""
        return (cosine - self.middle) / self.spread

    def strength(self, cosine: float) -> float:
        """0 (as any picture here) to 1 (stands out as clearly as anything does)."""
        return min(1.0, max(0.0, self.deviations(cosine) / CERTAIN))

    def good(self, best_cosine: float) -> bool:
        """Whether the best match of a query stands out; in a handful of frames anything may."""
        return self.rows < _SMALL or self.deviations(best_cosine) >= STANDS_OUT


class Calibration:
    """A fixed sample of a library's vectors, for the background of any query."""

    def __init__(self, vectors: F32, live_rows: I64):
        """Copy up to SAMPLE_ROWS of the live rows of `vectors`, float32 [N, D]."""
        rows = live_rows
        if len(rows) > SAMPLE_ROWS:
            rows = np.sort(np.random.default_rng(_SEED).choice(rows, SAMPLE_ROWS, replace=False))
        self._sample: F32 = np.array(vectors[rows], dtype=np.float32)

    def background(self, vector: F32) -> Background:
        """Of a query, float32 [D]. The middle is the median and the spread comes from the lower half.

        Matches make the upper half heavy; the lower half shows the noise alone.
        """
        if len(self._sample) == 0:
            return Background(0.0, 1.0, 0)
        cosines = np.asarray(self._sample @ vector, dtype=np.float64)
        middle = float(np.median(cosines))
        below = cosines[cosines <= middle] - middle
        spread = math.sqrt(float(np.mean(below**2)))
        return Background(middle, max(spread, 1e-4), len(cosines))
