import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive_index import reached
from semantic_media_search.errors import IndexFormatError, VectorError
from semantic_media_search.index.graph import Graph, draw_levels, slot_owners
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.index.invariants import check_rules
from semantic_media_search.index.landmarks import landmarks_of
from semantic_media_search.search.brute_force import BruteForceIndex
from semantic_media_search.search.recall import choose_ef, recall_by_distance
from vectors import clustered, like_clip, unit


def build(rows, m: int = 8, ef: int = 60, threads: int = 1) -> HNSWIndex:
    index = HNSWIndex(rows.shape[1], m=m, ef_construction=ef)
    index.build(rows, threads=threads)
    return index


def recall(index: HNSWIndex, rows, queries, ef: int = 50) -> float:
    _, exact = BruteForceIndex(rows).search_batch(queries, 10)
    return recall_by_distance(index.search_batch(queries, 10, ef)[1], exact)


def test_the_graph_is_the_same_for_any_number_of_threads() -> None:
    rows = clustered(3_000)
    one, three = build(rows), build(rows, threads=3)
    for name in ("levels", "links", "upper", "offsets", "entry", "top"):
        np.testing.assert_array_equal(getattr(one._graph, name), getattr(three._graph, name))


def test_growing_tells_how_far_it_has_come_and_is_none_the_different() -> None:
    rows, told = clustered(3_000), HNSWIndex(32, m=8, ef_construction=60)
    steps: list[int] = []
    told.build(rows[:2_000], 2, steps.append)
    assert sum(steps) == 2_000
    assert 20 < len(steps) < 500
    told.add(rows, 2, steps.append)
    assert sum(steps) == 3_000
    silent = build(rows[:2_000])
    silent.add(rows)
    np.testing.assert_array_equal(told._graph.links, silent._graph.links)


def test_levels_are_geometric_and_do_not_depend_on_the_splits() -> None:
    levels = draw_levels(0, 200_000, 16, seed=3)
    np.testing.assert_array_equal(levels[1_000:], draw_levels(1_000, 200_000, 16, seed=3))
    assert np.mean(levels >= 1) == pytest.approx(1 / 16, rel=0.05)
    assert np.mean(levels >= 2) == pytest.approx(1 / 256, rel=0.2)


def test_growing_by_insertion_is_as_good_as_building() -> None:
    rows, queries = clustered(4_000), clustered(100, seed=1)
    index = HNSWIndex(32, m=8, ef_construction=60)
    for stop in (1, 2, 50, 1_000, 4_000):
        index.add(rows[:stop])
        check_rules(index._graph, 8)
        assert len(reached(index._graph)) == stop
    assert recall(index, rows, queries) > recall(build(rows), rows, queries) - 0.02


def test_vectors_like_clips_and_queries_from_elsewhere() -> None:
    rows, texts = like_clip(4_000), like_clip(100, seed=1, text=True)
    index = build(rows, m=16, ef=100)
    assert recall(index, rows, like_clip(100, seed=2)) > 0.95
    ef, reached_recall = choose_ef(index, BruteForceIndex(rows), texts, 10, 0.98)
    assert reached_recall >= 0.98
    assert ef <= 1_000


def test_landmarks_are_chosen_as_the_graph_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a long build would go down from the few nodes that were tall in its first rows."""
    counts: list[int] = []

    def choose(graph: Graph, codes, norms, count: int):
        counts.append(count)
        return landmarks_of(graph, codes, norms, count)

    monkeypatch.setattr("semantic_media_search.index.build.landmarks_of", choose)
    index = build(clustered(3_000))
    assert counts[0] == 1
    assert counts[-1] == len(index)
    assert all(second <= 2.1 * first for first, second in itertools.pairwise(counts[1:]))
    assert len(counts) < 16
    first_tall = int(np.flatnonzero(index._graph.levels)[0])
    assert first_tall + 1 in counts, "before that there is nothing but the entry point"


_GROWN = """
import numpy as np, sys
from pathlib import Path
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.index.link import find_links, take_links
from semantic_media_search.index.search import search_many
from vectors import clustered

