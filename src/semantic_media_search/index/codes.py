"""8-bit codes: what the graph is walked on, a quarter of the vectors' size.

A row x becomes u = round((x - centre) / scale) + 128 per dimension, cut to 0..255. One scale serves all
dimensions, so that distances between codes are distances between vectors; the centre takes out the large common
mean that CLIP's vectors have. A query stays a direction: w = round(q / step), signed. Since q . x = q . centre +
step * scale * (w . u) + a constant of the query, the integer w . u alone ranks the rows.
"""

import numpy as np

from semantic_media_search.index.instructions import STEP
from semantic_media_search.index.jit import kernel
from semantic_media_search.records import F32, U8

_SAMPLE = 20_000
_SIGMAS = 4.0
_MEDIANS = 6.0
"""Dimensions that vary more than this many times the median are cut rather than let all others be coarse."""
_BLOCK = 4096
_FIT_BLOCK = 256


def stride_of(dim: int) -> int:
    """Bytes of one row of codes: the dimension, padded to whole steps of the dot product."""
    return -(-dim // STEP) * STEP


def fit(embeddings: F32, seed: int = 0) -> tuple[F32, float]:
    """The centre, float32 [D], and the scale for rows like these, from a seeded sample of them.

    The scale is one that the file, which holds float32, gives back as it is.
    """
    count = len(embeddings)
    rows = np.arange(count)
    if count > _SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(count, _SAMPLE, replace=False))
    # In blocks that stay in a cache: the whole sample in float64 would be most of the time that this takes.
    blocks = [rows[at : at + _FIT_BLOCK] for at in range(0, len(rows), _FIT_BLOCK)]
    centre = sum(embeddings[block].sum(axis=0, dtype=np.float64) for block in blocks) / len(rows)
    spread = np.sqrt(sum(((embeddings[block] - centre) ** 2).sum(axis=0) for block in blocks) / len(rows))
    widest = min(float(spread.max()), _MEDIANS * float(np.median(spread)) or float(spread.max()))
    scale = _SIGMAS * widest / 127
    return centre.astype(np.float32), float(np.float32(scale if scale > 0 else 1.0 / 127))


def aligned_zeros(rows: int, stride: int) -> U8:
    """uint8 [rows, stride] of zeros whose rows begin at cache lines."""
    raw = np.zeros(rows * stride + STEP, dtype=np.uint8)
    start = -raw.ctypes.data % STEP
    return raw[start : start + rows * stride].reshape(rows, stride)


def encode(embeddings: F32, centre: F32, scale: float, out: U8, start: int, stop: int) -> None:
    """Write the codes of rows `start` to `stop` into `out`, uint8 [N, stride]; padding becomes 128, a zero."""
    dim = embeddings.shape[1]
    for at in range(start, stop, _BLOCK):
        end = min(at + _BLOCK, stop)
        levels = np.rint((np.asarray(embeddings[at:end]) - centre) * np.float32(1 / scale))
        out[at:end, :dim] = (np.clip(levels, -128, 127) + 128).astype(np.uint8)
        out[at:end, dim:] = 128


@kernel
def quantise_query(query, weights):
    """Fill `weights`, int8 [stride], from a query, float32 [D], as `query_dot` takes them.

    The largest sum of two neighbors' sizes becomes 127, by rounding at most 128.
    """
    largest = np.float32(0)
    for i in range(0, query.shape[0] - 1, 2):
        largest = max(largest, abs(query[i]) + abs(query[i + 1]))
    if query.shape[0] % 2:
        largest = max(largest, abs(query[-1]))
    factor = np.float32(127) / largest if largest > 0 else np.float32(0)
    for i in range(query.shape[0]):
        weights[i] = np.int8(np.rint(query[i] * factor))
    for i in range(query.shape[0], weights.shape[0]):
        weights[i] = 0


@kernel
def row_weights(codes, row, weights):
    """Fill `weights`, int8 [stride], with a row's own code, v = u - 128, so that rows can be held against one another.

    Returns sum(v), int64: dot() takes unsigned codes, and sum(v' * v) = dot(u', v) - 128 * sum(v).
    """
    total = np.int32(0)
    for i in range(weights.shape[0]):
        value = np.int32(codes[row, i]) - np.int32(128)
        weights[i] = np.int8(value)
        total = np.int32(total + value)
    return np.int64(total)


@kernel
def square_norms(codes, out, start, stop):
    """Write sum((u - 128)^2) of rows `start` to `stop` into `out`, int32 [N]."""
    for row in range(start, stop):
        total = np.int32(0)
        for i in range(codes.shape[1]):
            value = np.int32(codes[row, i]) - np.int32(128)
            total = np.int32(total + np.int32(value * value))
        out[row] = total
