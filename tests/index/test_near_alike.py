"""Rows that are too near for their codes to tell apart: bursts of a photo, a camera that stands still."""

import numpy as np
import pytest

from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.records import F32
from semantic_media_search.search.brute_force import BruteForceIndex
from semantic_media_search.search.recall import recall_by_distance
from vectors import clustered, unit

DIM = 256


def alike(count: int, cosine: float, seed: int) -> F32:
    """Rows that differ from one another in a few directions, by this cosine from what they have in common."""
    random = np.random.default_rng(seed)
    centre, few = unit(random.normal(size=(1, DIM))), unit(random.normal(size=(12, DIM)))
    apart = unit(random.normal(size=(count, 12)) @ few) * np.sqrt(1 / cosine**2 - 1)
    return unit(centre + apart)


def recall(
    index: HNSWIndex,
    rows: F32,
    queries: F32,
    ef: int,
    allowed: np.ndarray | None = None,
    tolerance: float = 1e-6,
) -> float:
    _, found = index.search_batch(queries, 10, ef, allowed=allowed)
    _, exact = BruteForceIndex(rows).search_batch(queries, 10, allowed=allowed)
    return recall_by_distance(found, exact, tolerance)


@pytest.mark.parametrize(
    ("groups", "each", "cosine"),
    [(60, 40, 0.995), (40, 40, 0.999), (1, 2500, 0.98), (1, 2500, 0.999), (1, 2500, 0.99999)],
)
@pytest.mark.parametrize("others", [0, 30, 1500])
@pytest.mark.parametrize("added", [False, True])
def test_rows_nearly_alike_are_told_apart(
    groups: int, each: int, cosine: float, added: bool, others: int
) -> None:
    sets = [alike(each + 100 // groups, cosine, seed) for seed in range(groups)]
    varied = clustered(1600, DIM)
    rows = np.concatenate([varied[:others], *(rows[:each] for rows in sets)])
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    queries = np.concatenate([rows[each:] for rows in sets])
    index = HNSWIndex(DIM)
    if added:
        index.build(rows[:1000])
    index.add(rows)
    assert recall(index, rows, queries, ef=50) >= 0.97
    if others == 1500:
        assert recall(index, rows, varied[others:], ef=50, tolerance=1e-3) >= 0.97
    few = np.zeros(len(rows), bool)
    few[::5] = True
    assert recall(index, rows, queries, ef=50, allowed=few) == 1


@pytest.mark.parametrize("first", ["mixed", "alike", "varied"])
def test_the_few_are_found_among_the_many(first: str) -> None:
    """A graph whose walks all begin among the frames of a camera that stands still would miss the rest."""
    varied, still = clustered(1100, DIM), alike(12_000, 0.999, seed=1)
    rows = np.concatenate([still, varied[:1000]] if first == "alike" else [varied[:1000], still])
    if first == "mixed":
        rows = rows[np.random.default_rng(0).permutation(len(rows))]
    index = HNSWIndex(DIM)
    index.build(rows[:900])
    index.add(rows)
    # As good as the best to a thousandth: from afar the frames are all the same.
    assert recall(index, rows, varied[1000:], ef=50, tolerance=1e-3) >= 0.97


@pytest.mark.parametrize("length", [1, 0.9995, 1.0005])
def test_copies_do_not_link_to_one_another_alone(length: float) -> None:
    """Rows may be a little shorter or longer than 1, as those of half precision are."""
    varied = clustered(1100, DIM)
    rows = np.concatenate([np.repeat(varied[:1], 3000, axis=0), varied[:1000]])
    rows = (length * rows[np.random.default_rng(0).permutation(len(rows))]).astype(np.float32)
    index = HNSWIndex(DIM)
    index.build(rows)
    links = index._graph.links
    copies = np.flatnonzero((rows == length * varied[0]).all(axis=1))
    among = np.isin(links[copies], copies)[links[copies] >= 0].mean()
    assert among < 0.7
    assert recall(index, rows, varied[1000:], ef=50) >= 0.98
