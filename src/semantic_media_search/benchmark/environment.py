"""On what, with what and when a measurement was made."""

import os
import platform
import sys
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from semantic_media_search import __version__

_PACKAGES = ("numpy", "numba", "onnxruntime", "av", "pillow")


def environment(**further: object) -> dict[str, object]:
    """Hardware, versions and date, and whatever else the caller names (model, N, ...)."""
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.version.split()[0],
        "version": __version__,
        **{name: held for name in _PACKAGES if (held := _version(name))},
        **further,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux: the platform module knows as much as anyone
    return platform.processor() or platform.machine()
