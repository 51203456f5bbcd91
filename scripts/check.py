"""Every check there is, one after the other, with one summary at the end: `make test`, `make test-all`."""

import argparse
import os
import subprocess
import sys
import time

# Files, not tests, are dealt out to the processes: what a file's tests share is made once.
AT_ONCE = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "layers": ["importlinter"],
    "tests": ["pytest", "-m", "not exhaustive", *AT_ONCE],
    "not compiled": ["pytest", "tests/index/test_kernels.py", "tests/index/test_both_indexes.py"],
}
SETTINGS = {"not compiled": {"NUMBA_DISABLE_JIT": "1"}}
"""Environment variables of single checks: kernels also run as the Python that they are."""
EXHAUSTIVE = {"exhaustive tests": ["pytest", "-m", "exhaustive"]}


def command_of(words: list[str]) -> list[str]:
    """The command line of one check, run by this interpreter."""
    if words[0].startswith("importlinter"):
        return [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    return [sys.executable, "-m", *words]


def main() -> int:
    """Run the checks; 0 where all passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exhaustive", action="store_true", help="add the slow checks")
    checks = CHECKS | (EXHAUSTIVE if parser.parse_args().exhaustive else {})
    environment = os.environ | {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    outcomes: list[tuple[str, bool, float]] = []
    for name, words in checks.items():
        print(f"== {name}", flush=True)
        began = time.monotonic()
        done = subprocess.run(command_of(words), env=environment | SETTINGS.get(name, {}))
        outcomes.append((name, done.returncode == 0, time.monotonic() - began))
    print("\nSummary")
    for name, passed, seconds in outcomes:
        print(f"  {'passed' if passed else 'FAILED':<7} {name:<17} {seconds:6.1f} s")
    return 0 if all(passed for _, passed, _ in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
