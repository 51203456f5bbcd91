"""This program as processes of its own: a command that is run to its end, a server that is started and stopped."""

import http.client
import os
import queue
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from semantic_media_search.errors import LibraryError

HOST = "127.0.0.1"
_START_SECONDS = 120.0
_SERVING = re.compile(r"Serving http://\S+:(\d+) ")
_LINES_KEPT = 200
_PROGRAM = (sys.executable, "-m", "semantic_media_search")


def child_environment(further: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, with which a child finds the same packages."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **(further or {})}


def run_program(arguments: Sequence[str], further: Mapping[str, str] | None = None) -> str:
    """Run `media-search` with these arguments; what it printed. Raises LibraryError where it fails."""
    return run_command([*_PROGRAM, *arguments], further)


def run_command(command: Sequence[str], further: Mapping[str, str] | None = None) -> str:
    """Run a command; what it printed. Raises LibraryError where it fails."""
    done = subprocess.run(
        command, env=child_environment(further), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LibraryError(f"`{' '.join(command[2:])}` failed: {done.stderr.strip()[-500:]}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process id and its port on this machine."""

    pid: int
    port: int

    def connect(self) -> http.client.HTTPConnection:
        """A connection that stays open from request to request."""
        return http.client.HTTPConnection(HOST, self.port, timeout=_START_SECONDS)


def get(connection: http.client.HTTPConnection, path: str) -> bytes:
    """The body of an answer. Raises LibraryError for any status but 200."""
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise LibraryError(
            f"GET {path} was answered with {answer.status}: {body[:300].decode(errors='replace')}"
        )
    return body


def search_path(words: str, k: int = 20) -> str:
    """The request for one search."""
    return f"/search?q={quote(words)}&k={k}"


@contextmanager
def serving(library: Path, further: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start a server on this library; it answers when the block begins, and is stopped with it.

    `further` are variables of its environment.

    Raises LibraryError where it does not start.
    """
    process = subprocess.Popen(
        [*_PROGRAM, "serve", "--library", str(library), "--host", HOST, "--port", "0"],
        env=child_environment(further),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: deque[str] = deque(maxlen=_LINES_KEPT)
    port: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    # A pipe that nobody empties would stop the server once it is full.
    reader = threading.Thread(target=_read, args=(process, said, port), daemon=True)
    reader.start()
    try:
        yield Server(process.pid, _await(process, said, port))
    finally:
        process.terminate()
        process.wait()
        reader.join()


def _read(
    process: "subprocess.Popen[str]", said: "deque[str]", port: "queue.SimpleQueue[int | None]"
) -> None:
    """Empty the server's messages to their end; the port that it names goes into the queue, None at the end."""
    assert process.stderr is not None
    with process.stderr as messages:
        for line in messages:
            said.append(line)
            if (found := _SERVING.search(line)) is not None:
                port.put(int(found[1]))
    port.put(None)


def _await(
    process: "subprocess.Popen[str]", said: "deque[str]", port: "queue.SimpleQueue[int | None]"
) -> int:
    """The port, once the server has said where it listens: from then on connections wait for it in the system."""
    try:
        found = port.get(timeout=_START_SECONDS)
    except queue.Empty:
        raise LibraryError(f"the server did not listen within {_START_SECONDS:.0f} seconds") from None
    if found is None:
        message = "".join(said).strip()[-500:]
        raise LibraryError(f"the server ended with code {process.wait()}: {message}")
    return found
