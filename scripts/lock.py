"""Pin every dependency anew, for all platforms and Python versions at once: `make lock`.

Writes `requirements.txt` (CPU), `requirements-gpu.txt`, `requirements-dev.txt` and `requirements-bench.txt` from
`pyproject.toml`.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# On Linux the registry's torch brings its own CUDA packages, a CPU build none: which of the two there is
# to be had differs from machine to machine, so what comes with it is not pinned.
WITH_TORCH = ("cuda-", "nvidia-", "triton")
HEADERS = {
    "requirements.txt": (("cpu",), None, "What the program needs, with inference on the CPU."),
    "requirements-gpu.txt": (
        ("gpu",),
        None,
        "What the program needs, with inference on an NVIDIA GPU (CUDA).",
    ),
    "requirements-dev.txt": (("cpu",), "test", "What the checks need beside requirements.txt's."),
    "requirements-bench.txt": (
        ("cpu", "bench"),
        None,
        "What `media-search benchmark` measures beside, with charts.",
    ),
}


def pins(extras: tuple[str, ...], group: str | None, constraints: Sequence[str] = ()) -> list[str]:
    """The pinned lines for one set, as uv resolves it; what `constraints` pin stays at their versions."""
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "constraints.txt"
        pinned.write_text("\n".join(constraints) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"]
        command += ["--python-version", "3.11", "--no-header", "--no-annotate", "--upgrade"]
        command += ["--constraint", str(pinned), "pyproject.toml"]
        command += [word for extra in extras for word in ("--extra", extra)]
        if group:
            command += ["--group", group]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in found if not line.startswith(WITH_TORCH)]


def main() -> None:
    """Write the files."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    tested: list[str] = []
    for name, (extras, group, text) in HEADERS.items():
        # The benchmark's packages are installed over those of the checks: what both need is of one version.
        lines = pins(extras, group, tested if "bench" in extras else ())
        if group:
            tested = lines
        head = [f"# {text} Made by `make lock` from pyproject.toml.", "-e ."]
        Path(name).write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
