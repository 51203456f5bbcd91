"""ONNX Runtime sessions: which device runs a graph, with how many threads."""

import ctypes
import os
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

from semantic_media_search.errors import ModelError, ModelLayoutError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

_QUIET = 3  # ONNX Runtime's log level: errors only


class Session:
    """One loaded graph: what it takes and gives, and the device it runs on. May be run from any thread."""

    def __init__(self, path: Path, *, threads: int, spinning: bool = True) -> None:
        """Load an ONNX file. `threads` 0 means as many as the process may use.

        With `spinning` they look out for more work for a while when they are done: faster where runs follow one
        another, but what comes after a run finds no free core.

        Raises ModelLayoutError where the file is damaged, ModelError where ONNX Runtime is missing.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelError(
                f"ONNX Runtime cannot be loaded ({error}); install it with `pip install onnxruntime`, "
                "or `pip install onnxruntime-gpu` for an NVIDIA GPU, never both"
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _QUIET
        options.intra_op_num_threads = threads or usable_cores()
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
        # Processors without VNNI saturate int8 products, which set the starter's vectors 0.985 apart (decisions/0305).
        options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=providers())
        # ONNX Runtime raises a dozen unrelated classes for a file that it cannot load.
        except Exception as error:
            raise ModelLayoutError(f"{path} cannot be loaded as an ONNX model: {error}") from error
        self.path = path
        self.input_names = frozenset(node.name for node in self._session.get_inputs())
        self.output_names = tuple(node.name for node in self._session.get_outputs())
        self.on_gpu = self._session.get_providers()[0] != CPU
        # A GPU's memory is for one batch; cores take a batch each.
        self._turn: AbstractContextManager[object] = threading.Lock() if self.on_gpu else nullcontext()

    def require(self, *, inputs: set[str], known_inputs: set[str], output: str) -> None:
        """Check the graph's signature. Raises ModelLayoutError with what was expected and found."""
        if inputs <= self.input_names <= known_inputs and output in self.output_names:
            return
        raise ModelLayoutError(
            f"{self.path} takes {', '.join(sorted(self.input_names))} and gives "
            f"{', '.join(self.output_names)}; expected {', '.join(sorted(inputs))} -> {output}"
        )

    def run(self, output: str, feed: dict[str, Any]) -> Any:
        """The named output for these inputs. Raises ModelError where the graph fails."""
        try:
            with self._turn:
                return self._session.run([output], feed)[0]
        # As above: the classes it raises share no base but Exception.
        except Exception as error:
            raise ModelError(f"{self.path.name} failed on its input: {error}") from error


def usable_cores() -> int:
    """How many cores this process may use, which is not how many the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def providers() -> list[str | tuple[str, dict[str, str]]]:
    """ONNX Runtime's execution providers, best first: CUDA where a GPU is really there, and the CPU."""
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers() or not cuda_device_count():
        return [CPU]
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    # TF32 rounds to 10 bits, which would set a GPU's vectors apart from a CPU's.
    return [(CUDA, {"use_tf32": "0"}), CPU]


def cuda_device_count() -> int:
    """How many CUDA devices the driver reports; 0 where there is no driver.

    Asked of the driver, because ONNX Runtime lists every provider it was built with, GPU or none.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
        count = ctypes.c_int(0)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value
