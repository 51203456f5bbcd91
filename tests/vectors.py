"""Vectors for tests of searching."""

import numpy as np

from semantic_media_search.records import F32


def unit(rows) -> F32:
    rows = np.asarray(rows, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def clustered(count: int, dim: int = 32, seed: int = 0) -> F32:
    """Rows around a few dozen centres, as embeddings of real things are."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((24, dim))
    return unit(centres[random.integers(0, 24, count)] + 0.6 * random.standard_normal((count, dim)))


def like_clip(count: int, dim: int = 64, seed: int = 0, *, text: bool = False) -> F32:
    """Rows as CLIP's are: a large common mean, a few outlier dimensions, texts and pictures apart."""
    random = np.random.default_rng(seed)
    shape = np.random.default_rng(99)
    mean = shape.standard_normal(dim) * 0.5
    gap = shape.standard_normal(dim)
    mean[:2] = (8.0, -6.0)
    rows = random.standard_normal((count, 12)) @ shape.standard_normal((12, dim)) * 0.4
    rows += 0.3 * random.standard_normal((count, dim))
    rows[:, :2] *= 3
    return unit(mean + rows + (gap if text else 0))
