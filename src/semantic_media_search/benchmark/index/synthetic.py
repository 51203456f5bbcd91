"""Vectors beyond those that there are: more of the same kind, and ones shaped like CLIP's."""

from typing import Any

import numpy as np
import numpy.typing as npt

from semantic_media_search.benchmark.index.vectors import Vectors
from semantic_media_search.records import F32

_STEP = 0.35
_BLOCK = 50_000
_COMPONENTS = 96
_ALIKE, _DIRECTIONS, _BURST = 0.995, 30, 50
_GAP, _MEAN, _NOISE = 0.5, 1.5, 0.02


def extended(vectors: Vectors, size: int, dim: int) -> Vectors:
    """New rows are real rows moved along differences of others: unit(a + 0.35 (b - c)), a, b and c by lot.

    Such rows keep the mean and the main directions of the real ones, and each real row gets neighbors of its own.
    First all are projected onto the real rows' `dim` main directions. Queries are the held-out real ones. Where
    there are rows enough, real ones alone are taken.
    """
    rows, queries = vectors.rows, vectors.queries
    if rows.shape[1] > dim:
        sample = rows[:20_000].astype(np.float64)
        directions = np.linalg.eigh(sample.T @ sample)[1][:, -dim:].astype(np.float32)
        rows, queries = unit(rows @ directions), unit(queries @ directions)
    if size <= len(rows):
        return Vectors(rows[:size], queries, f"{vectors.source}, projected")
    random = np.random.default_rng(3)
    out = np.empty((size, rows.shape[1]), np.float32)
    out[: len(rows)] = rows
    for start in range(len(rows), size, _BLOCK):
        stop = min(start + _BLOCK, size)
        a, b = random.integers(0, len(rows), (2, stop - start))
        c = (b + random.integers(1, len(rows), stop - start)) % len(rows)  # another one than b
        out[start:stop] = unit(rows[a] + np.float32(_STEP) * (rows[b] - rows[c]))
    return Vectors(out, queries, f"{vectors.source}, projected and extended")


def clip_shaped(count: int, queries: int, dim: int = 512) -> tuple[Vectors, F32]:
    """Vectors shaped like CLIP's pictures, and queries like its texts, float32 [Q, dim], by a fixed rule.

    A common mean larger than what differs, two outlier dimensions, components that fade as i^-0.5, a little noise
    in every dimension. Texts use the same components, but all alike, so that they ask for what pictures hardly
    differ in, and lie apart by a constant gap.
    """
    random = np.random.default_rng(4)
    basis = random.standard_normal((_COMPONENTS, dim)) / np.sqrt(dim)
    mean = unit(random.standard_normal(dim)) * _MEAN
    mean[[dim // 7, dim // 3]] = (2.0, -1.5)
    gap = unit(random.standard_normal(dim)) * _GAP

    def draw(number: int, strengths: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        drawn: npt.NDArray[np.float64] = (random.standard_normal((number, _COMPONENTS)) * strengths) @ basis
        return drawn + _NOISE * random.standard_normal((number, dim)) + mean

    fading = np.arange(1, _COMPONENTS + 1, dtype=np.float64) ** -0.5
    pictures = unit(draw(count + queries, fading))
    texts = unit(draw(queries, np.full(_COMPONENTS, float(fading.mean()))) + gap)
    return Vectors(pictures[queries:], pictures[:queries], "synthetic vectors shaped like CLIP's"), texts


def nearly_alike(vectors: Vectors) -> tuple[Vectors, F32]:
    """Half of the rows as they are, and as many frames of scenes that hardly change; queries like those, [Q, D].

    Half of the frames are of one scene, as from a camera that stands still, the others of bursts of 50. A frame is a
    real row moved in 30 random directions of its scene, so that its cosine with that row is 0.995. The queries of the
    vectors given back are the held-out real ones.
    """
    random = np.random.default_rng(7)
    count, asked = len(vectors.rows), len(vectors.queries)
    half = count // 2
    burst = min(_BURST, max(1, half // 2))
    bursts = max(1, half // 2 // burst)
    scene = _frames(vectors.rows[half], max(0, count - half - bursts * burst) + asked, random)
    more = -(-asked // bursts)
    others = [
        _frames(vectors.rows[(half + 1 + number) % count], burst + more, random) for number in range(bursts)
    ]
    rows = np.concatenate([vectors.rows[:half], scene[asked:], *(frames[:burst] for frames in others)])
    like_bursts = np.concatenate([frames[burst:] for frames in others])
    queries = np.concatenate([scene[: asked - asked // 2], like_bursts[: asked // 2]])
    source = f"{half:,} {vectors.source}, and as many frames nearly alike"
    return Vectors(rows[random.permutation(len(rows))], vectors.queries, source), queries


def _frames(row: F32, count: int, random: np.random.Generator) -> F32:
    directions = unit(random.standard_normal((_DIRECTIONS, len(row))))
    apart = random.standard_normal((count, _DIRECTIONS)) @ directions / np.sqrt(_DIRECTIONS)
    return unit(row + np.sqrt(1 / _ALIKE**2 - 1) * apart)


def unit(rows: npt.NDArray[np.floating[Any]]) -> F32:
    """Rows divided by their lengths."""
    divided: F32 = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return divided
