"""A fixed rotation that spreads every vector evenly over its coordinates, so that few bits hold each of them.

Signs, then a Hadamard transform, twice over: the structured rotation of fast Johnson-Lindenstrauss transforms
(Ailon & Chazelle 2009), which RaBitQ (Gao & Long 2024) puts before its codes too. Lengths and inner products stay as
they are; CLIP's few outlier dimensions are spread over all, and each coordinate varies about as much as any other.

The rule is part of the file format: codes that were written must be met by queries that are rotated alike.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from semantic_media_search.index.jit import kernel
from semantic_media_search.records import F32

U64 = npt.NDArray[np.uint64]
UNIT = 128
"""Vectors are padded with zeros to a multiple of so many coordinates."""
_BLOCKS = 5
_TURNS = 2
_COLUMNS = 16


def padded(dim: int) -> int:
    """How many coordinates a vector of `dim` dimensions has once rotated: 128, 256, 384, 512, 640, 768, 1024, 1280, ...

    At most five blocks of a power of two: `reflect` hardly mixes more.
    """
    width = max(1, -(-dim // UNIT)) * UNIT
    while width // block_of(width) > _BLOCKS:
        width += UNIT
    return width


def block_of(width: int) -> int:
    """The largest power of two that divides the width: so many coordinates are transformed at a time."""
    return width & -width


def splitmix64(numbers: U64) -> U64:
    """Numbers that look drawn by lot, one for each number: the last steps of the generator of that name."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@cache
def signs_of(width: int) -> F32:
    """What coordinates are multiplied by before each transform, float32 [_TURNS, width], read-only.

    Signs, from splitmix64 of 1, 2, ..., by the factor that keeps a transform from making vectors longer.
    """
    numbers = np.arange(1, _TURNS * width + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    signs: F32 = (
        np.where(splitmix64(numbers) >> np.uint64(63), -1, 1).astype(np.float32).reshape(_TURNS, width)
    )
    signs /= np.float32(np.sqrt(block_of(width)))
    signs.flags.writeable = False
    return signs


def rotation_room(width: int) -> F32:
    """Scratch memory for `rotate`, float32 [2, width]."""
    return np.empty((2, width), np.float32)


@kernel
def add_and_subtract(values, apart):
    """The stages of a Hadamard transform that pair values so far `apart` or farther, in place; two at a time."""
    while 4 * apart <= values.shape[0]:
        for start in range(0, values.shape[0], 4 * apart):
            a, b = values[start : start + apart], values[start + apart : start + 2 * apart]
            c, d = (
                values[start + 2 * apart : start + 3 * apart],
                values[start + 3 * apart : start + 4 * apart],
            )
            for i in range(apart):
                ab, cd, a_b, c_d = a[i] + b[i], c[i] + d[i], a[i] - b[i], c[i] - d[i]
                a[i], b[i], c[i], d[i] = ab + cd, a_b + c_d, ab - cd, a_b - c_d
        apart *= 4
    if apart < values.shape[0]:
        first, second = values[:apart], values[apart:]
        for i in range(apart):
            one, other = first[i], second[i]
            first[i] = one + other
            second[i] = one - other


@kernel
def hadamard(values, spare):
    """A Hadamard transform of `values`, a power of two of them, in place and in another order; not scaled.

    Values that are close together cannot be paired in a processor's vectors. So the rest of the stages are made of the
    transposed matrix of _COLUMNS columns.
    """
    rows = values.shape[0] // _COLUMNS
    add_and_subtract(values, _COLUMNS)
    for row in range(rows):
        for column in range(_COLUMNS):
            spare[column * rows + row] = values[row * _COLUMNS + column]
    add_and_subtract(spare, rows)
    for i in range(values.shape[0]):
        values[i] = spare[i]


@kernel
def reflect(values, sums, block):
    """Mix the blocks of `values` with one another, in place: a Householder reflection along (1, 1, ...)."""
    blocks = values.shape[0] // block
    sums[:] = 0
    for start in range(0, values.shape[0], block):
        part = values[start : start + block]
        for i in range(block):
            sums[i] += part[i]
    share = np.float32(2) / np.float32(blocks)
    for start in range(0, values.shape[0], block):
        part = values[start : start + block]
        for i in range(block):
            part[i] -= share * sums[i]


@kernel
def rotate(signs, room):
    """Rotate `room[0]`, float32 [width], in place; `room` is from `rotation_room`, `signs` from `signs_of`."""
    width = signs.shape[1]
    block = width & -width
    values, spare = room[0], room[1, :block]
    for turn in range(signs.shape[0]):
        turned = signs[turn]
        for i in range(width):
            values[i] *= turned[i]
        for start in range(0, width, block):
            hadamard(values[start : start + block], spare)
        if block < width:
            reflect(values, spare, block)
