"""How much memory this process, or another with its children, holds. Linux only; None elsewhere."""

import ctypes
import gc
import os
import re
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_PROC = Path("/proc")
_SAMPLE_SECONDS = 0.05
MB = 1e6


@dataclass(slots=True)
class Peak:
    """Bytes, known when the block that measured them has ended; None where the system does not say."""

    bytes: int | None = None


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """The most memory that this process held at once inside the block."""
    peak = Peak()
    try:
        (_PROC / "self" / "clear_refs").write_text("5")  # sets the high-water mark back
        there = sys.platform == "linux"
    except OSError:
        there = False
    yield peak
    if there:
        peak.bytes = _status("self", "VmHWM")


def own_memory() -> int | None:
    """Bytes that this process holds, after what it freed was handed back."""
    gc.collect()
    with suppress(OSError, AttributeError):  # glibc's; others hand back by themselves, or say nothing
        ctypes.CDLL(None).malloc_trim(0)
    return _status("self", "VmRSS")


@contextmanager
def peak_of_tree(pid: int | None = None) -> Iterator[Peak]:
    """The most that a process (default: this one) and all below it held together, looked at 20 times a second.

    Pages that several share are shared out among them.
    """
    peak, stopped = Peak(), threading.Event()

    def watch() -> None:
        while True:
            held = tree_memory(pid or os.getpid())
            if held is not None:
                peak.bytes = max(peak.bytes or 0, held)
            if stopped.wait(_SAMPLE_SECONDS):
                return

    watcher = threading.Thread(target=watch, daemon=True, name="memory watch")
    watcher.start()
    try:
        yield peak
    finally:
        stopped.set()
        watcher.join()


def tree_memory(pid: int) -> int | None:
    """Bytes held by a process and all below it; None where the system does not say or it is gone."""
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii")
        children = [
            int(child)
            for thread in (_PROC / str(pid) / "task").iterdir()
            for child in (thread / "children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return None
    return _kilobytes(text, "Pss") + sum(tree_memory(child) or 0 for child in children)


@contextmanager
def allocated() -> Iterator[Peak]:
    """The arrays that numpy allocated inside the block and that are still held at its end: exact, on any system."""
    held = Peak()
    arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    tracemalloc.start()
    try:
        yield held
        held.bytes = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([arrays]).traces)
    finally:
        tracemalloc.stop()


def _status(process: str, field: str) -> int | None:
    try:
        return _kilobytes((_PROC / process / "status").read_text(encoding="utf-8"), field)
    except OSError:
        return None


def _kilobytes(text: str, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
