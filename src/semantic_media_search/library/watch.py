"""Follow the library's folders live: an update whenever something in them has changed."""

import threading
from collections.abc import Iterator
from pathlib import Path

from watchfiles import watch

from semantic_media_search.ingest.discovery import text_to_path
from semantic_media_search.library.library import Library

QUIET_MS = 1_500
"""Files must have been left alone for this long before they are read: a copy takes its time."""
RESCAN_MS = 60_000
"""Folders are looked over this often even where no event came: network disks send none."""


def changes(library: Library, stop: threading.Event) -> Iterator[None]:
    """Yield at once, then after each change in the library's folders, until `stop` is set."""
    yield
    while not stop.is_set():
        folders = [folder for root in library.roots() if (folder := Path(text_to_path(root.path))).is_dir()]
        if not folders:
            stop.wait(RESCAN_MS / 1000)
            yield
            continue
        # Begun anew after each change, so that folders plugged in or added meanwhile are followed too.
        for _ in watch(
            *folders,
            stop_event=stop,
            debounce=QUIET_MS * 4,
            step=QUIET_MS,
            rust_timeout=RESCAN_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            break
        if not stop.is_set():
            yield
