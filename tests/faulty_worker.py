"""A worker process that misbehaves on request, run by tests of the isolation with `python -m`."""

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator

from semantic_media_search.media.isolation import Message, serve


def answer(request: Message, alive: Callable[[], None]) -> Iterator[Message]:
    yield Message({"pid": os.getpid()}, (b"first block", b""))
    match request.header["do"]:
        case "crash":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(600)
        case "babble":
            print("words that a library prints")
            sys.stdout.flush()
        case "garbage":
            os.write(int(request.header["descriptor"]), b"\xff" * 1000)
            os._exit(0)
        case "slow":
            for _ in range(int(request.header["seconds"] * 20)):
                time.sleep(0.05)
                alive()
    yield Message({"done": request.header["do"], "last": True}, (bytes(300_000),))


if __name__ == "__main__":
    serve(answer)
