"""Work in processes of its own, so that a decoder that crashes or hangs takes only its file down.

A worker is this interpreter running one module, which reads requests from its standard input and writes replies
to its standard output (`serve`). Messages are a JSON header and raw blocks of bytes, never pickles: whatever a
broken decoder writes, nothing here runs it.
"""

import json
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from semantic_media_search.errors import DecodeError, MediaError, MediaUnreadableError

_LENGTHS = struct.Struct("<II")
_LAST = "last"
_ALIVE = {"alive": True}
_ALIVE_SECONDS = 1.0
_MAX_BLOCK = 2**31 - 1
_POLL_SECONDS = 0.25
_DYING_SECONDS = 2.0
_FROM_OUTSIDE = frozenset(getattr(signal, name, None) for name in ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"))
"""Signals that no decoder brings upon itself: a person sends them, or a system that is short of memory."""


@dataclass(frozen=True, slots=True)
class Message:
    """A JSON-able header and blocks of bytes. A header with `last` true ends the replies to a request."""

    header: Mapping[str, Any]
    blocks: tuple[bytes | memoryview, ...] = ()


def write_message(stream: IO[bytes], message: Message) -> None:
    """Write one message: the lengths of header and blocks, then they themselves."""
    header = json.dumps({**message.header, "blocks": [len(block) for block in message.blocks]}).encode()
    stream.write(_LENGTHS.pack(len(header), len(message.blocks)) + header)
    for block in message.blocks:
        stream.write(block)
    stream.flush()


def read_message(stream: IO[bytes]) -> Message | None:
    """Read one message; None at the end of the stream, or where it breaks off or holds no message."""
    try:
        length, _ = _LENGTHS.unpack(_read_exactly(stream, _LENGTHS.size))
        header = json.loads(_read_exactly(stream, min(length, _MAX_BLOCK)))
        return Message(header, tuple(_read_exactly(stream, int(size)) for size in header.pop("blocks")))
    except (EOFError, OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    if not 0 <= size <= _MAX_BLOCK:
        raise ValueError(f"a block of {size} bytes")
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def serve(answer: Callable[[Message, Callable[[], None]], Iterator[Message]]) -> None:
    """Be a worker: answer each request on standard input with messages on standard output, until that closes.

    `answer` gets the request, and a function to call now and then while it works, which tells the other
    side that there is progress. What libraries print goes to standard error.
    """
    # Ctrl-C in a terminal reaches this process too, but what becomes of the work is for the other side to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_take_requests, args=(requests,), daemon=True).start()
    while True:
        last_sign = time.monotonic()

        def alive() -> None:
            nonlocal last_sign
            if time.monotonic() - last_sign > _ALIVE_SECONDS:
                last_sign = time.monotonic()
                write_message(replies, Message(_ALIVE))

        for message in answer(requests.get(), alive):
            write_message(replies, message)


def _take_requests(requests: "queue.SimpleQueue[Message]") -> None:
    """Take in requests; when the other side is gone, so is this process, also in the middle of a decoder."""
    while (message := read_message(sys.stdin.buffer)) is not None:
        requests.put(message)
    os._exit(0)


_PACKAGES = str(Path(__file__).resolve().parents[2])
_NICENESS = 10
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
# Workers give way: to what makes vectors of their pictures, which loses its caches where the two take turns on a core,
# and to whatever else the person does. NumPy would start threads that nobody uses here.
_START = f"""
import os, runpy, sys
if hasattr(os, "nice"):
    os.nice({_NICENESS})
packages, module = sys.argv[1:]
if packages not in sys.path:
    sys.path.insert(0, packages)
runpy.run_module(module, run_name="__main__")
"""
# Not `python -m`, which looks first into the folder that the person happens to be in: a file there that is called
# like a module of Python's would be run.


class _Worker:
    def __init__(self, module: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, _PACKAGES, module],
            env=os.environ | _ONE_THREAD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.deadline: float | None = None
        self.hung = False

    def kill(self) -> None:
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process.wait()


class WorkerPool:
    """Up to `size` worker processes running `module`, started when first needed; use it in a `with` block.

    A worker that dies is replaced; one that gives no sign for `timeout` seconds, while a reply is waited for, is
    killed. May be used from several threads, as many at once as there are workers.
    """

    def __init__(self, module: str, size: int, timeout: float = 120.0) -> None:
        self._module = module
        self._timeout = timeout
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(None)
        self._busy: set[_Worker] = set()
        self._size = size
        self._closed = threading.Event()
        self._starting = threading.Lock()
        self._watched = False

    def run(self, request: Message, name: str) -> Iterator[Message]:
        """Have a worker answer `request`; yields its replies without the last one's `last` mark.

        Raises DecodeError, naming `name`, if the worker crashes or hangs, MediaUnreadableError if it was killed from
        outside or the pool was stopped: that says nothing of the file.
        """
        worker = self._free.get()
        whole = False
        try:
            if self._closed.is_set():
                raise MediaUnreadableError(f"{name} was not read: the reading was stopped")
            if worker is None:
                worker = self._start()
            self._busy.add(worker)
            assert worker.process.stdin is not None
            try:
                write_message(worker.process.stdin, request)
            except OSError:
                raise self._obituary(worker, name) from None
            while (message := self._reply(worker)) is not None:
                if message.header.get(_LAST):
                    whole = True
                    yield message
                    return
                if not message.header.get("alive"):
                    yield message
            raise self._obituary(worker, name)
        finally:
            if worker is not None:
                self._busy.discard(worker)
                if not whole:  # stopped half-way: what it would still send belongs to nobody
                    worker.kill()
            self._free.put(worker if whole else None)

    def interrupt(self) -> None:
        """Stop the workers, also those at work: whoever waits for a reply gets a MediaUnreadableError.

        So does any later run.
        """
        self._closed.set()
        for worker in list(self._busy):
            worker.process.kill()

    def close(self) -> None:
        """End all workers; waits for those at work."""
        self._closed.set()
        for _ in range(self._size):
            worker = self._free.get()
            if worker is not None:
                worker.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reply(self, worker: _Worker) -> Message | None:
        assert worker.process.stdout is not None
        worker.deadline = time.monotonic() + self._timeout
        try:
            return read_message(worker.process.stdout)
        finally:
            worker.deadline = None

    def _start(self) -> _Worker:
        with self._starting:
            if not self._watched:
                threading.Thread(target=self._watch, daemon=True, name="decoder watch").start()
                self._watched = True
        return _Worker(self._module)

    def _watch(self) -> None:
        while not self._closed.wait(_POLL_SECONDS):
            now = time.monotonic()
            for worker in list(self._busy):
                deadline = worker.deadline
                if deadline is not None and now > deadline:
                    worker.hung = True
                    worker.process.kill()

    def _obituary(self, worker: _Worker, name: str) -> MediaError:
        try:
            code = worker.process.wait(_DYING_SECONDS)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            code = worker.process.wait()
        if worker.hung:
            return DecodeError(
                f"{name} is damaged: its decoder hung and was stopped after {self._timeout:.0f} seconds"
            )
        if self._closed.is_set():
            return MediaUnreadableError(f"{name} was not read: the reading was stopped")
        if -code in _FROM_OUTSIDE:
            return MediaUnreadableError(
                f"{name} was not read: its decoder was killed ({signal.Signals(-code).name}); is the machine short of "
                "memory?"
            )
        try:
            cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        except ValueError:
            cause = f"exit code {code}"
        return DecodeError(f"{name} is damaged: its decoder crashed ({cause})")
