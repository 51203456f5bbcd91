"""On what, with what and when a measurement was made."""

import os
import platform
import subprocess
import sys
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from semantic_media_search import __version__

_PACKAGES = ("numpy", "numba", "onnxruntime", "av", "pillow")
_PATIENCE = 10.0
"""Seconds that git may take to answer."""


def environment(**further: object) -> dict[str, object]:
    """Hardware, versions and date, and whatever else the caller names (model, N, ...).

    `memory` is left out where the system does not say, `commit` where the program runs from no checkout of its own.
    """
    memory, commit = _memory(), commit_of(Path(__file__))
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        **({"memory": memory} if memory else {}),
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.version.split()[0],
        "version": __version__,
        **({"commit": commit} if commit else {}),
        **{name: held for name in _PACKAGES if (held := _version(name))},
        **further,
    }


def commit_of(file: Path) -> str | None:
    """The commit of the checkout that a file belongs to, `-dirty` behind it where files differ from it.

    None where git knows no such file: a checkout may also have a virtual environment in it.
    """
    asked = (
        ("ls-files", "--error-unmatch", file.name),
        ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"),
    )
    said = ""
    for words in asked:
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=file.parent,
                capture_output=True,
                text=True,
                check=False,
                timeout=_PATIENCE,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode:
            return None
        said = done.stdout.strip()
    return said


def _memory() -> str | None:
    """The machine's memory."""
    try:
        held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return f"{held / 2**30:.1f} GiB"


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
