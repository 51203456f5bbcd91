"""The worker process that reads media files, but that misbehaves on files whose names ask for it."""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from semantic_media_search.ingest import isolated
from semantic_media_search.media.isolation import Message, serve


def answer(request: Mapping[str, Any], alive: Callable[[], None]) -> Iterator[Message]:
    path = Path(request["path"])
    match path.stem:
        case "crashes":
            ctypes.string_at(0)
        case "hangs":
            time.sleep(600)
        case "is_killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "vanishes":
            path.rename(path.with_name("." + path.name))
        case "is_closed":
            path.rename(path.with_name("." + path.name))
            path.symlink_to(path)  # may not be opened, not even by root
    yield from isolated._answer(request, alive)


if __name__ == "__main__":
    serve(answer)
