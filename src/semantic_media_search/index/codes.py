"""4-bit codes: what the graph is walked on, an eighth of the vectors' size.

A row x, less a centre, is rotated (`rotation`), and each coordinate y becomes u = floor(y / scale) + 8, cut to 0..15.
The centre takes out the large common mean that CLIP's vectors have. After the rotation all coordinates vary alike, so
one scale serves all of them, and distances between codes are distances between vectors. A query stays a direction:
rotated, in signed bytes, w = round(y / step). Since q . x = q . centre + step * scale * (w . u) + a constant of the
query, the integer w . u alone ranks the rows, up to rounding: `margin_of` says how far to trust it, and `nearby` has
what is done where that is too little.

64 bytes hold 128 coordinates: the lower halves the first 64 of them, the upper halves the others.
"""

import numpy as np

from semantic_media_search.index.inner_product import inner_product
from semantic_media_search.index.instructions import STEP
from semantic_media_search.index.jit import kernel
from semantic_media_search.index.rotation import padded, rotate

_WEIGHT_SIGMAS = 4.5
"""The largest weight of a query in standard deviations of a coordinate: hardly any lies beyond."""
MARGIN_SIGMAS = 3.5
"""Rows whose code is so many standard errors worse than the k-th best are not among the k best."""


def stride_of(dim: int) -> int:
    """Bytes of one row of codes: half a byte a coordinate of the rotated vector."""
    return padded(dim) // 2


@kernel
def encode_rows(embeddings, centre, per_step, signs, room, out, norms, start, stop):
    """Write the codes of rows `start` to `stop` into `out`, uint8 [N, stride], and into `norms`, int32 [N], their
    squared lengths, sum((u - 8)^2); `per_step` is 1 / scale.
    """
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


@kernel
def quantise_query(query, signs, room, weights):
    """Fill `weights`, int8 [2 * stride], from a query, float32 [D], rotated.

    A weight of 127 is _WEIGHT_SIGMAS times what coordinates are on average; the rare larger ones are cut to it. Returns
    what coordinates were multiplied by, float32.
    """
    dim, width = query.shape[0], weights.shape[0]
    rotated = room[0]
    for i in range(dim):
        rotated[i] = query[i]
    rotated[dim:] = 0
    rotate(signs, room)
    factor = np.float32(127 / (_WEIGHT_SIGMAS * np.sqrt(np.float64(inner_product(query, query)) / width)))
    for i in range(width):
        level = np.rint(rotated[i] * factor)
        weights[i] = np.int8(min(max(level, np.float32(-127)), np.float32(127)))
    return factor


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
