"""Follow the library's folders live: an update whenever something in them has changed."""

import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
        roots = [Path(text_to_path(root.path)) for root in library.roots()]
        folders = _plugged_in(roots)
        if not folders:
            yield
            _wait_for_any(roots, stop)
            continue
        events = watch(
            *folders,
            stop_event=stop,
            debounce=QUIET_MS * 4,
            step=QUIET_MS,
            rust_timeout=_TICK_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        try:
            # Watching begins here, before the folders are read: nothing that comes meanwhile is missed.
            next(events, None)
        except FileNotFoundError:  # one went just now
            stop.wait(_TICK_MS / 1000)
            continue
        yield
        # Begun anew now and then, so that folders added meanwhile are followed too; and at once where one was
        # plugged in or unplugged: of that no event comes, or one of a folder that is not the one at this place.
        begun = time.monotonic()
        while time.monotonic() - begun < RESCAN_SECONDS and not stop.is_set():
            if next(events, None):
                yield
            if _plugged_in(roots) != folders:
                break


def _plugged_in(roots: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Those of these folders that are there, and which folder of which disk each is now."""
    found: dict[Path, tuple[int, int]] = {}
    for root in roots:
        with suppress(OSError):
            facts = root.stat()
            if stat.S_ISDIR(facts.st_mode):
                found[root] = facts.st_dev, facts.st_ino
    return found


def _wait_for_any(roots: Sequence[Path], stop: threading.Event) -> None:
    """Return when one of these folders is there, or it is time to look for others."""
    begun = time.monotonic()
    while time.monotonic() - begun < RESCAN_SECONDS and not stop.wait(_TICK_MS / 1000):
        if _plugged_in(roots):
            return
