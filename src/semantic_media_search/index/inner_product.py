"""Inner products and distances of float32 vectors, the same to the last bit on every processor, compiled or not.

A compiler that may choose its own order of additions chooses another for each processor. Here the order is fixed: two
times LANES running sums, added up in halves, then what is left of the vectors one by one; no fused multiply-adds.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from semantic_media_search.index.instructions import loaded, totals_over
from semantic_media_search.index.jit import JIT_DISABLED, kernel

LANES = 16
_FLOATS = 2 * LANES
_BYTES = 4
_VECTOR = ir.VectorType(ir.FloatType(), LANES)


def _summed(builder: Any, one: Any, other: Any, length: Any, term: Callable[[Any, Any], Any]) -> Any:
    """The sum of what `term` makes of the vectors at two addresses, `length` bytes of each."""

    def added(offset: Any, number: int, total: Any) -> Any:
        parts = [loaded(builder, base, offset, _BYTES * LANES * number, _VECTOR) for base in (one, other)]
        return builder.fadd(total, term(*parts))

    total = reduce(builder.fadd, totals_over(builder, length, _BYTES * _FLOATS, 2, _VECTOR, added))
    while total.type.count > 1:
        half = total.type.count // 2
        lower, upper = (
            builder.shuffle_vector(
                total, ir.Constant(total.type, ir.Undefined), _indices(range(start, start + half))
            )
            for start in (0, half)
        )
        total = builder.fadd(lower, upper)
    return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))


@intrinsic
def _product(typing_context: Any, one: Any, other: Any, length: Any) -> Any:  # noqa: ARG001
    """Inner product of `length` bytes of float32, a multiple of 2 LANES of them and not none, at two addresses."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        one, other, length = arguments
        return _summed(builder, one, other, length, builder.fmul)

    return types.float32(types.uintp, types.uintp, types.intp), generate


@intrinsic
def _square(typing_context: Any, one: Any, other: Any, length: Any) -> Any:  # noqa: ARG001
    """As `_product`, the square of the distance."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        def squared(a: Any, b: Any) -> Any:
            apart = builder.fsub(a, b)
            return builder.fmul(apart, apart)

        one, other, length = arguments
        return _summed(builder, one, other, length, squared)

    return types.float32(types.uintp, types.uintp, types.intp), generate


def _indices(places: range) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))


if JIT_DISABLED:

    def _in_order(terms):
        """The sum of float32 terms, in the order of this module."""
        whole = len(terms) // _FLOATS * _FLOATS
        lanes = np.zeros(_FLOATS, np.float32)
        for part in terms[:whole].reshape(-1, _FLOATS):
            lanes += part
        while len(lanes) > 1:
            half = len(lanes) // 2
            lanes = lanes[:half] + lanes[half:]
        total = lanes[0]
        for term in terms[whole:]:
            total = np.float32(total + term)
        return total

    def inner_product(one, other):
        """Inner product of two vectors, float32 [D]."""
        return _in_order(one * other)

    def square_distance(one, other):
        """The square of the distance between two vectors, float32 [D]."""
        return _in_order((one - other) ** 2)

else:

    @kernel
    def inner_product(one, other):
        """Inner product of two contiguous vectors, float32 [D]."""
        whole = one.shape[0] // _FLOATS * _FLOATS
        total = np.float32(0)
        if whole > 0:
            total = _product(one.ctypes.data, other.ctypes.data, whole * _BYTES)  # type: ignore[call-arg]
        for i in range(whole, one.shape[0]):
            total = np.float32(total + np.float32(one[i] * other[i]))
        return total

    @kernel
    def square_distance(one, other):
        """The square of the distance between two contiguous vectors, float32 [D]."""
        whole = one.shape[0] // _FLOATS * _FLOATS
        total = np.float32(0)
        if whole > 0:
            total = _square(one.ctypes.data, other.ctypes.data, whole * _BYTES)  # type: ignore[call-arg]
        for i in range(whole, one.shape[0]):
            apart = np.float32(one[i] - other[i])
            total = np.float32(total + np.float32(apart * apart))
        return total
