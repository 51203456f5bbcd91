"""The library that the serving benchmarks measure: the one of the settings."""

import argparse
from pathlib import Path

from semantic_media_search.benchmark.engine.options import at_least_1
from semantic_media_search.benchmark.engine.session import Say, Session
from semantic_media_search.config import Settings
from semantic_media_search.embeddings import load_encoder
from semantic_media_search.library import Library
from semantic_media_search.library.view import LibraryView
from semantic_media_search.search.retriever import EXACT_ONCE_BELOW


def add_arguments(parser: argparse.ArgumentParser, benchmark: str, *, rounds: int) -> None:
    """What all of them take."""
    parser.add_argument(
        "--rounds", type=at_least_1, default=rounds, help="how often all is timed (default %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path(f"data/benchmarks/{benchmark}.json"), metavar="FILE",
        help="default %(default)s",
    )  # fmt: skip


def open_session(
    benchmark: str, arguments: argparse.Namespace, settings: Settings, say: Say, **facts: object
) -> tuple[Session, LibraryView]:
    """The session with these facts and the library's, and the library. Raises LibraryNotFoundError for none."""
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
        recall=recall_of(view),
        **facts,
    )
    return session, view


def recall_of(view: LibraryView) -> float | None:
    """The recall of this library's searches: 1 where they are exact, None where the graph's was not measured."""
    recall = 1.0 if view.index is None else view.generation.recall
    return None if recall is None else round(recall, 4)


def exact_once(view: LibraryView) -> bool:
    """Whether the command line's search compares all rows of this library."""
    return view.index is None or view.generation.rows < EXACT_ONCE_BELOW


def recall_note(view: LibraryView) -> str:
    """How the library's searches are answered, and with which recall."""
    if view.index is None:
        return (
            "The library is so small that its searches are exact: nothing is compiled, and no index opened."
        )
    ef, recall = view.generation.ef_search, recall_of(view)
    found = "was not measured" if recall is None else f"{recall:.4f}"
    return f"Searches go by the graph at ef {ef}; recall against exact search, measured after the build: {found}."
