"""Whatever a processor can do, the index is the same."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from semantic_media_search.index import instructions
from semantic_media_search.index.hnsw import HNSWIndex
from vectors import clustered

_BUILD = """
import sys
import numpy as np
from semantic_media_search.index import instructions
from semantic_media_search.index.hnsw import HNSWIndex

assert instructions.dot is instructions.plain_dot
rows = np.load(sys.argv[1])
index = HNSWIndex(rows.shape[1], m=8, ef_construction=40)
index.build(rows)
index.save(sys.argv[2])
np.save(sys.argv[3], index.search_batch(rows[:50], 10)[0])
"""


def test_a_processor_without_special_instructions_builds_and_finds_the_same(tmp_path: Path) -> None:
    rows = clustered(2_000, 96)
    np.save(tmp_path / "rows.npy", rows)
    subprocess.run(
        [
            sys.executable,
            "-c",
            _BUILD,
            *(str(tmp_path / name) for name in ("rows.npy", "plain", "found.npy")),
        ],
        env=os.environ | {"NUMBA_CPU_NAME": "generic", "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    index = HNSWIndex(rows.shape[1], m=8, ef_construction=40)
    index.build(rows)
    index.save(tmp_path / "here")
    assert (tmp_path / "here").read_bytes() == (tmp_path / "plain").read_bytes()
    assert np.array_equal(index.search_batch(rows[:50], 10)[0], np.load(tmp_path / "found.npy"))


def test_nothing_special_is_used_where_numba_compiles_for_another_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("numba.config.CPU_NAME", "generic")
    assert not instructions.processor_has("sse2")
