"""The command line of the plan's benchmark: its options, its printed lines, its JSON."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from semantic_media_search.benchmark.engine.results import SCHEMA
from semantic_media_search.benchmark.environment import environment
from semantic_media_search.benchmark.queries import (
    QueryBenchmark,
    measure_queries,
    measure_random,
    require_ef,
)
from semantic_media_search.errors import ConfigError
from semantic_media_search.library import Library
from semantic_media_search.search.sample_queries import SAMPLE_QUERIES

DEFAULT_EFS = (32, 64, 128)
DEFAULT_QUERIES = SAMPLE_QUERIES[:10]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The plan's options (its section 10.2)."""
    parser.add_argument(
        "--queries", nargs="+", metavar="TEXT", help="searches to measure (default: ten samples)"
    )
    parser.add_argument("--queries-file", type=Path, metavar="FILE", help="a file with one search a line")
    parser.add_argument("--random", type=int, metavar="N", help="N random queries in place of texts")
    parser.add_argument("--ef-search", type=int, nargs="+", default=list(DEFAULT_EFS), help="each at least k")
    parser.add_argument("--k", type=int, default=10, help="results a search (default 10)")
    parser.add_argument("--repeat", type=int, default=3, help="times each search is made; the median counts")
    parser.add_argument(
        "--measure-build",
        action="store_true",
        help="also embed and index everything anew in a temporary folder",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the figures as JSON")


def run(
    arguments: argparse.Namespace,
    library: Library,
    say: Callable[[str], None],
    scratch: Callable[[Path], Library],
) -> None:
    """Measure, print and write. `scratch` makes a library in another folder with the same settings.

    Raises QueryError for an ef below k, ConfigError for a file without queries.
    """
    require_ef(arguments.ef_search, arguments.k)
    if arguments.repeat < 1 or (arguments.random is not None and arguments.random < 1):
        raise ConfigError("--repeat and --random take a number of at least 1")
    view = library.view()
    if arguments.random is not None:
        result = measure_random(view, arguments.random, arguments.ef_search, arguments.k)
    else:
        queries = _queries(arguments)
        result = measure_queries(view, queries, arguments.ef_search, arguments.k, arguments.repeat)
    document = result.to_json() | {
        "environment": environment(
            model=view.generation.model.name,
            frames=view.frame_count,
            dim=view.store.dim,
            rows=view.store.rows,
        ),
        "schema": SCHEMA,
        "benchmark": "queries",
        "sections": [result.section().to_json()],
    }
    if arguments.measure_build:
        document["build"] = _measure_build(library, scratch)
    for line in _lines(result, document):
        say(line)
    if arguments.output is not None:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        say(f"Written to {arguments.output}")


def _queries(arguments: argparse.Namespace) -> list[str]:
    queries: list[str] = list(arguments.queries or [])
    if arguments.queries_file is not None:
        try:
            text = arguments.queries_file.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot read {arguments.queries_file}: {error.strerror}") from error
        lines = [line.strip() for line in text.splitlines()]
        queries += [line for line in lines if line]
        if not queries:
            raise ConfigError(f"{arguments.queries_file} holds no query; write one a line")
    return queries or list(DEFAULT_QUERIES)


def _measure_build(library: Library, scratch: Callable[[Path], Library]) -> dict[str, float]:
    """Seconds that it takes to read, embed and index the library's folders anew."""
    model = library.view().generation.model.name
    with tempfile.TemporaryDirectory() as folder:
        fresh = scratch(Path(folder) / "library")
        fresh.adopt_roots(library.roots())
        began = time.perf_counter()
        fresh.ingest()
        ingested = time.perf_counter()
        summary = fresh.build_index(model)
        done = time.perf_counter()
    return {
        "ingest_s": ingested - began,
        "embed_and_index_s": done - ingested,
        "vectors": summary.generation.rows,
    }


def _lines(result: QueryBenchmark, document: dict[str, Any]) -> list[str]:
    where = document["environment"]
    lines = [
        (
            f"{where['date']}  {where['processor']}, {where['cores']} cores; {where['model']}, "
            f"{where['rows']} vectors of {where['dim']} dimensions; numba {where.get('numba')}"
        ),
    ]
    if result.encode_ms:
        lines.append(f"Average query encoding: {result.encode_ms:.2f}ms")
    for ef, row in document["aggregates"].items():
        lines += [
            f"ef_search {ef}, {row['queries']} queries",
            f"  Average search latency: {row['avg_hnsw_ms']:.3f}ms",
            f"  P50 search latency: {row['p50_hnsw_ms']:.3f}ms",
            f"  P95 search latency: {row['p95_hnsw_ms']:.3f}ms",
            f"  P99 search latency: {row['p99_hnsw_ms']:.3f}ms",
            (
                f"  HNSW recall@{result.k} vs brute-force: {row['avg_recall']:.2f} "
                f"(brute force {row['avg_brute_ms']:.3f}ms, speedup {row['avg_speedup']:.1f}x)"
            ),
        ]
    if "build" in document:
        build = document["build"]
        lines.append(
            f"Build: {build['ingest_s']:.1f}s to read, {build['embed_and_index_s']:.1f}s to embed and index "
            f"{build['vectors']} vectors"
        )
    return lines


def scratch_like(library: Library) -> Callable[[Path], Library]:
    """Makes libraries with the settings and encoders of another one."""
    return lambda folder: Library(replace(library.settings, library=folder), library.encoder)
