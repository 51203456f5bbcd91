"""Each kernel against its naive twin."""

import numpy as np
import pytest

import naive_index as naive
from semantic_media_search.index import codes as coding
from semantic_media_search.index.allowed import nodes_of
from semantic_media_search.index.build import _BATCH_LIMIT, _BATCH_SHARE
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.index.instructions import dot, plain_dot, query_dot
from semantic_media_search.index.jit import JIT_DISABLED
from semantic_media_search.index.link import select_neighbors
from semantic_media_search.index.pool import cost_of, insert, merge, node_of, pack
from semantic_media_search.index.search import BY_VECTOR, exact_cosine, rank, search_scan
from semantic_media_search.index.walk import MERGED_FROM, beam, beam_room, cost, descend
from vectors import clustered

COUNT = 110 if JIT_DISABLED else 300


@pytest.fixture(scope="module")
def index() -> HNSWIndex:
    index = HNSWIndex(20, m=4, ef_construction=40)
    index.build(clustered(COUNT, 20))
    return index


@pytest.mark.parametrize("stride", [64, 128, 512])
def test_the_processors_dot_product_is_the_plain_one(stride: int) -> None:
    random = np.random.default_rng(stride)
    codes = random.integers(0, 256, (50, stride)).astype(np.uint8)
    weights = random.integers(-128, 128, stride).astype(np.int8)
    for row in range(50):
        assert dot(codes, row, weights) == plain_dot(codes, row, weights) == naive.dot(codes[row], weights)
    codes[0], weights[:] = 255, -128  # the largest sum there is
    assert dot(codes, 0, weights) == plain_dot(codes, 0, weights) == -128 * 255 * stride


@pytest.mark.parametrize("pair", [(64, 64), (-64, -64), (127, 1), (1, -127), (-128, 0), (100, -28)])
def test_a_query_that_is_multiplied_faster_gives_the_same_sums(pair: tuple[int, int]) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (20, 128)).astype(np.uint8)
    codes[0] = 255
    weights = np.tile(np.array(pair, np.int8), 64)
    for row in range(20):
        assert query_dot(codes, row, weights) == plain_dot(codes, row, weights)


def test_keys_sort_by_cost_then_node() -> None:
    pairs = [(-5, 7), (-5, 9), (0, 1), (2**31 - 1, 0), (-(2**31), 2**31 - 2)]
    keys = [pack(np.int64(a), np.int64(b)) for a, b in pairs]
    assert [(cost_of(key), node_of(key)) for key in keys] == pairs
    assert sorted(keys) == [pack(np.int64(a), np.int64(b)) for a, b in sorted(pairs)]


def test_the_costs_of_the_largest_dimension_fit_their_keys() -> None:
    dim = 16_384
    codes = np.zeros((2, dim), np.uint8)
    codes[0] = 255
    norms = np.empty(2, np.int32)
    coding.square_norms(codes, norms, 0, 2)
    weights = np.empty(dim, np.int8)
    for node in (0, 1):
        total = coding.row_weights(codes, node, weights)
        for other in (0, 1):
            found = cost(codes, norms, other, weights)
            assert cost_of(pack(found, np.int64(other))) == found
            apart = found + norms[node] + 256 * total
            assert apart == (0 if node == other else 255**2 * dim)


def test_the_pool_keeps_the_best_in_order() -> None:
    random = np.random.default_rng(0)
    pool, size, held = np.zeros(8, np.int64), 0, []
    for _ in range(200):
        key = int(random.integers(-50, 50)) * 2
        if key in held:
            continue
        place = insert(pool, size, 8, key)
        held = naive.insert(held, 8, key)
        assert (place < 8) == (key in held)
        size = min(size + (place < 8), 8)
        assert pool[:size].tolist() == held


def test_merging_keys_is_putting_them_in_one_by_one() -> None:
    random = np.random.default_rng(1)
    for capacity, size, count in ((8, 0, 3), (8, 8, 5), (8, 5, 12), (8, 8, 0), (3, 2, 4), (6, 3, 3)):
        for _ in range(20):
            keys = 2 * random.permutation(40)[: size + count].astype(np.int64)
            pool = np.zeros(capacity + 1, np.int64)
            pool[:size], more = np.sort(keys[:size]), np.sort(keys[size:])
            first, held = merge(pool, size, capacity, more, count)
            best = sorted(keys.tolist())[:capacity]
            assert pool[:held].tolist() == best
            assert pool[capacity] == 0, "nothing is written beyond the pool"
            places = [place for place, key in enumerate(best) if key in more]
            assert first == (places[0] if places else capacity)


