"""The worker process that reads media files, but that misbehaves on files whose names, or bytes, ask for it."""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from semantic_media_search.ingest import isolated
from semantic_media_search.ingest.prepared import SourceReader
from semantic_media_search.media.isolation import Message, serve


def answer(request: Message, alive: Callable[[], None]) -> Iterator[Message]:
    path = Path(request.header["path"] or request.blocks[0].decode("ascii", "replace"))
    match path.stem:
        case "crashes":
            ctypes.string_at(0)
        case "hangs":
            time.sleep(600)
        case "is_killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "wants_memory":
            isolated.read_image = _out_of_memory
        case "vanishes":
            path.rename(path.with_name("." + path.name))
        case "is_closed":
            path.rename(path.with_name("." + path.name))
            path.symlink_to(path)  # may not be opened, not even by root
    yield from isolated._answer(request, alive)


def _out_of_memory(*_: object, **__: object) -> SourceReader:
    raise MemoryError


if __name__ == "__main__":
    serve(answer)
