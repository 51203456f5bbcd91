"""Saying so where the index must be compiled first: that takes a while, once on each processor."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NOTICE = "Compiling the index for this processor; this happens once."
_NOTICE_SECONDS = 3.0


@contextmanager
def compiling(note: Callable[[str], None]) -> Iterator[None]:
    """Around the first use of the index's code: gives `note` a notice where that is not done at once."""
    notice = threading.Timer(_NOTICE_SECONDS, note, [NOTICE])
    notice.daemon = True
    notice.start()
    try:
        yield
    finally:
        notice.cancel()
