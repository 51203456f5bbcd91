"""Whatever a processor can do, the index is the same."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt
import pytest

import naive_index as naive
from semantic_media_search.index import instructions
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.records import U8
from vectors import clustered

_BUILD = """
import sys
import numpy as np
from semantic_media_search.index import instructions
from semantic_media_search.index.hnsw import HNSWIndex

assert instructions._product is instructions._any_dot
rows = np.load(sys.argv[1])
index = HNSWIndex(rows.shape[1], m=8, ef_construction=40)
index.build(rows)
index.save(sys.argv[2])
np.savez(sys.argv[3], *index.search_batch(rows[450:550], 10))
"""


def test_a_processor_without_special_instructions_builds_and_finds_the_same(tmp_path: Path) -> None:
    rows = clustered(2_000, 96)
    rows[500:600] = rows[500] + 0.003 * np.random.default_rng(0).normal(size=(100, 96))  # compared by vectors
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.save(tmp_path / "rows.npy", rows)
    subprocess.run(
        [
            sys.executable,
            "-c",
            _BUILD,
            *(str(tmp_path / name) for name in ("rows.npy", "plain", "found.npz")),
        ],
        env=os.environ | {"NUMBA_CPU_NAME": "generic", "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    index = HNSWIndex(rows.shape[1], m=8, ef_construction=40)
    index.build(rows)
    index.save(tmp_path / "here")
    assert (tmp_path / "here").read_bytes() == (tmp_path / "plain").read_bytes()
    found = np.load(tmp_path / "found.npz")
    for here, there in zip(index.search_batch(rows[450:550], 10), found.values(), strict=True):
        assert np.array_equal(here, there), "to the last bit of the cosines"


def test_nothing_special_is_used_where_numba_compiles_for_another_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("numba.config.CPU_NAME", "generic")
    assert not instructions.processor_has("sse2")


def _dot_by(name: str) -> Callable[[U8, int, npt.NDArray[np.int8]], int]:
    """A dot product as `instructions.dot` would be if it were made of this instruction."""
    instruction = getattr(instructions, name)

    @numba.njit
    def dot(codes, row, weights):  # type: ignore[no-untyped-def]
        return instruction(codes.ctypes.data + row * codes.strides[0], weights.ctypes.data, codes.shape[1])

    return dot  # type: ignore[no-any-return]


WAYS = {"_vnni_dot": ("avx512vnni", "avx512f"), "_avx2_dot": ("avx2",), "_any_dot": ()}
"""What each needs of a processor."""


@pytest.mark.parametrize("name", [way for way in WAYS if instructions.processor_has(*WAYS[way])])
def test_each_way_to_multiply_that_this_processor_has(name: str) -> None:
    """Not only the best one, which is all that the index takes here."""
    dot = _dot_by(name)
    random = np.random.default_rng(0)
    for stride in (64, 128, 192, 384):
        codes = random.integers(0, 256, (20, stride), dtype=np.uint8)
        weights = random.integers(-128, 128, 2 * stride).astype(np.int8)
        for place, weight in (
            (slice(None), random.integers(-128, 128, 2 * stride)),
            (slice(0, None, 2), -128),
        ):
            weights[place] = weight
            codes[0] = 255
            exact = (naive.coordinates(codes) + 8) @ weights.astype(np.int64)
            assert [dot(codes, row, weights) for row in range(len(codes))] == exact.tolist()
