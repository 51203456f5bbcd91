"""The library that the serving benchmarks measure: the one of the settings."""

import argparse
from pathlib import Path

from semantic_media_search.benchmark.engine.session import Say, Session
from semantic_media_search.config import Settings
from semantic_media_search.embeddings import load_encoder
from semantic_media_search.library import Library
from semantic_media_search.library.view import LibraryView


def add_arguments(parser: argparse.ArgumentParser, benchmark: str, *, rounds: int) -> None:
    """What all of them take."""
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="how often all is timed (default %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path(f"data/benchmarks/{benchmark}.json"), metavar="FILE",
        help="default %(default)s",
    )  # fmt: skip


def open_session(
    benchmark: str, arguments: argparse.Namespace, settings: Settings, say: Say
) -> tuple[Session, LibraryView]:
    """The session with the library's facts, and the library. Raises LibraryNotFoundError where there is none."""
    view = Library(settings, lambda name: load_encoder(name, threads=settings.threads)).view()
    session = Session(
        benchmark,
        say,
        arguments.output,
        model=view.generation.model.name,
        frames=view.frame_count,
        vectors=view.store.rows,
        dim=view.store.dim,
        ef=view.generation.ef_search,
    )
    return session, view
