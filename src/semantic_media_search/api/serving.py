"""The library as a running server holds it: the newest commit, opened beside the one that still answers."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Request

from semantic_media_search.api.clips import ClipCache
from semantic_media_search.api.pictures import Pictures
from semantic_media_search.config import Settings
from semantic_media_search.embeddings import load_encoder
from semantic_media_search.errors import MediaSearchError, ModelMismatchError
from semantic_media_search.ingest.catalog import Commit
from semantic_media_search.ingest.isolated import IsolatedReaders
from semantic_media_search.library import Library
from semantic_media_search.library.status import LibraryStatus
from semantic_media_search.library.view import LibraryView

_log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


class Serving:
    """What the endpoints share. Methods may be called from any thread."""

    def __init__(self, settings: Settings, library: Library | None = None):
        self.settings = settings
        self.library = library or Library(settings, partial(load_encoder, threads=settings.threads))
        self.pictures = Pictures()
        self.clips = ClipCache()
        self.readers = IsolatedReaders(2, timeout=60.0)
        """For pictures that people send: one that crashes its decoder does not take the server with it."""
        self._view: LibraryView | None = None
        self._opening = threading.Lock()
        self._status: tuple[Commit, LibraryStatus] | None = None
        # Searches have threads of their own, so that a library being opened never holds up frames or /health.
        self._limiter: anyio.CapacityLimiter | None = None
        self._long_limiter: anyio.CapacityLimiter | None = None

    def close(self) -> None:
        """Delete and stop what the library does not own."""
        self.clips.close()
        self.readers.close()

    def view(self) -> LibraryView:
        """The newest commit. While another thread opens it, the one before it answers."""
        commit = self.library.commit()
        held = self._view
        if held is not None and held.commit.is_same_as(commit):
            return held
        if not self._opening.acquire(blocking=held is None):
            assert held is not None
            return held
        try:
            view = self.library.view()
            view.warm_up()
            self._view = view
            return view
        except ModelMismatchError:
            if held is None:
                raise
            # Another model was chosen than this server was started with: what it has goes on answering.
            return held
        finally:
            self._opening.release()

    @property
    def warm(self) -> bool:
        """Whether a commit is open for searching, the index's code compiled."""
        return self._view is not None

    def warm_up(self) -> None:
        """Open the library ahead of the first search; what is wrong with it is said when it is searched."""
        try:
            view = self.view()
            view.facts()
        except (MediaSearchError, OSError) as error:
            _log.info("not ready to search yet: %s", error)

    def status(self) -> LibraryStatus:
        """What the library holds, read anew after each commit. Raises LibraryNotFoundError where there is none."""
        commit = self.library.commit()
        if self._status is None or not self._status[0].is_same_as(commit):
            self._status = (commit, self.library.status())
        return self._status[1]

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a search in a worker thread."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(max(4, self.settings.worker_threads))
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._limiter)

    async def run_long(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what takes seconds in a worker thread that no search waits for."""
        if self._long_limiter is None:
            self._long_limiter = anyio.CapacityLimiter(8)
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._long_limiter)


def serving_of(request: Request) -> Serving:
    """The shared state, for an endpoint."""
    serving: Serving = request.app.state.serving
    return serving
