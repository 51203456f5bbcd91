"""`media-search benchmark start`: from the start of a process to its first answer."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial

from semantic_media_search.benchmark.engine.figures import Row, seconds
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.session import Say
from semantic_media_search.benchmark.engine.timing import in_turns
from semantic_media_search.benchmark.serving import library
from semantic_media_search.benchmark.serving.processes import (
    get,
    run_command,
    run_program,
    search_path,
    serving,
)
from semantic_media_search.config import Settings
from semantic_media_search.library.view import LibraryView
from semantic_media_search.search.retriever import EXACT_ONCE_BELOW

_WORDS = "a dog on the beach"
_SEARCH, _SERVE = "media-search search", "media-search serve, and one search"
_COLD = "compiling anew"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often."""
    library.add_arguments(parser, "start", rounds=5)


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure, print, write. Raises LibraryNotFoundError where there is no library."""
    session, view = library.open_session("start", arguments, settings, say)
    place = settings.library

    def search(further: Mapping[str, str] | None = None) -> None:
        run_program(["search", _WORDS, "--library", str(place), "--quiet"], further)

    def serve(further: Mapping[str, str] | None = None) -> None:
        with serving(place, further) as server, closing(server.connect()) as connection:
            get(connection, search_path(_WORDS))

    jobs: dict[str, Callable[[], object]] = {
        "python, doing nothing": lambda: run_command([sys.executable, "-c", "pass"]),
        "python, importing numpy": lambda: run_command([sys.executable, "-c", "import numpy"]),
        "media-search --version": lambda: run_program(["--version"]),
        _SEARCH: search,
        _SERVE: serve,
    }
    times = in_turns(jobs, arguments.rounds)
    if view.index is not None:
        name, job = (_SERVE, serve) if library.exact_once(view) else (_SEARCH, search)
        cold = {f"{name}, {_COLD}": partial(_compiling_anew, job)}
        times |= in_turns(cold, min(2, arguments.rounds), warm_up=False)
    rows: list[Row] = [
        {"process": name, "time": seconds(taken), "recall": _recall(name, view)}
        for name, taken in times.items()
    ]
    notes = [
        f"Each is a process of its own, to its end; the search is for {_WORDS!r}. Files are in the system's cache.",
        *_notes(view),
    ]
    session.add(
        Section("start", "From the start of a process to its first answer", ("process",), rows, notes,
                [Chart("From the start of a process to its end", "process", "time")])
    )  # fmt: skip
    session.close()


def _compiling_anew(job: Callable[[Mapping[str, str]], object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        job({"NUMBA_CACHE_DIR": folder})


def _recall(process: str, view: LibraryView) -> float | None:
    if process.startswith(_SEARCH):
        return 1.0 if library.exact_once(view) else library.recall_of(view)
    return library.recall_of(view) if process.startswith(_SERVE) else None


def _notes(view: LibraryView) -> Iterator[str]:
    """How each of the two ways to search answers, where they differ."""
    if view.index is not None and library.exact_once(view):
        yield f"Below {EXACT_ONCE_BELOW:,} rows `{_SEARCH}` compares all of them: nothing is compiled. The server:"
    yield library.recall_note(view)
