"""What Python cannot say to a processor: prefetching, and the dot product of bytes in one instruction.

Each has a plain twin, taken where the processor lacks the instruction or nothing is compiled.
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

from semantic_media_search.index.jit import JIT_DISABLED, kernel

_BYTE, _HALF, _WORD, _LONG = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
_BYTES16, _BYTES32 = ir.VectorType(_BYTE, 16), ir.VectorType(_BYTE, 32)
_HALVES16, _WORDS8, _WORDS16 = ir.VectorType(_HALF, 16), ir.VectorType(_WORD, 8), ir.VectorType(_WORD, 16)
STEP = 64
"""Bytes that one step of the dot product takes; rows are padded to whole steps."""


def processor_has(*features: str) -> bool:
    """Whether compiled code may use these instruction sets (LLVM's names).

    Numba can be told to compile for another processor than this one; what that one has is not asked.
    """
    if JIT_DISABLED or any(getattr(numba.config, name, None) for name in ("CPU_NAME", "CPU_FEATURES")):
        return False
    here = llvm.get_host_cpu_features()
    return all(here.get(feature) for feature in features)


HAS_VNNI = processor_has("avx512vnni", "avx512f")
HAS_AVX2 = processor_has("avx2")


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


def _summed(builder: Any, length: Any, sums: int, kind: Any, term: Callable[[Any, int, Any], Any]) -> Any:
    """The total, int32, of vectors that are summed up in a loop over `length` bytes, STEP at a time.

    `term(offset, number, total)` gives what each of the `sums` running totals, of type `kind`, becomes in one step.
    """
    add_up = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_WORD, [kind]), f"llvm.vector.reduce.add.v{kind.count}i32"
    )
    before = builder.block
    loop, after = builder.append_basic_block("dot"), builder.append_basic_block("dot_done")
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
    following = builder.add(offset, ir.Constant(_LONG, STEP))
    offset.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, length), loop, after)
    builder.position_at_end(after)
    return builder.call(add_up, [reduce(builder.add, summed)])


def _loaded(builder: Any, base: Any, offset: Any, further: int, kind: Any) -> Any:
    """The vector at an address, an offset and so many bytes further, aligned or not."""
    place = builder.add(builder.add(base, offset), ir.Constant(_LONG, further))
    value = builder.load(builder.inttoptr(place, kind.as_pointer()))
    value.align = 1
    return value


def _instruction(builder: Any, name: str, result: Any, taken: list[Any]) -> Callable[..., Any]:
    """One of the processor's own instructions, by LLVM's name."""
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, taken), name)
    return lambda *values: builder.call(function, values)


@intrinsic
def _vnni_dot(typing_context: Any, codes: Any, weights: Any, length: Any) -> Any:  # noqa: ARG001
    """Dot product of `length` unsigned and signed bytes at two addresses: `vpdpbusd`, 64 at a time."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        codes, weights, length = arguments
        multiply = _instruction(builder, "llvm.x86.avx512.vpdpbusd.512", _WORDS16, [_WORDS16] * 3)

        def term(offset: Any, number: int, total: Any) -> Any:  # noqa: ARG001 - a step is one instruction
            return multiply(
                total, *(_loaded(builder, base, offset, 0, _WORDS16) for base in (codes, weights))
            )

        return _summed(builder, length, 1, _WORDS16, term)

    return types.int32(types.uintp, types.uintp, types.intp), generate


@intrinsic
def _avx2_dot(typing_context: Any, codes: Any, weights: Any, length: Any) -> Any:  # noqa: ARG001
    """Dot product of `length` unsigned and signed bytes at two addresses: `vpmaddwd`, 16 at a time in four sums.

    Bytes are widened to 16 bits first, so that nothing is cut off, as it is by the byte form `vpmaddubsw`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        codes, weights, length = arguments
        multiply = _instruction(builder, "llvm.x86.avx2.pmadd.wd", _WORDS8, [_HALVES16] * 2)

        def term(offset: Any, number: int, total: Any) -> Any:
            row = builder.zext(_loaded(builder, codes, offset, 16 * number, _BYTES16), _HALVES16)
            query = builder.sext(_loaded(builder, weights, offset, 16 * number, _BYTES16), _HALVES16)
            return builder.add(total, multiply(row, query))

        return _summed(builder, length, STEP // 16, _WORDS8, term)

    return types.int32(types.uintp, types.uintp, types.intp), generate


@intrinsic
def _avx2_query_dot(typing_context: Any, codes: Any, weights: Any, length: Any) -> Any:  # noqa: ARG001
    """As `_avx2_dot`, by `vpmaddubsw`, 32 bytes at a time, whose sums of two products must fit 16 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        codes, weights, length = arguments
        multiply = _instruction(builder, "llvm.x86.avx2.pmadd.ub.sw", _HALVES16, [_BYTES32] * 2)
        widen = _instruction(builder, "llvm.x86.avx2.pmadd.wd", _WORDS8, [_HALVES16] * 2)
        ones = ir.Constant(_HALVES16, [1] * 16)

        def term(offset: Any, number: int, total: Any) -> Any:
            pairs = multiply(
                *(_loaded(builder, base, offset, 32 * number, _BYTES32) for base in (codes, weights))
            )
            return builder.add(total, widen(pairs, ones))

        return _summed(builder, length, STEP // 32, _WORDS8, term)

    return types.int32(types.uintp, types.uintp, types.intp), generate


if JIT_DISABLED:

    def prefetch_row(rows, row):
        """Nothing: what is not compiled has no use for cache lines."""

else:

    @kernel
    def prefetch_row(rows, row):
        """Ask for all cache lines of `rows[row]`, rows C-contiguous."""
        stride = rows.strides[0]
        address = rows.ctypes.data + row * stride
        for offset in range(0, stride, STEP):
            _prefetch(address + offset)  # type: ignore[call-arg]  # the compiler gives the first argument


@kernel
def plain_dot(codes, row, weights):
    """Dot product of `codes[row]` (uint8) and `weights` (int8), int32.

    Every step is cut to 32 bits: an accumulator of 64 keeps the compiler from using vectors.
    """
    total = np.int32(0)
    for i in range(weights.shape[0]):
        total = np.int32(total + np.int32(np.int32(codes[row, i]) * np.int32(weights[i])))
    return total


if HAS_VNNI:

    @kernel
    def dot(codes, row, weights):
        """As `plain_dot`, in the processor's own instruction; the length is a multiple of STEP."""
        stride = codes.strides[0]
        return _vnni_dot(codes.ctypes.data + row * stride, weights.ctypes.data, weights.shape[0])  # type: ignore[call-arg]

    query_dot = dot

elif HAS_AVX2:

    @kernel
    def dot(codes, row, weights):
        """As `plain_dot`, in instructions that most processors have; the length is a multiple of STEP."""
        stride = codes.strides[0]
        return _avx2_dot(codes.ctypes.data + row * stride, weights.ctypes.data, weights.shape[0])  # type: ignore[call-arg]

    @kernel
    def query_dot(codes, row, weights):
        """As `dot`, faster, for weights of a query: sizes of two neighbors (0 and 1, 2 and 3, ...) add up to 128 at
        most.
        """
        stride = codes.strides[0]
        return _avx2_query_dot(codes.ctypes.data + row * stride, weights.ctypes.data, weights.shape[0])  # type: ignore[call-arg]

else:
    dot = query_dot = plain_dot
