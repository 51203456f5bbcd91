"""Indexes that can be measured side by side: ours, and others where they are installed. One thread each.

All get the same rows, M = 16 (neighbors a node, twice as many at the bottom) and efConstruction = 200 where they
have those. Answers are judged by their ids alone, so that codes cost those who rank by them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from semantic_media_search.errors import ConfigError
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.records import F32, I64

K = 10
M, EF_CONSTRUCTION = 16, 200
EFS = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 480)
_EPSILONS = (0.0, 0.03, 0.06, 0.09, 0.12, 0.16, 0.2, 0.25, 0.3, 0.36, 0.42, 0.5)
_RERANK = 3
"""Those that walk on codes rank so many times K candidates again by the full vectors."""
OURS, REFERENCE = "this index", "hnswlib"


@dataclass(frozen=True, slots=True)
class Searcher:
    """An index set to one effort: one query, float32 [D], or many, float32 [Q, D] -> ids int64 [Q, K]."""

    single: Callable[[F32], object]
    batch: Callable[[F32], I64]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A built index. `efforts` are its settings from fast to exact; `at` sets one, until the next call of it.

    `holds_rows` says whether its own memory holds a copy of the rows; `save` writes it to a file.
    """

    efforts: tuple[float, ...]
    at: Callable[[float], Searcher]
    holds_rows: bool
    save: Callable[[Path], object] | None


Builder = Callable[[F32], Contestant]


def ours(rows: F32, m: int = M, ef_construction: int = EF_CONSTRUCTION, threads: int = 1) -> Contestant:
    """HNSWIndex."""
    index = HNSWIndex(rows.shape[1], m, ef_construction)
    index.build(rows, threads)
    return searching(index)


def searching(index: HNSWIndex) -> Contestant:
    """An HNSWIndex that was built already."""

    def at(effort: float) -> Searcher:
        ef = int(effort)
        return Searcher(
            lambda query: index.search(query, K, ef), lambda queries: index.search_batch(queries, K, ef)[0]
        )

    return Contestant(EFS, at, holds_rows=False, save=index.save)


def _hnswlib(rows: F32) -> Contestant:
    import hnswlib

    index = hnswlib.Index("ip", rows.shape[1])
    index.init_index(len(rows), M=M, ef_construction=EF_CONSTRUCTION)
    index.add_items(rows, num_threads=1)

    def at(effort: float) -> Searcher:
        index.set_ef(int(effort))

        def search(queries: F32) -> I64:
            ids: I64 = index.knn_query(queries, K, num_threads=1)[0].astype(np.int64)
            return ids

        return Searcher(search, search)

    return Contestant(EFS, at, holds_rows=True, save=lambda path: index.save_index(str(path)))


def _faiss(rows: F32, *, codes: bool) -> Contestant:
    import faiss

    faiss.omp_set_num_threads(1)
    inner = faiss.METRIC_INNER_PRODUCT
    graph: Any
    index: Any
    if codes:
        eight_bits: Any = faiss.ScalarQuantizer.QT_8bit
        graph = faiss.IndexHNSWSQ(rows.shape[1], eight_bits, M, inner)
        index = faiss.IndexRefineFlat(graph)
        index.k_factor = _RERANK
    else:
        graph = index = faiss.IndexHNSWFlat(rows.shape[1], M, inner)
    graph.hnsw.efConstruction = EF_CONSTRUCTION
    index.train(rows)
    index.add(rows)

    def at(effort: float) -> Searcher:
        graph.hnsw.efSearch = int(effort)
        return Searcher(
            lambda query: index.search(query[np.newaxis], K), lambda queries: index.search(queries, K)[1]
        )

    return Contestant(EFS, at, holds_rows=True, save=lambda path: faiss.write_index(index, str(path)))


def _usearch(rows: F32, *, codes: bool) -> Contestant:
    from usearch.index import Index

    index: Any = Index(
        ndim=rows.shape[1],
        metric="ip",
        dtype="i8" if codes else "f32",
        connectivity=M,
        expansion_add=EF_CONSTRUCTION,
    )
    index.add(np.arange(len(rows)), rows, threads=1)

    def plain(queries: F32) -> I64:
        keys: I64 = index.search(queries, K, threads=1).keys.astype(np.int64)
        return keys

    def ranked(queries: F32) -> I64:
        queries = np.atleast_2d(queries)
        near = index.search(queries, _RERANK * K, threads=1).keys.astype(np.int64).reshape(len(queries), -1)
        cosines = np.einsum("qkd,qd->qk", rows[near], queries)
        best: I64 = np.take_along_axis(near, np.argsort(-cosines, axis=1)[:, :K], axis=1)
        return best

    def at(effort: float) -> Searcher:
        index.expansion_search = int(effort)
        return Searcher(ranked, ranked) if codes else Searcher(plain, plain)

    return Contestant(EFS, at, holds_rows=not codes, save=lambda path: index.save(str(path)))


def _voyager(rows: F32) -> Contestant:
    import voyager

    index = voyager.Index(
        voyager.Space.Cosine, rows.shape[1], M=M, ef_construction=EF_CONSTRUCTION, max_elements=len(rows)
    )
    index.add_items(rows, num_threads=1)

    def at(effort: float) -> Searcher:
        def search(queries: F32) -> I64:
            ids: I64 = index.query(queries, K, num_threads=1, query_ef=int(effort))[0].astype(np.int64)
            return ids

        return Searcher(search, search)

    return Contestant(EFS, at, holds_rows=True, save=lambda path: index.save(str(path)))


def _pynndescent(rows: F32) -> Contestant:
    import pynndescent

    index = pynndescent.NNDescent(rows, metric="dot", n_neighbors=30, random_state=0, n_jobs=1)
    index.prepare()

    def at(effort: float) -> Searcher:
        return Searcher(
            lambda query: index.query(query[np.newaxis], K, epsilon=effort),
            lambda queries: index.query(queries, K, epsilon=effort)[0].astype(np.int64),
        )

    return Contestant(_EPSILONS, at, holds_rows=True, save=None)


_PEERS: dict[str, tuple[str, Builder]] = {
    REFERENCE: ("hnswlib", _hnswlib),
    "faiss HNSW flat": ("faiss-cpu", partial(_faiss, codes=False)),
    "faiss HNSW SQ8 + re-rank": ("faiss-cpu", partial(_faiss, codes=True)),
    "usearch f32": ("usearch", partial(_usearch, codes=False)),
    "usearch i8 + re-rank": ("usearch", partial(_usearch, codes=True)),
    "voyager": ("voyager", _voyager),
    "pynndescent": ("pynndescent", _pynndescent),
}
PACKAGES = tuple(dict.fromkeys(package for package, _ in _PEERS.values()))


def builders(packages: Iterable[str]) -> tuple[dict[str, Builder], dict[str, str], list[str]]:
    """Ours and those of the peers from these packages by name, the packages' versions, and notes on what is missing.

    Raises ConfigError for a package that is none of PACKAGES.
    """
    wanted = list(packages)
    for package in wanted:
        if package not in PACKAGES:
            raise ConfigError(f"no peer comes from {package!r}; known are {', '.join(PACKAGES)}")
    found: dict[str, Builder] = {OURS: ours}
    versions: dict[str, str] = {}
    notes = []
    for name, (package, builder) in _PEERS.items():
        if package not in wanted:
            continue
        try:
            import_module(package.removesuffix("-cpu"))
        except ImportError as error:
            notes.append(f"{name} left out: {error}; `pip install {package}` adds it")
            continue
        found[name], versions[package] = builder, version(package)
    return found, versions, notes
