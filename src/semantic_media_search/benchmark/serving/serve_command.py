"""`media-search benchmark serve`: latency and throughput over HTTP, for one client and for many."""

import argparse
import itertools
import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np

from semantic_media_search.benchmark.engine.figures import Figure, Row
from semantic_media_search.benchmark.engine.memory import MB, tree_memory
from semantic_media_search.benchmark.engine.options import at_least_1
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.session import Say
from semantic_media_search.benchmark.engine.timing import turns
from semantic_media_search.benchmark.serving import library
from semantic_media_search.benchmark.serving.processes import Server, get, search_path, serving
from semantic_media_search.config import Settings
from semantic_media_search.search.sample_queries import SAMPLE_QUERIES

CLIENTS = (1, 8, 64)
OLD, NEW = "asked before", "new words"
_PERCENTILES = (50, 95, 99)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many clients and requests."""
    parser.add_argument(
        "--clients", type=at_least_1, nargs="+", default=list(CLIENTS), help="at once (default 1 8 64)"
    )
    parser.add_argument(
        "--requests",
        type=at_least_1,
        default=640,
        help="in each round, of all clients together (default 640)",
    )
    library.add_arguments(parser, "serve", rounds=5)


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure, print, write. Raises LibraryError where there is no library, or where a search fails."""
    session, view = library.open_session("serve", arguments, settings, say, requests=arguments.requests)
    cells = list(itertools.product(arguments.clients, (OLD, NEW)))
    measured: dict[tuple[int, str], list[tuple[float, list[float]]]] = {cell: [] for cell in cells}
    with serving(settings.library) as server:
        fresh = _new_words()
        _ask(server, 1, [search_path(words) for words in SAMPLE_QUERIES])
        for number in range(arguments.rounds):
            for clients, kind in turns(cells, number):
                words = itertools.cycle(SAMPLE_QUERIES) if kind == OLD else fresh
                paths = [search_path(one) for one in itertools.islice(words, arguments.requests)]
                measured[clients, kind].append(_ask(server, clients, paths))
        held = tree_memory(server.pid)
    recall = library.recall_of(view)
    rows = [_row(clients, kind, rounds) | {"recall": recall} for (clients, kind), rounds in measured.items()]
    notes = [
        "Clients keep their connections and share this machine's cores with the server; 20 results a search.",
        library.recall_note(view),
    ]
    if held is not None:
        notes.append(f"The server held {held / MB:,.0f} MB in the end.")
    charts = [
        Chart("Searches a second", "clients", "throughput", "words", log_x=True),
        Chart("Latency, 95 of 100 answered sooner", "clients", "p95", "words", log_x=True, log_y=True),
    ]
    session.add(Section("serve", "Searches over HTTP", ("clients", "words"), rows, notes, charts))
    session.close()


def _row(clients: int, kind: str, rounds: Sequence[tuple[float, Sequence[float]]]) -> Row:
    row: Row = {"clients": clients, "words": kind}
    for percentile in _PERCENTILES:
        repeats = tuple(1000 * float(np.percentile(latencies, percentile)) for _, latencies in rounds)
        row[f"p{percentile}"] = Figure(repeats, "ms")
    speeds = tuple(len(latencies) / took for took, latencies in rounds)
    return row | {"throughput": Figure(speeds, "/s", more_is_better=True)}


def _new_words() -> Iterator[str]:
    """Searches that nobody made before, as long as those that people make."""
    for number in itertools.count():
        yield f"{SAMPLE_QUERIES[number % len(SAMPLE_QUERIES)]} {number}"


def _ask(server: Server, clients: int, paths: Sequence[str]) -> tuple[float, list[float]]:
    """Have so many clients make these requests: seconds that all took together, and that each took."""
    connections = [server.connect() for _ in range(clients)]
    for connection in connections:
        connection.connect()
    latencies: list[list[float]] = [[] for _ in connections]
    failures: list[Exception] = []
    ready = threading.Barrier(clients + 1)

    def client(number: int) -> None:
        ready.wait()
        try:
            for path in paths[number::clients]:
                began = time.perf_counter()
                get(connections[number], path)
                latencies[number].append(time.perf_counter() - began)
        except Exception as error:  # noqa: BLE001 - raised again by the caller's thread, whatever it is
            failures.append(error)

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    for connection in connections:
        connection.close()
    if failures:
        raise failures[0]
    return took, [latency for times in latencies for latency in times]
