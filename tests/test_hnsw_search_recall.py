"""The plan's test: the graph against exact search on a small set."""

import numpy as np

from sample_media import MUST_LEAD
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.library import Library
from semantic_media_search.search.brute_force import BruteForceIndex, brute_force_search
from semantic_media_search.search.recall import recall_by_distance
from vectors import clustered

RECALL_WANTED = 0.95


def test_hnsw_recall_vs_bruteforce() -> None:
    embeddings, queries = clustered(2_000), clustered(100, seed=1)
    index = HNSWIndex(32, m=16, ef_construction=200)
    index.build(embeddings)
    _, exact = BruteForceIndex(embeddings).search_batch(queries, 10)
    _, found = index.search_batch(queries, 10, ef=50)
    assert recall_by_distance(found, exact) > RECALL_WANTED


def test_hnsw_agrees_with_the_plans_brute_force_search() -> None:
    embeddings = clustered(80)
    index = HNSWIndex(32)
    index.build(embeddings)
    for query in clustered(20, seed=2):
        expected = brute_force_search(query * 3, embeddings, 10)
        found = index.search(query, 10, ef=80)
        assert [node for node, _ in found] == [node for node, _ in expected]
        assert all(abs(a - b) < 1e-5 for (_, a), (_, b) in zip(found, expected, strict=True))


def test_hnsw_recall_on_the_validation_set(validation_library: Library) -> None:
    view = validation_library.view()
    generation = view.generation
    assert generation.index_file is not None
    folder = view.paths.generation(generation.generation)
    graph = HNSWIndex.load(folder / generation.index_file, view.store.vectors)
    queries = np.stack([view.encode_query(query) for query in MUST_LEAD])
    _, exact = BruteForceIndex(view.store.vectors).search_batch(queries, 10)
    _, found = graph.search_batch(queries, 10, ef=50)
    assert recall_by_distance(found, exact) > RECALL_WANTED
