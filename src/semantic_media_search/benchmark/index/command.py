"""`media-search benchmark index`: every figure about the index, on vectors that anyone can get."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.engine.options import at_least_1
from semantic_media_search.benchmark.engine.session import Say, Session, require_writable
from semantic_media_search.benchmark.index.contestants import (
    EF_CONSTRUCTION,
    OURS,
    PACKAGES,
    REFERENCE,
    M,
    builders,
)
from semantic_media_search.benchmark.index.crossmodal import captioned_crops, cross_modal_section
from semantic_media_search.benchmark.index.curves import (
    Line,
    build_in_turns,
    build_section,
    curve_sections,
    curves,
    exact_top,
)
from semantic_media_search.benchmark.index.float_walk import traversal_section
from semantic_media_search.benchmark.index.loads import filter_section, growth_section, thread_section
from semantic_media_search.benchmark.index.sweep import sweep_section
from semantic_media_search.benchmark.index.synthetic import clip_shaped, nearly_alike
from semantic_media_search.benchmark.index.vectors import (
    Vectors,
    encoded_sentences,
    held_out,
    sentences_of,
    vectors_of_file,
)
from semantic_media_search.config import Settings
from semantic_media_search.embeddings import load_encoder
from semantic_media_search.errors import ConfigError
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.library import Library
from semantic_media_search.search.sample_queries import SAMPLE_QUERIES

_OWN_VECTORS = {"clip-shaped", "photos"}
"""Parts that are measured on vectors made for them."""
SECTIONS = ("curves", "codes", "threads", "filters", "sweep", "clip-shaped", "photos", "alike", "growth")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: vectors, queries, rounds of searches and of builds, sizes of the growth, sweeps."""

    rows: int
    queries: int
    rounds: int
    build_rounds: int
    growth: tuple[int, ...]
    sweep_rows: int
    ms: tuple[int, ...]
    ef_constructions: tuple[int, ...]


