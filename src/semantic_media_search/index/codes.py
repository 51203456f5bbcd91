"""4-bit codes: what the graph is walked on, an eighth of the vectors' size.

A row x, less a centre, is rotated (`rotation`), and each coordinate y becomes u = floor(y / scale) + 8, cut to 0..15.
The centre takes out the large common mean that CLIP's vectors have. After the rotation all coordinates vary alike, so
one scale serves all of them, and distances between codes are distances between vectors. A query stays a direction:
rotated, in signed bytes, w = round(y / step). Since q . x = q . centre + step * scale * (w . u) + a constant of the
query, the integer w . u alone ranks the rows, up to rounding: `margin_of` says how far to trust it.

64 bytes hold 128 coordinates: the lower halves the first 64 of them, the upper halves the others.
"""

from collections.abc import Iterator

import numpy as np

from semantic_media_search.index.graph import I32
from semantic_media_search.index.instructions import STEP
from semantic_media_search.index.jit import kernel, summing_kernel
from semantic_media_search.index.rotation import padded, rotate, rotation_room, signs_of
from semantic_media_search.records import F32, U8

_SAMPLE = 20_000
_STEP_SIGMAS = 0.4
"""A step of the codes in standard deviations of a coordinate: 16 of them reach to 3.2, beyond which little lies."""
_LONGEST = 0.99
_WEIGHT_SIGMAS = 4.5
"""The largest weight of a query in standard deviations of a coordinate: hardly any lies beyond."""
_FIT_BLOCK = 256
MARGIN_SIGMAS = 3.5
"""Rows whose code is so many standard errors worse than the k-th best are not among the k best."""


def stride_of(dim: int) -> int:
    """Bytes of one row of codes: half a byte a coordinate of the rotated vector."""
    return padded(dim) // 2


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
    rows, middle = np.asarray(embeddings).view(), centre.view()
    rows.flags.writeable = middle.flags.writeable = False  # one type to the compiler, wherever they come from
    encode_rows(
        rows, middle, np.float32(1 / scale), signs, rotation_room(signs.shape[1]), out, norms, start, stop
    )


@kernel
def encode_rows(embeddings, centre, per_step, signs, room, out, norms, start, stop):
    """`encode`, with scratch memory; `per_step` is 1 / scale."""
    dim = embeddings.shape[1]
    for row in range(start, stop):
        for i in range(dim):
            room[0, i] = (embeddings[row, i] - centre[i]) * per_step
        room[0, dim:] = 0
        rotate(signs, room)
        total = np.int32(0)
        for at in range(out.shape[1]):
            first = STEP * (at // STEP) + at
            low, high = level_of(room[0, first]), level_of(room[0, first + STEP])
            out[row, at] = np.uint8((low + 8) | ((high + 8) << 4))
            total = np.int32(total + low * low + high * high)
        norms[row] = total


@kernel
def level_of(value):
    """floor(value), cut to -8..7, int32; what is no number, in a damaged file, as -8."""
    if not value > np.float32(-8):
        return np.int32(-8)
    return np.int32(np.floor(min(value, np.float32(7))))


@summing_kernel
def squared_length(query):
    """Inner product of a query, float32 [D], with itself."""
    total = np.float32(0)
    for i in range(query.shape[0]):
        total += query[i] * query[i]
    return total


@kernel
def quantise_query(query, signs, room, weights):
    """Fill `weights`, int8 [2 * stride], from a query, float32 [D], rotated.

    A weight of 127 is _WEIGHT_SIGMAS times what coordinates are on average; the rare larger ones are cut to it.
    """
    dim, width = query.shape[0], weights.shape[0]
    rotated = room[0]
    for i in range(dim):
        rotated[i] = query[i]
    rotated[dim:] = 0
    rotate(signs, room)
    factor = np.float32(127 / (_WEIGHT_SIGMAS * np.sqrt(squared_length(query) / width)))
    for i in range(width):
        level = np.rint(rotated[i] * factor)
        weights[i] = np.int8(min(max(level, np.float32(-127)), np.float32(127)))


@kernel
def margin_of(weights):
    """How much worse a row's cost may be than another's that its vector is better than, MARGIN_SIGMAS at most.

    Rounding down is off by a step's uniform error, weights by half a unit at most: variances of 1/12 each, of two rows,
    where the codes are 2.5 from their middle on average (the mean of (u - 8)^2 is about 6.5). What was cut off does not
    count.
    """
    squares = np.int32(0)
    for i in range(weights.shape[0]):
        squares = np.int32(squares + np.int32(np.int32(weights[i]) * np.int32(weights[i])))
    variance = (np.float64(squares) + 6.5 * weights.shape[0]) / 6
    return np.int64(MARGIN_SIGMAS * np.sqrt(variance))


@kernel
def row_weights(codes, row, weights):
    """Fill `weights`, int8 [2 * stride], with a row's own code, v = u - 8, to hold other rows against it.

    Returns sum(v), int64: dot() takes unsigned codes, and sum(v' * v) = dot(u', v) - 8 * sum(v).
    """
    total = np.int32(0)
    for start in range(0, codes.shape[1], STEP):
        part = codes[row, start : start + STEP]
        lower, upper = weights[2 * start : 2 * start + STEP], weights[2 * start + STEP : 2 * start + 2 * STEP]
        for i in range(STEP):
            low, high = np.int32(part[i] & 15) - np.int32(8), np.int32(part[i] >> 4) - np.int32(8)
            lower[i], upper[i] = np.int8(low), np.int8(high)
            total = np.int32(total + low + high)
    return np.int64(total)
