"""Clips made on demand, kept while the server runs and within a bound."""

import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semantic_media_search.errors import QueryError
from semantic_media_search.ingest.catalog import Source
from semantic_media_search.ingest.discovery import text_to_path
from semantic_media_search.media.clip import write_clip

LONGEST_SECONDS = 600.0
_MOST_BYTES = 512 << 20
_AT_ONCE = 2

_Key = tuple[str, int, int, int, int]


class ClipCache:
    """Clips by video, state of its file, start and end. Two are made at a time, and none by two at once."""

    def __init__(self, most_bytes: int = _MOST_BYTES):
        self._most = most_bytes
        self._folder: Path | None = None
        self._held: OrderedDict[_Key, Path] = OrderedDict()
        self._making: dict[_Key, tuple[threading.Lock, int]] = {}
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(_AT_ONCE)

    def clip(self, source: Source, start: float, end: float) -> Path:
        """The file of a clip, made where it is not held. Raises QueryError for times that make none, MediaErrors."""
        if end - start > LONGEST_SECONDS:
            raise QueryError(
                f"the clip is {end - start:.0f} seconds long; at most {LONGEST_SECONDS:.0f} are cut"
            )
        key = (str(source.video_id), source.size, source.mtime_ns, round(start * 1000), round(end * 1000))
        with self._making_one(key):
            held = self._look(key)
            if held is None:
                held = self._place(key)
                with self._slots:
                    write_clip(text_to_path(source.path), start, end, held, duration=source.duration)
                self._keep(key, held)
            return held

    @contextmanager
    def _making_one(self, key: _Key) -> Iterator[None]:
        """Alone at this clip; its lock is there for as long as anybody waits for it."""
        with self._lock:
            lock, waiting = self._making.get(key, (threading.Lock(), 0))
            self._making[key] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._making.pop(key)
                if waiting > 1:
                    self._making[key] = lock, waiting - 1

    def close(self) -> None:
        """Remove all clips."""
        with self._lock:
            self._held.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def _look(self, key: _Key) -> Path | None:
        with self._lock:
            held = self._held.get(key)
            if held is not None:
                self._held.move_to_end(key)
            return held

    def _place(self, key: _Key) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="media-search-clips-"))
            return self._folder / ("-".join(map(str, key)) + ".mp4")

    def _keep(self, key: _Key, made: Path) -> None:
        with self._lock:
            self._held[key] = made
            sizes = {path: path.stat().st_size for path in self._held.values()}
            while len(self._held) > 1 and sum(sizes.values()) > self._most:
                _, oldest = self._held.popitem(last=False)
                del sizes[oldest]
                # Where it is being sent just now, a system that forbids this keeps it until the server ends.
                try:
                    oldest.unlink()
                except OSError:
                    continue