SCALES = {
    "small": Scale(10_000, 300, 5, 3, (2_000, 5_000, 10_000), 5_000, (8, 16, 32), (100, 200)),
    "full": Scale(
        100_000, 1_000, 5, 3, (10_000, 100_000, 1_000_000), 50_000, (8, 12, 16, 24, 32), (100, 200, 400)
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is measured, on which vectors, how thoroughly, beside whom."""
    parser.add_argument(
        "--scale", choices=SCALES, default="small", help="small: minutes; full: an hour or two"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--vectors", type=Path, metavar="FILE.npy", help="float rows [N, D] to measure on")
    source.add_argument(
        "--sentences",
        type=Path,
        metavar="FILE",
        help="one a line, encoded by the starter model (default: WordNet's glosses)",
    )
    source.add_argument("--this-library", action="store_true", help="measure on this library's own vectors")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photographs, for words against pictures")
    parser.add_argument(
        "--captions", type=Path, metavar="FILE", help="their captions (see benchmark retrieval)"
    )
    parser.add_argument("--split", help="only this split of the captions, e.g. dev, test, held-out")
    parser.add_argument(
        "--peers", nargs="*", default=PACKAGES, metavar="PACKAGE", help=f"of {', '.join(PACKAGES)}"
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="only these parts")
    parser.add_argument("--rows", type=at_least_1, help="at most so many vectors are indexed")
    parser.add_argument("--queries", type=at_least_1, help="so many are held out as queries")
    parser.add_argument("--rounds", type=at_least_1, help="how often each search is timed")
    parser.add_argument("--build-rounds", type=at_least_1, metavar="N", help="how often each index is built")
    parser.add_argument("--growth", type=at_least_1, nargs="+", metavar="N", help="sizes for the growth")
    parser.add_argument(
        "--growth-dim", type=at_least_1, default=512, metavar="D", help="its dimensions (default 512)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("data/benchmarks/index.json"), metavar="FILE",
        help="the figures as JSON, charts and cached vectors beside it (default %(default)s)",
    )  # fmt: skip


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure, print, write. Raises ConfigError for vectors or photographs that cannot be used, or a bad --output."""
    if (arguments.photos is None) != (arguments.captions is None):
        raise ConfigError("--photos and --captions belong together: give both or neither")
    if arguments.split is not None and arguments.captions is None:
        raise ConfigError("--split chooses among the captions: give --photos and --captions as well")
    require_writable(arguments.output)  # the vectors are made first, which may take an hour
    scale = SCALES[arguments.scale]
    rows, queries = arguments.rows or scale.rows, arguments.queries or scale.queries
    rounds, build_rounds = arguments.rounds or scale.rounds, arguments.build_rounds or scale.build_rounds
    cache = arguments.output.parent / "cache"
    vectors = _vectors(arguments, settings, rows, queries, cache, say)
    makers, versions, notes = builders(arguments.peers)
    session = Session(
        "index", say, arguments.output,
        vectors=vectors.text, M=M, ef_construction=EF_CONSTRUCTION, scale=arguments.scale, **versions,
    )  # fmt: skip
    for note in notes:
        say(note)
    pair = {name: makers[name] for name in (OURS, REFERENCE) if name in makers}

    def measure_curves() -> None:
        indexes = build_in_turns(makers, vectors.rows, build_rounds, say)
        session.add(build_section(indexes, vectors))
        exact = exact_top(vectors)
        lines = {name: Line(one.contestant, vectors, exact) for name, one in indexes.items()}
        for section in curve_sections(curves(lines, rounds), vectors):
            session.add(section)

    def built() -> HNSWIndex:
        index = HNSWIndex(vectors.rows.shape[1], M, EF_CONSTRUCTION)
        index.build(vectors.rows, settings.worker_threads)
        return index

    def measure_clip_shaped() -> None:
        shaped, words = clip_shaped(rows, queries)
        session.add(cross_modal_section("clip-shaped", pair, shaped, words, rounds))

    def measure_photos() -> None:
        if arguments.photos is None:
            say("\nWords against photographs left out: give --photos DIR and --captions FILE")
            return
        crops, words = captioned_crops(
            arguments.photos, arguments.captions, arguments.split, rows, queries, cache, say
        )
        session.add(cross_modal_section("photos", pair, crops, words, rounds))

    def measure_alike() -> None:
        frames, like_them = nearly_alike(vectors)
        kinds = ("others", "near copies")
        session.add(cross_modal_section("alike", pair, frames, like_them, rounds, "Rows nearly alike", kinds))

    def measure_sweep() -> None:
        fewer = Vectors(vectors.rows[: scale.sweep_rows], vectors.queries, vectors.source)
        session.add(sweep_section(fewer, scale.ms, scale.ef_constructions, rounds, build_rounds, say))

    def measure_growth() -> None:
        sizes = arguments.growth or scale.growth
        session.add(growth_section(vectors, sizes, arguments.growth_dim, settings.worker_threads, rounds))

    parts: dict[str, Callable[[], object]] = {
        "curves": measure_curves,
        "codes": lambda: session.add(traversal_section(built(), vectors, rounds)),
        "threads": lambda: session.add(thread_section(vectors, build_rounds)),
        "filters": lambda: session.add(filter_section(built(), vectors, rounds)),
        "sweep": measure_sweep,
        "clip-shaped": measure_clip_shaped,
        "photos": measure_photos,
        "alike": measure_alike,
        "growth": measure_growth,
    }
    for name, measure in parts.items():
        if name in arguments.only:
            measure()
    session.close()


def _vectors(
    arguments: argparse.Namespace, settings: Settings, rows: int, queries: int, cache: Path, say: Say
) -> Vectors:
    if set(arguments.only) <= _OWN_VECTORS:
        nothing = np.empty((0, 1), np.float32)
        return Vectors(nothing, nothing, "those of each part")
    if arguments.vectors is not None:
        held = vectors_of_file(arguments.vectors)
        return held_out(held, rows, queries, f"vectors of {arguments.vectors.name}")
    if arguments.this_library:
        view = Library(settings, lambda name: load_encoder(name, threads=settings.threads)).view()
        source = f"vectors of this library ({view.generation.model.name}), asked in words"
        return Vectors(np.array(view.store.vectors[:rows]), view.encoder.encode_texts(SAMPLE_QUERIES), source)
    held = encoded_sentences(sentences_of(arguments.sentences, rows + queries), cache, say)
    kind = "WordNet glosses" if arguments.sentences is None else f"sentences of {arguments.sentences.name}"
    return held_out(held, rows, queries, f"{kind} by the starter model")
