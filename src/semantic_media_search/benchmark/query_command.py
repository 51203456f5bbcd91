"""The command line of the plan's benchmark: its options, its printed lines, its JSON."""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import shorten
from typing import Any

from semantic_media_search.benchmark.engine.session import Say, Session
from semantic_media_search.benchmark.queries import (
    QueryBenchmark,
    measure_queries,
    measure_random,
    require_ef,
)
from semantic_media_search.config import Settings
from semantic_media_search.embeddings import Encoder, load_encoder
from semantic_media_search.errors import ConfigError
from semantic_media_search.library import Library
from semantic_media_search.search.sample_queries import SAMPLE_QUERIES

EncoderLoader = Callable[[str], Encoder]

DEFAULT_EFS = (32, 64, 128)
DEFAULT_QUERIES = SAMPLE_QUERIES[:10]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The plan's options (its section 10.2)."""
    parser.add_argument(
        "--queries", nargs="+", metavar="TEXT", help="searches to measure (default: ten samples)"
    )
    parser.add_argument("--queries-file", type=Path, metavar="FILE", help="a file with one search a line")
    parser.add_argument(
        "--random", type=int, metavar="N", help="N random queries; not together with --queries"
    )
    parser.add_argument("--ef-search", type=int, nargs="+", default=list(DEFAULT_EFS), help="each at least k")
    parser.add_argument("--k", type=int, default=10, help="results a search (default 10)")
    parser.add_argument(
        "--repeat", type=int, help="times each search is made (default 3, with --random 1); all count"
    )
    parser.add_argument(
        "--measure-build",
        action="store_true",
        help="also embed and index everything anew in a temporary folder",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("data/benchmarks/queries.json"), metavar="FILE",
        help="the figures as JSON (default %(default)s)",
    )  # fmt: skip


def run(
    arguments: argparse.Namespace,
    settings: Settings,
    say: Say,
    encoder: EncoderLoader | None = None,
) -> None:
    """Measure, print and write. `encoder` loads a model by its name.

    Raises QueryError for an ef below k, ConfigError for a file without queries and for random queries beside texts.
    """
    require_ef(arguments.ef_search, arguments.k)
    random, repeat = arguments.random, arguments.repeat
    if random is not None and (arguments.queries or arguments.queries_file):
        raise ConfigError("--random takes the place of --queries and --queries-file: give one of them")
    if repeat is None:
        repeat = 1 if random is not None else 3
    if repeat < 1 or (random is not None and random < 1):
        raise ConfigError("--repeat and --random take a number of at least 1")
    queries = [] if random is not None else _queries(arguments)
    library = Library(settings, encoder or (lambda name: load_encoder(name, threads=settings.threads)))
    view = library.view()
    k = min(arguments.k, view.generation.indexed_rows or arguments.k)
    if k < arguments.k:
        say(f"The index holds {k} vectors, so that {k} results a search are measured, not {arguments.k}.")
    session = Session(
        "queries",
        say,
        arguments.output,
        model=view.generation.model.name,
        frames=view.frame_count,
        dim=view.store.dim,
        rows=view.store.rows,
        queries=random or len(queries),
        asked=_asked(queries),
        k=k,
        repeat=repeat,
    )
    if random is not None:
        result = measure_random(view, random, arguments.ef_search, k, repeat)
    else:
        result = measure_queries(view, queries, arguments.ef_search, k, repeat)
    session.result.further = result.to_json()
    if arguments.measure_build:
        session.result.further["build"] = _measure_build(library)
    for line in _lines(result, session.result.further):
        say(line)
    session.add(result.section())
    session.close()


def _queries(arguments: argparse.Namespace) -> list[str]:
    queries: list[str] = list(arguments.queries or [])
    if arguments.queries_file is not None:
        try:
            text = arguments.queries_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the queries in {arguments.queries_file}: {error}") from error
        lines = [line.strip() for line in text.splitlines()]
        queries += [line for line in lines if line]
        if not queries:
            raise ConfigError(f"{arguments.queries_file} holds no query; write one a line")
    return queries or list(DEFAULT_QUERIES)


def _asked(queries: Sequence[str]) -> str:
    """What is searched for, short enough for one line and different for other texts."""
    if not queries:
        return "random vectors"
    text = "\n".join(queries).encode("utf-8", "replace")
    first = shorten(text.decode("utf-8"), 60, placeholder=" ...")
    return f"{first} (texts {hashlib.sha256(text).hexdigest()[:12]})"


def _measure_build(library: Library) -> dict[str, float]:
    """Seconds that it takes to read, embed and index the library's folders anew."""
    model = library.view().generation.model.name
    with tempfile.TemporaryDirectory() as folder:
        fresh = Library(replace(library.settings, library=Path(folder) / "library"), library.encoder)
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
    lines = []
    if result.encode_ms:
        lines.append(f"Average query encoding: {result.encode_ms:.2f}ms")
    for ef, row in document["aggregates"].items():
        lines += [
            f"ef_search {ef}, {row['queries']} {'query' if row['queries'] == 1 else 'queries'}",
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
