"""`media-search benchmark page`: from the last key to the first result that a person sees."""

import argparse
from itertools import cycle, islice

import numpy as np

from semantic_media_search.benchmark.engine.figures import Figure, Row
from semantic_media_search.benchmark.engine.options import at_least_1
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.session import Say
from semantic_media_search.benchmark.serving import library
from semantic_media_search.benchmark.serving.browser import typist
from semantic_media_search.benchmark.serving.processes import HOST, serving
from semantic_media_search.config import Settings
from semantic_media_search.search.sample_queries import SAMPLE_QUERIES

_WARM_UP = ("a red kite", "an open book")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much is typed, and how fast."""
    parser.add_argument(
        "--searches", type=at_least_1, default=24, help="typed in each round (default %(default)s)"
    )
    parser.add_argument(
        "--key-ms", type=float, default=120, help="from key to key, in milliseconds (default %(default)s)"
    )
    library.add_arguments(parser, "page", rounds=3)


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure, print, write. Raises LibraryError where there is no library, ConfigError where there is no browser."""
    session, view = library.open_session(
        "page", arguments, settings, say, searches=arguments.searches, key_ms=arguments.key_ms
    )
    words = cycle(SAMPLE_QUERIES)
    rounds: list[list[dict[str, float]]] = []
    with serving(settings.library) as server, typist(f"http://{HOST}:{server.port}/") as person:
        for warming in _WARM_UP:
            person.search(warming, arguments.key_ms)
        for _ in range(arguments.rounds):
            some = islice(words, arguments.searches)
            rounds.append([person.search(one, arguments.key_ms) for one in some])
    rows: list[Row] = [
        {"step": step}
        | {
            f"p{percentile}": Figure(
                tuple(float(np.percentile([times[step] for times in found], percentile)) for found in rounds),
                "ms",
            )
            for percentile in (50, 95)
        }
        for step in rounds[0][0]
    ]
    notes = [
        f"Words that nobody searched for before, typed a key each {arguments.key_ms:g} ms.",
        "The page searches while they are typed. The browser shares this machine's cores with the server.",
        library.recall_note(view),
    ]
    charts = [Chart("Time from step to step, half of the searches sooner", "step", "p50")]
    session.add(Section("page", "From the last key to the first result", ("step",), rows, notes, charts))
    session.close()
