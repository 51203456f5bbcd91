"""`media-search benchmark start`: from the start of a process to its first answer."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing

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

_WORDS = "a dog on the beach"
_COLD = "media-search search, compiling anew"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often."""
    library.add_arguments(parser, "start", rounds=5)


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure, print, write. Raises LibraryNotFoundError where there is no library."""
    session, view = library.open_session("start", arguments, settings, say)
    place = str(settings.library)

    def search() -> None:
        run_program(["search", _WORDS, "--library", place, "--quiet"])

    def cold_search() -> None:
        with tempfile.TemporaryDirectory() as folder:
            run_program(["search", _WORDS, "--library", place, "--quiet"], {"NUMBA_CACHE_DIR": folder})

    def serve() -> None:
        with serving(settings.library) as server, closing(server.connect()) as connection:
            get(connection, search_path(_WORDS))

    jobs: dict[str, Callable[[], object]] = {
        "python, doing nothing": lambda: run_command([sys.executable, "-c", "pass"]),
        "python, importing numpy": lambda: run_command([sys.executable, "-c", "import numpy"]),
        "media-search --version": lambda: run_program(["--version"]),
        "media-search search": search,
        "media-search serve, and one search": serve,
    }
    times = in_turns(jobs, arguments.rounds)
    times |= in_turns({_COLD: cold_search}, min(2, arguments.rounds), warm_up=False)
    rows: list[Row] = [
        {
            "process": name,
            "time": seconds(taken),
            "recall": library.recall_of(view) if "search" in name.partition(" ")[2] else None,
        }
        for name, taken in times.items()
    ]
    notes = [
        f"Each is a process of its own, to its end; the search is for {_WORDS!r}. Files are in the system's cache.",
        library.recall_note(view),
    ]
    session.add(
        Section("start", "From the start of a process to its first answer", ("process",), rows, notes,
                [Chart("From the start of a process to its end", "process", "time")])
    )  # fmt: skip
    session.close()