rows, path = clustered(900, 24), Path(sys.argv[1])
index = HNSWIndex(24)
index.build(rows[:300])
index.add(rows[:600])
index.save(path)
index.search(rows[0], 3)
loaded = HNSWIndex.load(path, rows)
loaded.add(rows)
loaded.search_batch(rows, 3)
print(*(len(kernel.signatures) for kernel in (find_links, take_links, search_many)))
"""


def test_kernels_are_compiled_for_one_kind_of_arrays_built_grown_or_loaded(tmp_path: Path) -> None:
    """Or the first `add` would compile once more, for seconds, without a word."""
    done = subprocess.run(
        [sys.executable, "-c", _GROWN, str(tmp_path / "index")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1", "1", "1"]


def test_a_thousand_duplicates() -> None:
    rows = np.concatenate([np.repeat(clustered(1, 16), 1_000, axis=0), clustered(500, 16, seed=1)])
    index = build(rows, m=16, ef=200)
    check_rules(index._graph, 16)
    assert [cosine for _, cosine in index.search(rows[0], 10)] == pytest.approx([1] * 10, abs=1e-5)
    assert recall(index, rows, rows[1_000:1_100], ef=100) > 0.9


@pytest.mark.parametrize(
    ("fault", "message"), [("itself", "itself among its upper"), ("twice", "one twice among")]
)
def test_the_rules_hold_on_upper_layers_too(fault: str, message: str) -> None:
    index = build(clustered(2_000))
    graph = index._graph
    check_rules(graph, 8)
    slot = int(np.flatnonzero((graph.upper >= 0).sum(axis=1) >= 2)[0])
    graph.upper = graph.upper.copy()
    graph.upper[slot, 0] = slot_owners(graph)[slot] if fault == "itself" else graph.upper[slot, 1]
    with pytest.raises(IndexFormatError, match=message):
        check_rules(graph, 8)


@pytest.mark.parametrize("fault", ["beyond", "too high", "top", "nowhere to begin"])
def test_the_rules_look_at_levels_and_ids(fault: str) -> None:
    index = build(clustered(500))
    graph = index._graph
    if fault == "beyond":
        graph.links = graph.links.copy()
        graph.links[7, 0] = 500
    elif fault == "too high":
        low = int(np.flatnonzero(graph.levels == 0)[0])
        graph.upper = graph.upper.copy()
        graph.upper[graph.offsets[graph.entry], 0] = low
    elif fault == "top":
        graph.top += 1
    else:
        graph.landmarks = graph.landmarks[:0]
    with pytest.raises(IndexFormatError, match=r"not there|is not on it|entry point|node to begin at"):
        check_rules(graph, 8)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((3, 8)), "row 0 has length 0"),
        (np.full((3, 8), np.nan), "length nan"),
        (np.ones((3, 8)), "length 2.828"),
        (np.ones((3, 9)) / 3, "9"),
        (np.ones(8), "8"),
    ],
)
def test_rows_that_cannot_be_indexed_are_refused(rows, message: str) -> None:
    index = HNSWIndex(8)
    with pytest.raises(VectorError, match=message):
        index.build(rows.astype(np.float32))
    with pytest.raises(VectorError, match="float64"):
        index.build(unit(np.ones((3, 8))).astype(np.float64))


def test_rows_lie_in_one_piece_and_may_lie_apart(tmp_path: Path) -> None:
    rows = clustered(200, 40)
    index = build(rows)
    index.save(tmp_path / "index")
    for wrong in (np.asfortranarray(rows), np.repeat(rows, 2, axis=1)[:, ::2]):
        with pytest.raises(VectorError, match="ascontiguousarray"):
            HNSWIndex(40).build(wrong)
        with pytest.raises(VectorError, match="ascontiguousarray"):
            HNSWIndex.load(tmp_path / "index", wrong)
    apart = np.repeat(rows, 2, axis=0)[::2]
    assert apart.strides[0] == 2 * rows.strides[0]
    for held in (build(apart), HNSWIndex.load(tmp_path / "index", apart)):
        assert [held.search(query, 5) for query in rows[:20]] == [
            index.search(query, 5) for query in rows[:20]
        ]


def test_an_index_does_not_shrink_by_adding() -> None:
    index = build(clustered(10, 8))
    with pytest.raises(VectorError, match="5 rows"):
        index.add(clustered(5, 8))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_sequence_of_changes_keeps_rules_and_answers(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    rows = clustered(400, 12, seed=data.draw(st.integers(0, 5)))
    index = HNSWIndex(12, m=data.draw(st.integers(2, 8)), ef_construction=40)
    size, gone = 0, set()
    for _ in range(data.draw(st.integers(1, 6))):
        change = data.draw(st.sampled_from(["add", "delete", "restore", "reload"]))
        if change == "add":
            size = data.draw(st.integers(size, min(400, size + 150)))
            index.add(rows[:size], threads=data.draw(st.integers(1, 3)))
        elif change == "reload":
            path = tmp_path_factory.mktemp("index") / "index.bin"
            index.save(path)
            index = HNSWIndex.load(path, rows[:size])
            index.verify()
        elif size:
            ids = data.draw(st.lists(st.integers(0, size - 1), max_size=40))
            if change == "delete":
                index.mark_deleted(ids)
                gone |= set(ids)
            else:
                index.restore(ids)
                gone -= set(ids)
        check_rules(index._graph, index.m)
        assert index.deleted_count == len(gone)
    if size == 0:
        return
    share = data.draw(st.sampled_from([1.0, 0.5, 0.05]))
    allowed = np.random.default_rng(size).random(size) < share
    exact = BruteForceIndex(rows[:size])
    exact.mark_deleted(np.array(sorted(gone), np.int64))
    k = min(5, int(allowed.sum()) - int(allowed[sorted(gone)].sum()))
    if k > 0:
        _, wanted = exact.search_batch(rows[:20], k, allowed=allowed)
        ids, found = index.search_batch(
            rows[:20], k, ef=size, threads=data.draw(st.integers(1, 3)), allowed=allowed
        )
        assert not (set(ids.ravel().tolist()) & gone)
        assert (ids >= 0).all()
        assert allowed[ids].all()
        assert recall_by_distance(found, wanted) > 0.9


def test_built_and_loaded_indexes_share_compiled_code(tmp_path: Path) -> None:
    """Arrays of another type would have Numba compile every search anew, for seconds, after a load."""
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import numpy as np\n"
        "from vectors import clustered\n"
        "from semantic_media_search.index.hnsw import HNSWIndex\n"
        "from semantic_media_search.index.allowed import list_nodes\n"
        "from semantic_media_search.index.search import scan_many, search_many\n"
        "rows = clustered(200, 8)\n"
        "rows.tofile(sys.argv[1] + '/rows')\n"
        "mapped = np.memmap(sys.argv[1] + '/rows', np.float32, 'r', shape=rows.shape)\n"
        "built = HNSWIndex(8, m=4, ef_construction=20)\n"
        "built.build(rows)\n"
        "built.save(sys.argv[1] + '/index')\n"
        "loaded = HNSWIndex.load(sys.argv[1] + '/index', mapped)\n"
        "few = np.arange(200) % 40 == 0\n"
        "for index in (built, loaded):\n"
        "    for deleted in ([], [3]):\n"
        "        index.mark_deleted(deleted)\n"
        "        for queries in (rows, mapped):\n"
        "            index.search(queries[0], 3)\n"
        "            for allowed in (None, ~few, few):\n"
        "                index.search_batch(queries, 3, 3, allowed=allowed)\n"
        "print(*(len(kernel.signatures) for kernel in (search_many, scan_many, list_nodes)))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path), *sys.path],
        env={name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout.split() == ["1", "1", "1"]


def test_the_largest_dimension_there_may_be() -> None:
    dim = 16_384
    rows = np.full((6, dim), dim**-0.5, np.float32)
    for number in range(1, 6):
        rows[number, :: number + 1] *= -1
    rows[5] = -rows[0]
    index = build(rows)
    check_rules(index._graph, 8)
    for number in range(6):
        assert index.search(rows[number], 1)[0] == (number, pytest.approx(1, abs=1e-4))
    with pytest.raises(VectorError, match="dim is 1 to 16384"):
        HNSWIndex(dim + 1)


def test_a_failed_build_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    rows = clustered(100, 8)
    index = build(rows)
    index.mark_deleted([4])
    index.save(tmp_path / "index.bin")
    index = HNSWIndex.load(tmp_path / "index.bin", rows)
    before = index.search_batch(rows, 5)
    with pytest.raises(VectorError):
        index.build(np.zeros((5, 8), np.float32))
    assert (len(index), index.deleted_count) == (100, 1)
    for held, found in zip(before, index.search_batch(rows, 5), strict=True):
        np.testing.assert_array_equal(held, found)
    index.verify()
    index.build(rows[:50])
    (tmp_path / "index.bin").write_bytes(b"")  # no longer what this index is of
    index.verify()
    assert (len(index), index.deleted_count) == (50, 0)


def test_the_same_answers_without_the_compiler(tmp_path: Path) -> None:
    """NUMBA_DISABLE_JIT=1 runs the kernels as the Python that they are."""
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import numpy as np\n"
        "from vectors import clustered\n"
        "from semantic_media_search.index.hnsw import HNSWIndex\n"
        "rows = clustered(60, 8)\n"
        "index = HNSWIndex(8, m=3, ef_construction=10)\n"
        "index.build(rows)\n"
        "ids, cosines = index.search_batch(rows, 5, ef=8)\n"
        "allowed = np.arange(60) % 3 == 0\n"
        "few, _ = index.search_batch(rows, 5, ef=8, allowed=allowed)\n"
        "np.savez(sys.argv[1], links=index._graph.links, ids=ids, cosines=cosines, few=few)\n"
    )
    results = []
    for disabled in ("0", "1"):
        out = tmp_path / f"{disabled}.npz"
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, str(out), *sys.path],
            env=os.environ | {"NUMBA_DISABLE_JIT": disabled},
            check=True,
        )
        results.append(np.load(out))
    compiled, plain = results
    for name in ("links", "ids", "few"):
        np.testing.assert_array_equal(compiled[name], plain[name])
    np.testing.assert_allclose(compiled["cosines"], plain["cosines"], atol=1e-6)
