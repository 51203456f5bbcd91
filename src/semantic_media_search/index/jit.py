"""How kernels are compiled, written down once.

Floats are added in the order that is written, so that every processor finds the same. Compiled code is kept in Numba's
cache, per processor; beside the package, or in the user's own cache where that cannot be written to.
"""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])
A = TypeVar("A", bound=np.ndarray[Any, Any])

JIT_DISABLED: bool = bool(getattr(numba.config, "DISABLE_JIT", False))


def source_stamp(folder: Path) -> tuple[tuple[str, int], ...]:
    """The name and CRC-32 of every source file in a folder."""
    return tuple((path.name, zlib.crc32(path.read_bytes())) for path in sorted(folder.glob("*.py")))


_STAMP = source_stamp(Path(__file__).parent)


def _compiled(function: Callable[..., Any], **more: bool) -> Any:
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", **more}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # there is no folder that compiled code could be kept in
        return numba.njit(**options)(function)
    # Numba looks only at the file that a kernel is in, and would go on using one that has kernels of other files
    # built into it after those have changed.
    cache_file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if cache_file is not None:
        cache_file._source_stamp = _STAMP
    return compiled


def kernel(function: F) -> F:
    """Compile a module-level function over flat arrays; it runs without the interpreter's lock."""
    return cast("F", _compiled(function))


def inlined_kernel(function: F) -> F:
    """As `kernel`, and always part of what calls it, however large the compiler finds it."""
    return cast("F", _compiled(function, forceinline=True))


def read_only(array: A) -> A:
    """A view of an array that cannot be written to: of one type to the compiler, wherever the array comes from."""
    view = array.view()
    view.flags.writeable = False
    return view
