"""What Python cannot say to a processor: prefetching, and the dot product of bytes in one instruction.

Where the processor lacks the instruction, vectors of LLVM's own take its place, which suit every processor.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from semantic_media_search.index.jit import JIT_DISABLED, inlined_kernel

_BYTE, _HALF, _WORD, _LONG = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
_BYTES16, _BYTES32, _BYTES64 = (ir.VectorType(_BYTE, count) for count in (16, 32, 64))
_HALVES16, _WORDS8, _WORDS16 = ir.VectorType(_HALF, 16), ir.VectorType(_WORD, 8), ir.VectorType(_WORD, 16)
STEP = 64
"""Bytes of codes that one step of the dot product takes, 128 coordinates; rows are padded to whole steps."""


def processor_has(*features: str) -> bool:
    """Whether compiled code may use these instruction sets (LLVM's names).

    Numba can be told to compile for another processor than this one; what that one has is not asked.
    """
    if JIT_DISABLED or any(getattr(numba.config, name, None) for name in ("CPU_NAME", "CPU_FEATURES")):
        return False
    here = llvm.get_host_cpu_features()
    return all(here.get(feature) for feature in features)


@intrinsic
def _prefetch(typing_context: Any, address: Any) -> Any:  # noqa: ARG001 - the decorator's signature
    """Ask for the cache line at an address, into the second-level cache.

    A core can wait for far more lines there than in its first level, whose queue a few rows already fill: asking for
    the first level made a whole search half as fast again.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], _BYTE.as_pointer())
        signature = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _WORD, _WORD, _WORD])
        function = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0i8")
        read, keep, data = (ir.Constant(_WORD, value) for value in (0, 2, 1))
        builder.call(function, [pointer, read, keep, data])
        return context.get_dummy_value()

    return types.void(types.uintp), generate


def totals_over(
    builder: Any, length: Any, step: int, sums: int, kind: Any, term: Callable[[Any, int, Any], Any]
) -> list[Any]:
    """Running totals, vectors of type `kind`, in a loop over `length` bytes, `step` at a time and at least once.

    `term(offset, number, total)` gives what each of the `sums` totals becomes in one step.
    """
    before = builder.block
    loop, after = builder.append_basic_block("product"), builder.append_basic_block("product_done")
    builder.branch(loop)
    builder.position_at_end(loop)
    offset = builder.phi(_LONG)
    offset.add_incoming(ir.Constant(_LONG, 0), before)
    totals = [builder.phi(kind) for _ in range(sums)]
    summed = []
    for number, total in enumerate(totals):
        total.add_incoming(ir.Constant(kind, [0] * kind.count), before)
        summed.append(term(offset, number, total))
        total.add_incoming(summed[-1], loop)
    following = builder.add(offset, ir.Constant(_LONG, step))
    offset.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, length), loop, after)
    builder.position_at_end(after)
    return summed


def _summed(builder: Any, length: Any, sums: int, kind: Any, term: Callable[[Any, int, Any], Any]) -> Any:
    """As `totals_over` a row of codes, and all of them added up, int32."""
    add_up = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_WORD, [kind]), f"llvm.vector.reduce.add.v{kind.count}i32"
    )
    return builder.call(add_up, [reduce(builder.add, totals_over(builder, length, STEP, sums, kind, term))])


def loaded(builder: Any, base: Any, offset: Any, further: int, kind: Any) -> Any:
    """The vector at an address, an offset and so many bytes further, aligned or not."""
    place = builder.add(builder.add(base, offset), ir.Constant(_LONG, further))
    value = builder.load(builder.inttoptr(place, kind.as_pointer()))
    value.align = 1
    return value


def _instruction(builder: Any, name: str, result: Any, taken: list[Any]) -> Callable[..., Any]:
    """One of the processor's own instructions, by LLVM's name."""
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, taken), name)
    return lambda *values: builder.call(function, values)


def _half_bytes(builder: Any, row: Any, kind: Any) -> tuple[Any, Any]:
    """The lower and the upper four bits of each byte of a vector, as a vector of `kind`."""
    bytes_kind = row.type
    lower = builder.and_(row, ir.Constant(bytes_kind, [15] * bytes_kind.count))
    upper = builder.lshr(row, ir.Constant(bytes_kind, [4] * bytes_kind.count))
    return builder.bitcast(lower, kind), builder.bitcast(upper, kind)


