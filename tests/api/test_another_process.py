"""A server as a person starts it, while `media-search update` adds to its library in another process."""

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes import paint
from processes import importing_as_here
from semantic_media_search.config import Settings
from semantic_media_search.embeddings.loading import load_encoder
from semantic_media_search.library import Library

SEEN_WITHIN_SECONDS = 5.0
PATIENCE = 120.0
ADDRESSES = [
    "/search?q=red&k=50",
    "/search?q=a+red+wall&group=moment",
    "/filters",
    "/browse",
    "/health",
    "/frame/0",
]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the command line with these words, on a library of the test's own."""
    begun: list[subprocess.Popen[str]] = []

    def start_one(*words: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-m",
            "semantic_media_search",
            *words,
            "--library",
            str(tmp_path / "library"),
        ]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=importing_as_here(),
        )
        begun.append(process)
        return process

    yield start_one
    for process in begun:
        process.kill()
        process.communicate()


def _ask(port: int, address: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", address)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def _asking(port: int, failed: list[str]) -> Iterator[list[int]]:
    """Asks for everything, over and over; what is answered, and in `failed` what is no good answer."""
    statuses: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            for address in ADDRESSES:
                try:
                    status, body = _ask(port, address)
                except OSError as error:
                    failed.append(f"{address}: {error!r}")
                    continue
                statuses.append(status)
                if status != 200:
                    failed.append(f"{address}: {status} {body[:200]!r}")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join()


def test_a_search_shows_what_another_process_committed(start: Start, tmp_path: Path) -> None:
    """Within seconds of the commit, and with no request that fails meanwhile; so too with what is deleted."""
    photos = paint(tmp_path / "photos" / "red.png", "red").parent
    first = start("update", str(photos), "--model", "starter")
    assert first.wait(PATIENCE) == 0
    server = start("serve", "--port", "0")
    assert server.stderr is not None
    port = int(server.stderr.readline().split(" until")[0].rpartition(":")[2])
    library = Library(Settings(library=tmp_path / "library"), load_encoder)

    def shown() -> set[str]:
        status, body = _ask(port, "/search?q=red&k=50")
        assert status == 200, body
        return {hit["name"] for hit in json.loads(body)["results"]}

    def shown_soon(names: set[str], done: Callable[[], bool]) -> None:
        """A `media-search update` commits `names`; from that instant the clock runs."""
        update = start("update")
        begun = time.monotonic()
        while not done():
            assert time.monotonic() - begun < PATIENCE
            time.sleep(0.02)
        committed = time.monotonic()
        while shown() != names:
            assert time.monotonic() - committed < SEEN_WITHIN_SECONDS
        assert update.wait(PATIENCE) == 0
        assert shown() == names

    assert shown() == {"red.png"}
    failed: list[str] = []
    with _asking(port, failed) as statuses:
        paint(photos / "new.png", "red", seed=1)
        shown_soon({"red.png", "new.png"}, lambda: _vectors(library) == 2)
        (photos / "red.png").rename(photos / "wall.png")
        shown_soon({"wall.png", "new.png"}, lambda: library.view().frame(0).source_path.endswith("wall.png"))  # type: ignore[union-attr]
        (photos / "new.png").unlink()
        shown_soon({"wall.png"}, lambda: library.status().removed_frames == 1)
    assert failed == []
    assert len(statuses) > len(ADDRESSES)
    server.send_signal(signal.SIGINT)
    _, rest = server.communicate(timeout=PATIENCE)
    assert "Traceback" not in rest


def _vectors(library: Library) -> int:
    generation = library.commit().generation
    return generation.rows if generation else 0
