"""Compiled code that is kept must be that of the sources as they are."""

import shutil
import subprocess
import sys
from pathlib import Path

import semantic_media_search.index
from semantic_media_search.index.jit import source_stamp

INDEX = Path(semantic_media_search.index.__path__[0])

TWO_KERNELS = """
import sys
from pathlib import Path

import numba

sys.path.insert(0, {folder!r})
from copied.outer import outer

print(outer(1), sum(outer.stats.cache_hits.values()))
"""


def _run(folder: Path) -> list[str]:
    command = [sys.executable, "-c", TWO_KERNELS.format(folder=str(folder))]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.split()


def test_a_kernel_is_compiled_anew_when_one_that_it_calls_has_changed(tmp_path: Path) -> None:
    package = tmp_path / "copied"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(INDEX / "jit.py", package)
    head = "from copied.jit import kernel\n"
    (package / "inner.py").write_text(f"{head}@kernel\ndef inner(x):\n    return x + 1\n")
    (package / "outer.py").write_text(
        f"{head}from copied.inner import inner\n@kernel\ndef outer(x):\n    return inner(x)\n"
    )
    assert _run(tmp_path) == ["2", "0"]
    assert _run(tmp_path) == ["2", "1"], "what was compiled is kept"
    (package / "inner.py").write_text(f"{head}@kernel\ndef inner(x):\n    return x + 7\n")
    assert _run(tmp_path) == ["8", "0"]


def test_without_any_folder_to_keep_it_in_code_is_compiled_all_the_same(tmp_path: Path) -> None:
    program = """
import numba.core.caching as caching
caching.CacheImpl._locator_classes = []
from semantic_media_search.index.pool import cost_of, pack
print(cost_of(pack(5, 3)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120
    )
    assert ran.stdout.split() == ["5"]


def test_the_stamp_changes_with_every_file(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n")
    before = source_stamp(tmp_path)
    (tmp_path / "b.py").write_text("x = 2\n")
    assert source_stamp(tmp_path) != before
