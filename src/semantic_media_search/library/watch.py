"""Follow the library's folders live: an update whenever something in them has changed."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from watchfiles import watch

from semantic_media_search.ingest.discovery import text_to_path
from semantic_media_search.library.library import Library

QUIET_MS = 1_500
"""Files must have been left alone for this long before they are read: a copy takes its time."""
RESCAN_SECONDS = 60.0
"""Folders are looked over this often even where no event came: network disks send none."""
_TICK_MS = 500


def changes(library: Library, stop: threading.Event) -> Iterator[None]:
    """Yield at once, then after each change in the library's folders, until `stop` is set.

    Raises KeyboardInterrupt when the person presses Ctrl-C.
    """
    while not stop.is_set():
        folders = [folder for root in library.roots() if (folder := Path(text_to_path(root.path))).is_dir()]
        if not folders:
            yield
            stop.wait(RESCAN_SECONDS)
            continue
        events = watch(
            *folders,
            stop_event=stop,
            debounce=QUIET_MS * 4,
            step=QUIET_MS,
            rust_timeout=_TICK_MS,
            yield_on_timeout=True,
        )
        next(
            events, None
        )  # watching begins here, before the folders are read: nothing that comes meanwhile is missed
        yield
        # Begun anew now and then, so that folders plugged in or added meanwhile are followed too.
        begun = time.monotonic()
        while time.monotonic() - begun < RESCAN_SECONDS and not stop.is_set():
            if next(events, None):
                yield
