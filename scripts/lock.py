"""Pin every dependency anew, for all platforms and Python versions at once: `make lock`.

Writes `requirements.txt` (CPU), `requirements-gpu.txt`, `requirements-dev.txt` and `requirements-bench.txt` from
`pyproject.toml`.
"""

import argparse
import subprocess
import sys
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


def pins(extras: tuple[str, ...], group: str | None) -> list[str]:
    """The pinned lines for one set, as uv resolves it."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--python-version",
        "3.11",
    ]
    command += ["--no-header", "--no-annotate", "--upgrade", "pyproject.toml"]
    command += [word for extra in extras for word in ("--extra", extra)]
    if group:
        command += ["--group", group]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if not line.startswith(WITH_TORCH)]


def main() -> None:
    """Write the files."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, (extras, group, text) in HEADERS.items():
        head = [f"# {text} Made by `make lock` from pyproject.toml.", "-e ."]
        Path(name).write_text("\n".join([*head, *pins(extras, group)]) + "\n", encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