def test_listing_nodes_is_flatnonzero() -> None:
    random = np.random.default_rng(2)
    for count in (0, 1, 7, 8, 9, 64, 203):
        for share in (0.0, 0.02, 0.5, 1.0):
            mask = random.random(count + 3) < share
            for held in (mask[:count], mask[3:], np.repeat(mask[:count], 2)[::2]):
                found = nodes_of(held, int(np.count_nonzero(held)))
                assert found.tolist() == np.flatnonzero(held).tolist()


def test_codes_keep_directions_and_cut_nothing_much() -> None:
    rows = clustered(500, 20)
    centre, scale = coding.fit(rows)
    codes = coding.aligned_zeros(500, coding.stride_of(20))
    assert codes.ctypes.data % 64 == 0
    coding.encode(rows, centre, scale, codes, 0, 500)
    back = (codes[:, :20].astype(np.float32) - 128) * scale + centre
    assert np.abs(back - rows).max() < 3 * scale
    assert (codes[:, 20:] == 128).all()
    norms = np.empty(500, np.int32)
    coding.square_norms(codes, norms, 0, 500)
    assert norms.tolist() == ((codes.astype(int) - 128) ** 2).sum(axis=1).tolist()


@pytest.mark.parametrize("ef", [16, MERGED_FROM])
def test_the_beam_is_algorithm_2(index: HNSWIndex, ef: int) -> None:
    assert ef < COUNT
    graph, codes = index._graph, index._codes
    weights = np.zeros(codes.shape[1], np.int8)
    for query in clustered(10, 20, seed=3):
        coding.quantise_query(query, weights)
        pool = np.zeros(ef, np.int64)
        pool[0] = pack(cost(codes, None, graph.entry, weights), graph.entry)
        visited = np.zeros(COUNT, np.uint8)
        visited[graph.entry] = 1
        fresh, better = beam_room(graph.links.shape[1])
        size = beam(
            codes,
            None,
            graph.links,
            graph.offsets,
            0,
            weights,
            pool,
            1,
            ef,
            visited,
            np.uint8(1),
            fresh,
            better,
        )
        found = [int(node_of(key)) for key in pool[:size]]
        assert found == naive.beam(codes, graph.links, weights, graph.entry, ef)


def test_choosing_neighbors_is_algorithm_4(index: HNSWIndex) -> None:
    codes, norms = index._codes, index._norms
    values = codes.astype(np.int64) - 128
    weights = np.zeros(codes.shape[1], np.int8)
    kept_weights, sums = np.zeros((6, codes.shape[1]), np.int8), np.zeros(6, np.int64)
    for node in range(0, COUNT, 17):
        apart = ((values - values[node]) ** 2).sum(axis=1)
        nearest = [int(n) for n in np.lexsort((np.arange(COUNT), apart)) if n != node][:40]
        total = coding.row_weights(codes, node, weights)
        assert total == values[node].sum()
        pool = np.array([pack(cost(codes, norms, n, weights), n) for n in nearest])
        row = np.full(10, -7, np.int32)
        own_norm = np.int64(norms[node]) + 256 * total
        count = select_neighbors(codes, norms, own_norm, pool, len(pool), 6, kept_weights, sums, row)
        assert row[:count].tolist() == naive.select_neighbors(codes, node, nearest, 6)
        assert (row[count:] == -1).all()


def test_a_query_becomes_whole_numbers(index: HNSWIndex) -> None:
    weights = np.full(64, 7, np.int8)
    queries = clustered(20, 20, seed=6)
    queries[0, 3] = 3  # as an outlier dimension of CLIP's is
    for query in (*queries, queries[1, :19], queries[1, :1]):
        coding.quantise_query(query, weights)
        assert weights.tolist() == naive.quantise_query(query, 64)
        assert 126 <= np.abs(weights.astype(int)).reshape(-1, 2).sum(axis=1).max() <= 128


