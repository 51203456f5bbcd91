"""This program as processes of its own: a command that is run to its end, a server that is started and stopped."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from semantic_media_search.errors import LibraryError

HOST = "127.0.0.1"
_START_SECONDS = 120.0
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
def serving(library: Path) -> Iterator[Server]:
    """Start a server on this library; it answers when the block begins, and is stopped with it.

    Raises LibraryError where it does not start.
    """
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(
        [*_PROGRAM, "serve", "--library", str(library), "--port", str(port), "--quiet"],
        env=child_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _await(process, port)
        yield Server(process.pid, port)
    finally:
        process.terminate()
        process.communicate()


def _await(process: "subprocess.Popen[str]", port: int) -> None:
    began = time.monotonic()
    while time.monotonic() - began < _START_SECONDS:
        if process.poll() is not None:
            said = process.stderr.read() if process.stderr else ""
            raise LibraryError(f"the server ended with code {process.returncode}: {said.strip()[-500:]}")
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.005)
        else:
            return
    raise LibraryError(f"the server did not listen within {_START_SECONDS:.0f} seconds")
