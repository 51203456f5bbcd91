"""One library on disk: what the command line, the API and the benchmarks hold on to."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_media_search.config import Settings
from semantic_media_search.embeddings.encoder import Encoder
from semantic_media_search.errors import (
    LibraryCorruptError,
    LibraryNotFoundError,
    ModelError,
    SourceFolderError,
)
from semantic_media_search.ingest.catalog import Commit, Root
from semantic_media_search.ingest.discovery import path_to_text
from semantic_media_search.ingest.scan import Changes, compare
from semantic_media_search.library.paths import LibraryPaths
from semantic_media_search.library.progress import Progress, Silent
from semantic_media_search.library.status import LibraryStatus, read_status
from semantic_media_search.library.summary import IngestSummary
from semantic_media_search.library.view import CatalogReaders, LibraryView, require_same_model
from semantic_media_search.library.writer import open_to_look, open_writer
from semantic_media_search.records import IMAGE, VIDEO, ModelInfo
from semantic_media_search.search.retriever import EXACT_BELOW

if TYPE_CHECKING:
    from semantic_media_search.library.compact import CompactSummary
    from semantic_media_search.library.doctor import Finding
    from semantic_media_search.library.index_run import IndexSummary

EncoderLoader = Callable[[str], Encoder]
_OPEN_ATTEMPTS = 5
_log = logging.getLogger(__name__)


class Library:
    """A library in the folder `settings.library`, made on the first write.

    `load_encoder` turns a model's name into an encoder; it is called when words or pictures are to be encoded
    and its last result is kept. `note` is told what a search has to wait for. A library of fewer rows than
    `exact_below` is searched without its graph. Methods may be called from several threads. What only writing needs,
    decoders among it, is imported by the methods that write: a search must not wait for it.
    """

    def __init__(
        self,
        settings: Settings,
        load_encoder: EncoderLoader,
        *,
        note: Callable[[str], None] = _log.info,
        exact_below: int = EXACT_BELOW,
    ):
        self.settings = settings
        self.paths = LibraryPaths(settings.library)
        self._load_encoder = load_encoder
        self._note = note
        self._exact_below = exact_below
        self._readers = CatalogReaders(self.paths)
        self._lock = threading.Lock()
        self._view: LibraryView | None = None
        self._encoder: tuple[str, Encoder] | None = None

    # reading

    def commit(self) -> Commit:
        """What counts now. Raises LibraryNotFoundError where there is no library."""
        return self._readers_now().get().last_commit()

    def model(self) -> ModelInfo | None:
        """The model that made the vectors that serve, or None where there are none yet."""
        try:
            generation = self.commit().generation
        except LibraryNotFoundError:
            return None
        return generation.model if generation else None

    def view(self) -> LibraryView:
        """The newest commit, opened for searching; the same object as long as nothing is committed.

        Raises LibraryNotFoundError where there is nothing to search, with what to run.
        """
        commit = self.commit()
        with self._lock:
            if self._view is None or not self._view.commit.is_same_as(commit):
                self._view = self._open_view()
            return self._view

    def status(self) -> LibraryStatus:
        """What the library holds. Raises LibraryNotFoundError where there is none."""
        return read_status(self.paths, self._readers_now().get())

    def roots(self) -> list[Root]:
        """The folders whose media belong to the library."""
        return self._readers_now().get().roots()

    def _readers_now(self) -> CatalogReaders:
        readers = self._readers
        if not readers.are_of_what_is_there():
            readers = self._readers = CatalogReaders(self.paths)
        return readers

    def _open_view(self) -> LibraryView:
        for attempt in range(_OPEN_ATTEMPTS):
            commit = self.commit()
            try:
                return LibraryView(
                    self.paths,
                    self._readers_now(),
                    self._encoder_for(commit),
                    commit,
                    self.settings.ef_search,
                    self._note,
                    self._exact_below,
                )
            except (OSError, LibraryCorruptError):
                # A commit that came in between may have removed the files that this one names.
                if attempt == _OPEN_ATTEMPTS - 1 or self.commit().is_same_as(commit):
                    raise
        raise AssertionError("unreachable")

    def _encoder_for(self, commit: Commit) -> Encoder | None:
        if commit.generation is None:
            return None
        return self.encoder(self.settings.model or commit.generation.model.name)

    def encoder(self, name: str) -> Encoder:
        """The encoder of this name, loaded once."""
        if self._encoder is None or self._encoder[0] != name:
            self._encoder = (name, self._load_encoder(name))
        return self._encoder[1]

    # writing

    def add_roots(self, folders: Iterable[Path], *, raw: Path | None = None) -> None:
        """Add folders whose media belong to the library; `raw` adds its `images/` and `videos/`, made where missing.

        Raises SourceFolderError for a folder that is not there.
        """
        wanted = _roots_of(folders, raw)
        for folder, _ in wanted:
            if raw is not None and folder.parent == raw:
                folder.mkdir(parents=True, exist_ok=True)
        with open_writer(self.paths.root) as writer, writer.catalog.transaction():
            for folder, only_kind in wanted:
                writer.catalog.add_root(path_to_text(folder.resolve()), only_kind)

    def adopt_roots(self, roots: Iterable[Root]) -> None:
        """Add the folders of another library."""
        with open_writer(self.paths.root) as writer, writer.catalog.transaction():
            for root in roots:
                writer.catalog.add_root(root.path, root.only_kind)

    def preview(
        self, folders: Iterable[Path], *, raw: Path | None = None, retry_skipped: bool = False
    ) -> Changes:
        """What `ingest` would do with these folders added, without writing anything.

        To tell what moved from what is new it reads the files that may have, as `ingest` does.
        """
        from semantic_media_search.library.absences import find_moves

        revivable: set[int] = set()
        try:
            catalog = self._readers_now().get()
            roots, known, mounts = catalog.roots(), catalog.sources(), catalog.mounts()
            revivable = catalog.revivable()
        except LibraryNotFoundError:
            roots, known, mounts = [], {}, set()
        new = [
            (path_to_text(folder.resolve()), kind)
            for folder, kind in _roots_of(folders, raw)
            if folder.is_dir()
        ]
        for_both = {path for path, kind in new if kind is None}
        roots = [replace(root, only_kind=None) if root.path in for_both else root for root in roots]
        held = {root.path for root in roots}
        added = [Root(-1 - i, path, kind, True) for i, (path, kind) in enumerate(new) if path not in held]
        changes = compare([*roots, *added], known, mounts, retry_skipped=retry_skipped)
        moves = find_moves(changes, known, revivable, Silent())
        left = {source.path for source, _ in moves}
        changes.moved = [found for _, found in moves]
        arrived = {found.candidate.path for found in changes.moved}
        changes.missing = [source for source in changes.missing if source.path not in left]
        changes.unavailable = [source for source in changes.unavailable if source.path not in left]
        changes.to_read = [found for found in changes.to_read if found.candidate.path not in arrived]
        return changes

    def ingest(self, progress: Progress | None = None, *, retry_skipped: bool = False) -> IngestSummary:
        """Read what is new, changed or gone in the library's folders; store frames and metadata.

        `retry_skipped` reads files again that could not be used, although they have not changed.
        """
        from semantic_media_search.library.ingest_run import (
            IngestRun,
        )  # the video decoder: only to read media

        with open_writer(self.paths.root) as writer:
            return IngestRun(writer, self.settings, progress or Silent(), retry_skipped=retry_skipped).run()

    def build_index(
        self, model: str, progress: Progress | None = None, *, rebuild: bool = False
    ) -> "IndexSummary":
        """Embed what lacks a vector and bring the graph up to it, with this model; `rebuild` makes all of it anew.

        Another model than before makes a new generation, which serves when it is whole, as does `rebuild`; where such a
        run was interrupted, the next one goes on.
        """
        from semantic_media_search.library.index_run import index_library

        self.commit()  # where there is no library, say so rather than make one
        encoder = self.encoder(model)
        with open_writer(self.paths.root) as writer:
            return index_library(writer, encoder, self.settings, progress or Silent(), rebuild=rebuild)

    def update(
        self, model: str, progress: Progress | None = None, *, retry_skipped: bool = False
    ) -> "tuple[IngestSummary, IndexSummary | None]":
        """`ingest` and `build_index` in one pass: vectors are made from the pixels while they are in memory.

        Another version of the library's own model embeds everything anew. Raises ModelMismatchError where the
        library was made with another model.
        """
        from semantic_media_search.library.embedder import Embedder
        from semantic_media_search.library.index_run import embed_pending, index_library
        from semantic_media_search.library.ingest_run import IngestRun

        progress = progress or Silent()
        encoder = self.encoder(model)
        with open_writer(self.paths.root) as writer:
            serving = writer.commit.generation
            if serving is not None and _is_another_version(serving.model, encoder.info):
                progress.note(f"{model} is another version than this library's: all vectors are made anew.")
                summary = IngestRun(writer, self.settings, progress, retry_skipped=retry_skipped).run()
                return summary, index_library(writer, encoder, self.settings, progress)
            if serving is not None:
                require_same_model(serving.model, encoder.info)
            before = writer.generation_for(encoder.info)
            generation = embed_pending(writer, before, encoder, self.settings, progress)
            batch, threads = self.settings.batch_size, self.settings.worker_threads
            with Embedder(writer, generation, encoder, batch, threads) as embedder:
                summary = IngestRun(
                    writer, self.settings, progress, embedder, retry_skipped=retry_skipped
                ).run()
            if writer.commit.next_frame == 0:
                return summary, None
            indexed = index_library(writer, encoder, self.settings, progress)
            return summary, replace(indexed, embedded=indexed.generation.rows - before.rows)

    def forget(self, folders: Iterable[Path]) -> int:
        """Take folders out of the library, with their files (see `library.forget`); returns how many files left."""
        from semantic_media_search.library.forget import forget

        self.commit()  # where there is no library, say so rather than make one
        with open_writer(self.paths.root) as writer:
            return forget(writer, folders)

    def compact(self, progress: Progress | None = None) -> "CompactSummary":
        """Reclaim the space of removed frames."""
        from semantic_media_search.library.compact import compact

        self.commit()  # where there is no library, say so rather than make one
        progress = progress or Silent()
        encoder = self._encoder_at_hand(progress)
        with open_writer(self.paths.root) as writer:
            return compact(writer, encoder, self.settings, progress)

    def _encoder_at_hand(self, progress: Progress) -> Encoder | None:
        """The encoder of the library's own model, or None where there is none or it cannot be had any more."""
        model = self.model()
        if model is None:
            return None
        try:
            encoder = self.encoder(model.name)
            require_same_model(model, encoder.info)
        except ModelError as error:
            progress.note(f"Recall is not measured this time: {error}")
            return None
        return encoder

    def doctor(
        self, *, repair: bool, progress: Progress | None = None, encoder: Encoder | None = None
    ) -> "list[Finding]":
        """Check every file of the library, and with `repair` mend what can be mended.

        Given the `encoder` that made the vectors, it also finds out whether they are those of their frames.
        """
        from semantic_media_search.library.doctor import examine

        with (open_writer if repair else open_to_look)(self.paths.root) as writer:
            return examine(writer, progress or Silent(), encoder, repair=repair)


def _is_another_version(made_by: ModelInfo, asked: ModelInfo) -> bool:
    return made_by.name == asked.name and made_by.fingerprint != asked.fingerprint


def _roots_of(folders: Iterable[Path], raw: Path | None) -> list[tuple[Path, str | None]]:
    """(folder, kind that it is read for, None for both) of everything asked for."""
    wanted: list[tuple[Path, str | None]] = []
    if raw is not None:
        wanted += [(raw / "images", IMAGE), (raw / "videos", VIDEO)]
    for folder in folders:
        place = folder.expanduser()
        if not place.is_dir():
            raise SourceFolderError(f"{folder} is no folder that can be read; check the path")
        wanted.append((place, None))
    return wanted
