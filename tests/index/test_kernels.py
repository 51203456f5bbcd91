"""Each kernel against its naive twin."""

import numpy as np
import pytest

import naive_index as naive
from semantic_media_search.index import coded_rows
from semantic_media_search.index import codes as coding
from semantic_media_search.index.allowed import nodes_of
from semantic_media_search.index.build import _BATCH_LIMIT, _BATCH_SHARE
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.index.inner_product import inner_product, square_distance
from semantic_media_search.index.instructions import dot
from semantic_media_search.index.jit import JIT_DISABLED
from semantic_media_search.index.landmarks import landmarks_of, nearest_landmark
from semantic_media_search.index.link import select_neighbors
from semantic_media_search.index.nearby import QUERY_UNITS, ROW_UNITS, near_query, near_row, sight_of
from semantic_media_search.index.pool import cost_of, insert, merge, node_of, pack
from semantic_media_search.index.rotation import padded, rotate, rotation_room, signs_of
from semantic_media_search.index.search import gather, rank, search_scan
from semantic_media_search.index.walk import MERGED_FROM, beam, beam_room, cost, cost_by_code, descend
from semantic_media_search.records import F32
from vectors import clustered

COUNT = 110 if JIT_DISABLED else 300


@pytest.fixture(scope="module")
def index() -> HNSWIndex:
    """Of rows a third of which are bursts of near copies, that only their vectors tell apart."""
    rows, random = clustered(COUNT, 20), np.random.default_rng(1)
    for start in range(0, COUNT // 3, 20):
        rows[start : start + 20] = rows[start] + 0.01 * random.normal(size=(20, 20))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = HNSWIndex(20, m=4, ef_construction=40)
    index.build(rows)
    return index


def near(index: HNSWIndex) -> naive.Near:
    return naive.Near(index._coded.codes, index.embeddings, index._coded.scale)


def queries_of(index: HNSWIndex, seed: int) -> F32:
    """Some like none of the rows, some like a burst."""
    return np.concatenate([clustered(8, 20, seed=seed), index.embeddings[[3, 27]]])


@pytest.mark.parametrize("stride", [64, 128, 384])
def test_the_dot_product_of_codes(stride: int) -> None:
    random = np.random.default_rng(stride)
    codes = random.integers(0, 256, (50, stride)).astype(np.uint8)
    weights = random.integers(-128, 128, 2 * stride).astype(np.int8)
    for row in range(50):
        assert dot(codes, row, weights) == naive.dot(codes[row], weights)
    codes[0], weights[:] = 255, -128  # the largest sum there is
    assert dot(codes, 0, weights) == -128 * 15 * 2 * stride


@pytest.mark.parametrize("dim", [1, 12, 31, 32, 33, 96, 100])
def test_products_and_distances_have_the_same_bits_everywhere(dim: int) -> None:
    random = np.random.default_rng(dim)
    for _ in range(20):
        one, other = random.normal(size=(2, dim)).astype(np.float32)
        found = inner_product(one, other), square_distance(one, other)
        assert found == (naive.inner_product(one, other), naive.square_distance(one, other))
        one, other = np.float64(one), np.float64(other)
        assert found == pytest.approx((one @ other, (one - other) @ (one - other)), rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("width", [128, 256, 384, 640])
def test_a_rotation_is_its_matrices_and_keeps_inner_products(width: int) -> None:
    rows = np.random.default_rng(0).normal(size=(6, width)).astype(np.float32)
    rows[0], rows[0, 3] = 0, 1  # one outlier dimension is spread over all
    signs, room, found = signs_of(width), rotation_room(width), np.empty_like(rows)
    for number, row in enumerate(rows):
        room[0] = row
        rotate(signs, room)
        found[number] = room[0]
        np.testing.assert_allclose(found[number], naive.rotated(row, width), atol=1e-5)
    np.testing.assert_allclose(found @ found.T, rows @ rows.T, atol=1e-3)
    assert np.abs(found[0]).max() < 4 / np.sqrt(width)


def test_widths_are_those_that_a_rotation_mixes() -> None:
    assert [padded(dim) for dim in (1, 128, 129, 384, 512, 600, 768, 800, 1024, 1152, 16_384)] == [
        128, 128, 256, 384, 512, 640, 768, 1024, 1024, 1280, 16_384,
    ]  # fmt: skip
    assert all(padded(dim) / dim < 4 / 3 for dim in range(384, 16_384, 128))


def test_a_damaged_row_has_a_code_and_does_not_reach_the_others() -> None:
    rows = clustered(60, 20)
    rows[7], rows[9, 3] = np.nan, np.inf
    centre, scale = coded_rows.fit(rows)
    assert np.isfinite(centre).all()
    assert 0 < scale < 1
    codes, norms = coded_rows.aligned_zeros(60, coding.stride_of(20)), np.empty(60, np.int32)
    with np.errstate(invalid="ignore"):  # only where this is not compiled
        coded_rows.encode(rows, centre, scale, codes, norms, 0, 60)
    assert (norms <= 64 * 128).all()
    assert len(np.unique(codes, axis=0)) > 50


def test_what_the_codes_leave_open_is_gathered() -> None:
    keys = np.array(
        [pack(np.int64(cost), np.int64(node)) for node, cost in enumerate([-9, -7, -7, -4, 0, 5])]
    )
    nodes, nothing = np.empty(6, np.int64), np.empty(0, np.uint8)
    assert [gather(keys, 6, nothing, 2, margin, nodes) for margin in (0, 2, 3, 99)] == [
        (6, 3), (6, 3), (6, 4), (6, 6),
    ]  # fmt: skip
    assert gather(keys, 6, nothing, 7, 0, nodes) == (6, 6), "fewer than k: all may be among them"
    blocked = np.array([0, 1, 0, 0, 1, 0], np.uint8)
    assert gather(keys, 6, blocked, 2, 3, nodes) == (4, 3)
    assert nodes[:4].tolist() == [0, 2, 3, 5]


def test_keys_sort_by_cost_then_node() -> None:
    pairs = [(-5, 7), (-5, 9), (0, 1), (2**31 - 1, 0), (-(2**31), 2**31 - 2)]
    keys = [pack(np.int64(a), np.int64(b)) for a, b in pairs]
    assert [(cost_of(key), node_of(key)) for key in keys] == pairs
    assert sorted(keys) == [pack(np.int64(a), np.int64(b)) for a, b in sorted(pairs)]


def test_the_costs_of_the_largest_dimension_fit_their_keys() -> None:
    dim = 16_384
    codes = np.zeros((2, dim // 2), np.uint8)
    codes[0] = 255
    norms = np.array([49 * dim, 64 * dim], np.int32)
    weights = np.empty(dim, np.int8)
    for node in (0, 1):
        total = coding.row_weights(codes, node, weights)
        for other in (0, 1):
            found = cost_by_code(codes, norms, other, weights)
            assert cost_of(pack(found, np.int64(other))) == found
            apart = found + ROW_UNITS * (int(norms[node]) + 16 * total)
            assert apart == (0 if node == other else ROW_UNITS * 15**2 * dim)
    for weight in (127, -127):
        weights[:] = weight
        assert cost_of(pack(cost_by_code(codes, None, 0, weights), 0)) == -QUERY_UNITS * weight * 15 * dim


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


def test_codes_are_rotated_rows_cut_to_sixteen_levels() -> None:
    rows = clustered(100, 20)
    centre, scale = coded_rows.fit(rows)
    codes, norms = coded_rows.aligned_zeros(100, coding.stride_of(20)), np.empty(100, np.int32)
    assert codes.ctypes.data % 64 == 0
    coded_rows.encode(rows, centre, scale, codes, norms, 0, 100)
    levels = naive.coordinates(codes)
    assert norms.tolist() == (levels**2).sum(axis=1).tolist()
    exact = np.array([naive.rotated(row - centre, 128) for row in rows]) / scale
    cut = np.clip(exact, -8, 7.999)
    assert (np.abs(levels + 0.5 - cut) < 0.501).all()
    assert np.mean(cut != exact) < 0.01
    longest = np.quantile((exact**2).sum(axis=1), 0.99)
    assert longest == pytest.approx(128 * 2.5**2, rel=0.01)
    back = (levels + 0.5) * scale
    for query in clustered(20, 20, seed=2):
        off = back @ naive.rotated(query, 128) - (rows - centre) @ query
        assert np.abs(off).max() < 4 * scale / np.sqrt(12) * np.linalg.norm(query)


@pytest.mark.parametrize("ef", [16, MERGED_FROM])
def test_the_beam_is_algorithm_2(index: HNSWIndex, ef: int) -> None:
    assert ef < COUNT
    graph, codes = index._graph, index._coded.codes
    weights = np.zeros(2 * codes.shape[1], np.int8)
    by_vector = 0
    for query in queries_of(index, seed=3):
        factor = coding.quantise_query(query, signs_of(128), rotation_room(128), weights)
        margin = QUERY_UNITS * coding.margin_of(weights)
        held = near_query(query, index._coded.centre, index._coded.scale, weights, factor, margin)
        pool = np.zeros(ef, np.int64)
        first = cost(codes, None, graph.entry, weights, held, index.embeddings, query)
        pool[0] = pack(first, graph.entry)
        visited = np.zeros(COUNT, np.uint8)
        visited[graph.entry] = 1
        fresh, better = beam_room(graph.links.shape[1])
        size = beam(
            codes, None, graph.links, graph.offsets, 0, weights, held, index.embeddings, query, pool, 1, ef, visited,
            np.uint8(1), fresh, better,
        )  # fmt: skip
        found = [int(node_of(key)) for key in pool[:size]]
        by_vector += sum(cost_by_code(codes, None, node, weights) < held.below for node in found)
        expected = near(index).to_query(
            query, index._coded.centre, weights.tolist(), naive.factor_of(query, 128)
        )
        assert found == naive.beam(graph.links, expected, graph.entry, ef)
    assert 0 < by_vector < 5 * ef


def test_choosing_neighbors_is_algorithm_4(index: HNSWIndex) -> None:
    codes, norms, rows = index._coded.codes, index._coded.norms, near(index)
    sight = sight_of(index._coded.scale, 128)
    weights = np.zeros(2 * codes.shape[1], np.int8)
    kept_weights, sums = np.zeros((6, 2 * codes.shape[1]), np.int8), np.zeros(6, np.int64)
    by_vector = 0
    for node in range(0, COUNT, 17):
        nearest = sorted(set(range(COUNT)) - {node}, key=lambda other: (rows.apart(node, other), other))[:40]
        total = coding.row_weights(codes, node, weights)
        assert total == rows.values[node].sum()
        own = ROW_UNITS * (int(norms[node]) + 16 * total)
        held = near_row(sight, own)
        costs = [
            cost(codes, norms, n, weights, held, index.embeddings, index.embeddings[node]) for n in nearest
        ]
        assert [found + own for found in costs] == [rows.apart(node, other) for other in nearest]
        by_vector += sum(cost_by_code(codes, norms, n, weights) < held.below for n in nearest)
        pool = np.array([pack(found, n) for found, n in zip(costs, nearest, strict=True)])
        row = np.full(10, -7, np.int32)
        count = select_neighbors(
            codes, norms, index.embeddings, sight, own, pool, len(pool), 6, kept_weights, sums, row
        )
        assert row[:count].tolist() == naive.select_neighbors(rows, node, nearest, 6)
        assert (row[count:] == -1).all()
    assert by_vector > 0


def test_a_query_becomes_whole_numbers() -> None:
    queries = clustered(20, 20, seed=6)
    queries[0, 3] = 3  # as an outlier dimension of CLIP's is
    for query in (*queries, queries[1, :19], queries[1, :1], 2 * queries[1]):
        weights = np.full(128, 7, np.int8)
        factor = coding.quantise_query(query, signs_of(128), rotation_room(128), weights)
        assert factor == pytest.approx(naive.factor_of(query, 128), rel=1e-5)
        # Halves may be rounded either way: sums of floats differ in their last bits.
        assert np.abs(weights - np.array(naive.quantise_query(query, 128))).max() <= 1
        assert coding.margin_of(weights) == naive.margin(weights)


def test_the_descent_is_greedy(index: HNSWIndex) -> None:
    graph, codes = index._graph, index._coded.codes
    assert graph.top >= 2
    weights = np.zeros(2 * codes.shape[1], np.int8)
    for query in clustered(30, 20, seed=7):
        coding.quantise_query(query, signs_of(128), rotation_room(128), weights)
        for bottom in range(graph.top + 1):
            found = descend(codes, None, graph.upper, graph.offsets, weights, graph.entry, graph.top, bottom)
            expected = naive.descend(
                graph, lambda node: -naive.dot(codes[node], weights), graph.entry, graph.top, bottom
            )
            assert found == expected


def test_landmarks_are_chosen_farthest_first(index: HNSWIndex) -> None:
    graph, coded = index._graph, index._coded
    for count in (1, 3, 40, COUNT):
        found = landmarks_of(graph, coded.codes, coded.norms, count)
        assert found.tolist() == naive.landmarks(near(index), graph.levels, graph.entry, count)
    assert graph.landmarks.tolist() == found.tolist()
    assert landmarks_of(graph, coded.codes, coded.norms, 0).tolist() == []
    copies = HNSWIndex(20, m=4)
    copies.build(np.repeat(clustered(5, 20), 40, axis=0))
    assert 1 < len(copies._graph.landmarks) <= 5, "none twice, and none that has another's code"
    weights = np.zeros(128, np.int8)
    for query in clustered(10, 20, seed=12):
        coding.quantise_query(query, signs_of(128), rotation_room(128), weights)
        costs = [-naive.dot(coded.codes[node], weights) for node in found]
        assert nearest_landmark(coded.codes, None, found, weights) == found[int(np.argmin(costs))]


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


def test_a_search_is_algorithm_5(index: HNSWIndex) -> None:
    for query in queries_of(index, seed=9):
        for k, ef in ((1, 10), (5, 25)):
            expected = naive.search(index._graph, near(index), index._coded.centre, query, k, ef)
            found = index.search(query, k, ef)
            assert [node for node, _ in found] == [node for node, _ in expected]
            ids, _ = index.search_batch(query[np.newaxis], k, ef)
            assert ids[0].tolist() == [node for node, _ in expected]


@pytest.mark.parametrize("few", [10, 30])
def test_a_scan_compares_all_that_is_allowed(index: HNSWIndex, few: int) -> None:
    codes, rows = index._coded.codes, index.embeddings
    weights = np.zeros(2 * codes.shape[1], np.int8)
    pool, nodes = np.empty(COUNT, np.int64), np.empty(COUNT, np.int64)
    ids, cosines = np.empty(5, np.int64), np.empty(5, np.float32)
    compared_by = set()
    for step, query in zip((1, 2, 3, 5, 9, 20, 40), queries_of(index, seed=10)[3:], strict=True):
        allowed = np.arange(0, COUNT, step)
        compared_by.add(len(allowed) > few)
        count = search_scan(
            codes, rows, signs_of(128), index._coded.centre, index._coded.scale, query, 5, few, allowed,
            rotation_room(128), weights, pool, nodes, ids, cosines,
        )  # fmt: skip
        expected = naive.scan(near(index), index._coded.centre, query, allowed.tolist(), 5, few)
        assert ids[:count].tolist() == [node for node, _ in expected]
    assert compared_by == {False, True}
    count = search_scan(
        codes, rows, signs_of(128), index._coded.centre, index._coded.scale, query, 5, few,
        np.arange(COUNT), rotation_room(128), weights, pool[:5], nodes, ids, cosines,
    )  # fmt: skip
    assert count == 5, "where there is room for no more than k, those are ranked"


def test_a_graph_is_linked_by_algorithm_1() -> None:
    count = 2 * COUNT // 3
    rows = clustered(count, 12)
    rows[20:35] = rows[10]  # duplicates
    rows[50:55] = rows[5]
    rows[56:71] = rows[55] + 0.01 * np.random.default_rng(2).normal(size=(15, 12))  # a burst
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = HNSWIndex(12, m=4, ef_construction=24)
    index.build(rows)
    graph = index._graph
    layers = naive.build_links(
        near(index),
        graph.levels,
        4,
        24,
        lambda start: max(1, min(_BATCH_LIMIT, start // _BATCH_SHARE)),
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
