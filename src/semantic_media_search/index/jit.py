"""The compiler's flags, written down once.

`nnan` and `ninf` stay out of them: infinity is a sentinel. Compiled code is kept in Numba's cache, per processor.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

JIT_DISABLED: bool = bool(getattr(numba.config, "DISABLE_JIT", False))

_kernel = numba.njit(cache=True, nogil=True, error_model="numpy")


_summing = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz", "contract"})


def summing_kernel(function: F) -> F:
    """As `kernel`, for sums of floats that may be added up in any order, so that vectors of them can be."""
    compiled: Any = _summing(function)
    return cast("F", compiled)


def kernel(function: F) -> F:
    """Compile a module-level function over flat arrays; it runs without the interpreter's lock."""
    compiled: Any = _kernel(function)
    return cast("F", compiled)
