"""What Python cannot say to a processor: prefetching, and the dot product of bytes in one instruction.

Each has a plain twin, taken where the processor lacks the instruction or nothing is compiled.
"""

from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from semantic_media_search.index.jit import JIT_DISABLED, kernel

_BYTE, _HALF, _WORD, _LONG = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
_LANES = ir.VectorType(_WORD, 16)
_BYTES16, _HALVES16, _WORDS8 = ir.VectorType(_BYTE, 16), ir.VectorType(_HALF, 16), ir.VectorType(_WORD, 8)
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


@intrinsic
def _vnni_dot(typing_context: Any, codes: Any, weights: Any, length: Any) -> Any:  # noqa: ARG001
    """Dot product of `length` unsigned and signed bytes at two addresses: `vpdpbusd`, 64 at a time."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        codes, weights, length = arguments
        module = builder.module
        multiply = cgutils.get_or_insert_function(
            module, ir.FunctionType(_LANES, [_LANES] * 3), "llvm.x86.avx512.vpdpbusd.512"
        )
        add_up = cgutils.get_or_insert_function(
            module, ir.FunctionType(_WORD, [_LANES]), "llvm.vector.reduce.add.v16i32"
        )
        before = builder.block
        loop, after = builder.append_basic_block("dot"), builder.append_basic_block("dot_done")
        builder.branch(loop)
        builder.position_at_end(loop)
        offset, total = builder.phi(_LONG), builder.phi(_LANES)
        offset.add_incoming(ir.Constant(_LONG, 0), before)
        total.add_incoming(ir.Constant(_LANES, [0] * 16), before)
        loaded = []
        for base in (codes, weights):
            value = builder.load(builder.inttoptr(builder.add(base, offset), _LANES.as_pointer()))
            value.align = 1
            loaded.append(value)
        summed = builder.call(multiply, [total, *loaded])
        following = builder.add(offset, ir.Constant(_LONG, STEP))
        offset.add_incoming(following, loop)
        total.add_incoming(summed, loop)
        builder.cbranch(builder.icmp_signed("<", following, length), loop, after)
        builder.position_at_end(after)
        return builder.call(add_up, [summed])

    return types.int32(types.uintp, types.uintp, types.intp), generate


@intrinsic
def _avx2_dot(typing_context: Any, codes: Any, weights: Any, length: Any) -> Any:  # noqa: ARG001
    """Dot product of `length` unsigned and signed bytes at two addresses: `vpmaddwd`, 16 at a time in four sums.

    Bytes are widened to 16 bits first, so that nothing is cut off, as it is by the byte form `vpmaddubsw`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        codes, weights, length = arguments
        module = builder.module
        multiply = cgutils.get_or_insert_function(
            module, ir.FunctionType(_WORDS8, [_HALVES16] * 2), "llvm.x86.avx2.pmadd.wd"
        )
        add_up = cgutils.get_or_insert_function(
            module, ir.FunctionType(_WORD, [_WORDS8]), "llvm.vector.reduce.add.v8i32"
        )
        before = builder.block
        loop, after = builder.append_basic_block("dot"), builder.append_basic_block("dot_done")
        builder.branch(loop)
        builder.position_at_end(loop)
        offset = builder.phi(_LONG)
        offset.add_incoming(ir.Constant(_LONG, 0), before)
        totals = [builder.phi(_WORDS8) for _ in range(STEP // 16)]
        summed = []
        for part, total in enumerate(totals):
            total.add_incoming(ir.Constant(_WORDS8, [0] * 8), before)
            place = builder.add(offset, ir.Constant(_LONG, 16 * part))
            wide = []
            for base, widen in ((codes, builder.zext), (weights, builder.sext)):
                value = builder.load(builder.inttoptr(builder.add(base, place), _BYTES16.as_pointer()))
                value.align = 1
                wide.append(widen(value, _HALVES16))
            summed.append(builder.add(total, builder.call(multiply, wide)))
            total.add_incoming(summed[-1], loop)
        following = builder.add(offset, ir.Constant(_LONG, STEP))
        offset.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, length), loop, after)
        builder.position_at_end(after)
        one, two, three, four = summed
        return builder.call(add_up, [builder.add(builder.add(one, two), builder.add(three, four))])

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

elif HAS_AVX2:

    @kernel
    def dot(codes, row, weights):
        """As `plain_dot`, in instructions that most processors have; the length is a multiple of STEP."""
        stride = codes.strides[0]
        return _avx2_dot(codes.ctypes.data + row * stride, weights.ctypes.data, weights.shape[0])  # type: ignore[call-arg]

else:
    dot = plain_dot