def test_the_descent_is_greedy(index: HNSWIndex) -> None:
    graph, codes = index._graph, index._codes
    assert graph.top >= 2
    weights = np.zeros(codes.shape[1], np.int8)
    for query in clustered(30, 20, seed=7):
        coding.quantise_query(query, weights)
        for bottom in range(graph.top + 1):
            found = descend(codes, None, graph.upper, graph.offsets, weights, graph.entry, graph.top, bottom)
            expected = naive.descend(
                graph, lambda node: -naive.dot(codes[node], weights), graph.entry, graph.top, bottom
            )
            assert found == expected


def test_ranking_is_by_true_cosines_and_ties_go_to_the_lower_row() -> None:
    rows = clustered(40, 20)
    rows[30:] = rows[:10]
    nodes = np.random.default_rng(1).permutation(40)
    ids, cosines = np.empty(50, np.int64), np.empty(50, np.float32)
    for query in (*clustered(5, 20, seed=8), rows[3]):
        expected = naive.rank(rows, query, nodes.tolist(), 50)
        for k in (1, 7, 40, 50):
            count = rank(rows, query, nodes, 40, k, ids, cosines)
            assert count == min(k, 40)
            assert ids[:count].tolist() == [node for node, _ in expected[:k]]
            assert cosines[:count] == pytest.approx([cosine for _, cosine in expected[:k]], abs=1e-6)
        assert exact_cosine(rows, 5, query) == pytest.approx(float(rows[5] @ query), abs=1e-6)


def test_a_search_is_algorithm_5(index: HNSWIndex) -> None:
    for query in clustered(8, 20, seed=9):
        for k, ef in ((1, 10), (5, 25)):
            expected = naive.search(index._graph, index._codes, index.embeddings, query, k, ef)
            found = index.search(query, k, ef)
            assert [node for node, _ in found] == [node for node, _ in expected]
            ids, _ = index.search_batch(query[np.newaxis], k, ef)
            assert ids[0].tolist() == [node for node, _ in expected]


@pytest.mark.parametrize("limit", [5, 30])
def test_a_scan_compares_all_that_is_allowed(index: HNSWIndex, limit: int) -> None:
    codes, rows = index._codes, index.embeddings
    weights = np.zeros(codes.shape[1], np.int8)
    pool, nodes = np.empty(limit, np.int64), np.empty(limit, np.int64)
    ids, cosines = np.empty(5, np.int64), np.empty(5, np.float32)
    compared_by = set()
    for step, query in zip((1, 2, 3, 5, 9, 20, 40), clustered(7, 20, seed=10), strict=True):
        allowed = np.arange(0, COUNT, step)
        by_code = len(allowed) > BY_VECTOR * limit
        compared_by.add(by_code)
        count = search_scan(codes, rows, query, weights, 5, limit, allowed, pool, nodes, ids, cosines)
        expected = naive.scan(codes, rows, query, allowed.tolist(), 5, limit if by_code else len(allowed))
        assert ids[:count].tolist() == [node for node, _ in expected]
    assert compared_by == {False, True}


def test_a_graph_is_linked_by_algorithm_1() -> None:
    count = 2 * COUNT // 3
    rows = clustered(count, 12)
    rows[20:35] = rows[10]  # duplicates
    rows[50:55] = rows[5]
    index = HNSWIndex(12, m=4, ef_construction=24)
    index.build(rows)
    graph = index._graph
    layers = naive.build_links(
        index._codes, graph.levels, 4, 24, lambda start: max(1, min(_BATCH_LIMIT, start // _BATCH_SHARE))
    )
    different = [
        (level, node)
        for level in range(graph.top + 1)
        for node in np.flatnonzero(graph.levels >= level).tolist()
        if naive.linked(graph, node, level) != layers[level][node]
    ]
    assert graph.top >= 2
    # Only what no path led to was linked in afterwards: each such node changes two rows of level 0 at most.
    lost = set(range(count)) - naive.reached_over(layers[0], graph.entry)
    assert all(level == 0 for level, _ in different)
    assert len(different) <= 2 * len(lost)
