"""How strong a match is, relative to how the same query scores across the whole library.

A raw cosine means little by itself: 0.27 is a bull's-eye for one model and query and noise for another. A query's
scores against a fixed sample of the library tell what noise looks like for it; a match is as strong as it
stands out from there. For a model whose cosines were held against captioned photographs, those speak too.
"""

import math
from dataclasses import dataclass

import numpy as np

from semantic_media_search.records import F32, I64

SAMPLE_ROWS = 4_096
_SEED = 20_240_229
_SMALL = 30
"""Below this many rows there is no telling what is usual."""

BELOW_NOISE = 1.0
"""The best of n scores that are noise lies about sqrt(2 ln n) spreads up; a match may lie this far below that.

Chosen so that at most 5 % of the queries whose target is in the library are called without a good match
(docs/decisions/0500), for libraries of 30 to 1,000 photographs.
"""
CERTAIN = 4.0
"""Spreads above the best of the noise from which the bar is full."""


@dataclass(frozen=True, slots=True)
class Background:
    """How a query scores across the library: `middle` and `spread` of its cosines over a sample of its rows.

    `rows` counts all rows that could answer, in the sample or not. `noise_cosine` is the model's: the best cosine of n
    pictures that do not match lies about that times sqrt(2 ln n) high; 0 where it was not measured.
    """

    middle: float
    spread: float
    rows: int
    noise_cosine: float = 0.0

    @property
    def noise(self) -> float:
        """How many spreads above the middle the best of so many scores lies where none is a match."""
        return math.sqrt(2 * math.log(max(2, self.rows)))

    def deviations(self, cosine: float) -> float:
        """How many spreads a cosine lies above the middle."""
        return (cosine - self.middle) / self.spread

    def strength(self, cosine: float) -> float:
        """0 (as any picture here) to 1 (stands out as clearly as anything does)."""
        return min(1.0, max(0.0, self.deviations(cosine) / (self.noise + CERTAIN)))

    def good(self, best_cosine: float) -> bool:
        """Whether the best match of a query stands out; in a handful of frames anything may."""
        if self.rows < _SMALL:
            return True
        stands_out = self.deviations(best_cosine) >= self.noise - BELOW_NOISE
        return stands_out and best_cosine >= self.noise_cosine * self.noise


class Calibration:
    """A fixed sample of a library's vectors, for the background of any query."""

    def __init__(self, vectors: F32, live_rows: I64, noise_cosine: float = 0.0):
        """Copy up to SAMPLE_ROWS of the live rows of `vectors`, float32 [N, D]; `noise_cosine` as in Background."""
        self._noise_cosine = noise_cosine
        rows = live_rows
        self._rows = len(rows)
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
        return Background(middle, max(spread, 1e-4), self._rows, self._noise_cosine)