@intrinsic
def _vnni_dot(typing_context: Any, codes: Any, weights: Any, length: Any) -> Any:  # noqa: ARG001
    """Dot product of `length` bytes of codes, two in each, and twice as many signed bytes: `vpdpbusd`, 64 at a time."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        codes, weights, length = arguments
        multiply = _instruction(builder, "llvm.x86.avx512.vpdpbusd.512", _WORDS16, [_WORDS16] * 3)

        def term(offset: Any, number: int, total: Any) -> Any:
            half = _half_bytes(builder, loaded(builder, codes, offset, 0, _BYTES64), _WORDS16)[number]
            twice = builder.add(offset, offset)
            return multiply(total, half, loaded(builder, weights, twice, STEP * number, _WORDS16))

        return _summed(builder, length, 2, _WORDS16, term)

    return types.int32(types.uintp, types.uintp, types.intp), generate


@intrinsic
def _avx2_dot(typing_context: Any, codes: Any, weights: Any, length: Any) -> Any:  # noqa: ARG001
    """As `_vnni_dot`, by `vpmaddubsw`: 32 products a time, in sums of two of 16 bits.

    Each sum of two is at most 2 * 15 * 128, so that four of them fit before they are widened.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        codes, weights, length = arguments
        multiply = _instruction(builder, "llvm.x86.avx2.pmadd.ub.sw", _HALVES16, [_BYTES32] * 2)
        widen = _instruction(builder, "llvm.x86.avx2.pmadd.wd", _WORDS8, [_HALVES16] * 2)
        ones = ir.Constant(_HALVES16, [1] * 16)

        def term(offset: Any, number: int, total: Any) -> Any:  # noqa: ARG001 - a step is one sum
            twice = builder.add(offset, offset)
            sums = []
            for further in (0, 32):
                row = loaded(builder, codes, offset, further, _BYTES32)
                for place, half in zip((0, STEP), _half_bytes(builder, row, _BYTES32), strict=True):
                    sums.append(multiply(half, loaded(builder, weights, twice, place + further, _BYTES32)))
            return builder.add(total, widen(reduce(builder.add, sums), ones))

        return _summed(builder, length, 1, _WORDS8, term)

    return types.int32(types.uintp, types.uintp, types.intp), generate


@intrinsic
def _any_dot(typing_context: Any, codes: Any, weights: Any, length: Any) -> Any:  # noqa: ARG001
    """As `_vnni_dot`, for any processor: vectors of 16-bit products, of which eight fit in a sum before it is widened.

    LLVM makes each processor's own multiplications of it, on arm64 `smlal`, 8 at a time.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        codes, weights, length = arguments

        def term(offset: Any, number: int, total: Any) -> Any:  # noqa: ARG001 - a step is one sum
            twice = builder.add(offset, offset)
            products = []
            for further in range(0, STEP, 16):
                row = loaded(builder, codes, offset, further, _BYTES16)
                for place, half in zip((0, STEP), _half_bytes(builder, row, _BYTES16), strict=True):
                    weight = loaded(builder, weights, twice, place + further, _BYTES16)
                    products.append(
                        builder.mul(builder.sext(half, _HALVES16), builder.sext(weight, _HALVES16))
                    )
            return builder.add(total, builder.sext(reduce(builder.add, products), _WORDS16))

        return _summed(builder, length, 1, _WORDS16, term)

    return types.int32(types.uintp, types.uintp, types.intp), generate


def _best_dot() -> Any:
    if processor_has("avx512vnni", "avx512f"):
        return _vnni_dot
    return _avx2_dot if processor_has("avx2") else _any_dot


if JIT_DISABLED:

    def prefetch_row(rows, row):
        """Nothing: what is not compiled has no use for cache lines."""

    def dot(codes, row, weights):
        """Dot product of the half bytes of `codes[row]` (uint8 [S]) and `weights` (int8 [2 S]), int32.

        Of every 64 bytes the lower halves come first, then the upper ones.
        """
        steps = codes[row].reshape(-1, 1, STEP)
        halves = np.concatenate([steps & 15, steps >> 4], axis=1).reshape(-1)
        return np.int32(halves.astype(np.int32) @ weights.astype(np.int32))

else:
    _product = _best_dot()

    @inlined_kernel
    def prefetch_row(rows, row):
        """Ask for all cache lines of `rows[row]`, rows C-contiguous."""
        stride = rows.strides[0]
        address = rows.ctypes.data + row * stride
        for offset in range(0, stride, STEP):
            _prefetch(address + offset)  # type: ignore[call-arg]  # the compiler gives the first argument

    @inlined_kernel
    def dot(codes, row, weights):
        """Dot product of the half bytes of `codes[row]` (uint8 [S]) and `weights` (int8 [2 S]), int32.

        Of every 64 bytes the lower halves come first, then the upper ones. Rows are whole steps long.
        """
        stride = codes.strides[0]
        return _product(codes.ctypes.data + row * stride, weights.ctypes.data, stride)
