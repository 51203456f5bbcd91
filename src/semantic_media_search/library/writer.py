"""The one process that writes: holds the lock, cuts back what a crash left, and makes commits."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from semantic_media_search.embeddings.embed_store import EmbeddingStore, EmbeddingWriter
from semantic_media_search.errors import LibraryBusyError, LibraryCorruptError, LibraryError
from semantic_media_search.ingest.catalog import CATALOG_NAME, Catalog, Commit, Generation
from semantic_media_search.library.durability import sync_folder
from semantic_media_search.library.paths import LibraryPaths
from semantic_media_search.records import I64, ModelInfo

# Frames are written in order by one process, so that what an interrupted run left is one run of ids; the
# margin covers a file that is missing among them.
_GAP = 64
_FRAMES_A_LOT = 64
_FLUSH_THREADS = 4


class LibraryWriter:
    """Write access to a library; get one from `open_writer`.

    `catalog` is the record of truth; `commit` the last thing that was made to count.
    """

    def __init__(self, paths: LibraryPaths, catalog: Catalog):
        self.paths = paths
        self.catalog = catalog
        self.commit: Commit = catalog.last_commit()
        self._placed: set[int] = set()

    @contextmanager
    def committing(self, *, next_frame: int | None = None, serve: Generation | None = None) -> Iterator[None]:
        """One transaction that ends in a commit: what the block writes to the catalogue counts, all of it or nothing.

        `next_frame` is the first frame_id that is still free, `serve` the generation that answers from now on. Where
        nothing has changed there is no new commit: a server would open the same library again.
        """
        last = self.commit
        if next_frame is not None and next_frame != last.next_frame:
            sync_folder(self.paths.frames)
        if serve is not None and serve != last.generation:
            self._sync(serve)
        with self.catalog.transaction():
            before = self.catalog.changes_made()
            yield
            served = serve or last.generation
            free = last.next_frame if next_frame is None else next_frame
            changed = self.catalog.changes_made() != before
            if changed or (free, served) != (last.next_frame, last.generation) or not last.commit_id:
                self.catalog.add_commit(free, served.generation if served else None)
        self.commit = self.catalog.last_commit()

    def store_generation(self, generation: Generation, *, serve: bool) -> Generation:
        """Commit how far a generation has come; `serve` makes it the one that answers."""
        if serve and generation == self.commit.generation:
            return generation
        if not serve:
            self._sync(generation)
        with self.committing(serve=generation if serve else None):
            self.catalog.put_generation(generation)
        return generation

    def _sync(self, generation: Generation) -> None:
        """See that the names of a generation's files, which were brought to the disk, are there too."""
        folder = self.paths.generation(generation.generation)
        if not folder.is_dir():
            return
        sync_folder(folder)
        if generation.generation not in self._placed:
            sync_folder(folder.parent)
            sync_folder(self.paths.root)
            self._placed.add(generation.generation)

    def generation_for(self, model: ModelInfo) -> Generation:
        """The generation by this very model: the one that serves, else the newest with rows, else a new one."""
        serving = self.commit.generation
        if serving is not None and _is_by(serving, model):
            return serving
        return self._go_on(self._unfinished(model, since=0)) or self.new_generation(model)

    def generation_made_anew(self, model: ModelInfo) -> Generation:
        """A generation by this model that takes the place of all others: the one that was begun, else a new one."""
        serving = self.commit.generation
        since = serving.generation if serving else 0
        return self._go_on(self._unfinished(model, since)) or self.new_generation(model)

    def _unfinished(self, model: ModelInfo, since: int) -> Generation | None:
        """The newest generation by this model that has rows and was begun after generation `since`."""
        for held in reversed(self.catalog.generations()):
            if held.generation > since and held.rows and _is_by(held, model):
                return held
        return None

    def _go_on(self, held: Generation | None) -> Generation | None:
        """A generation that waited beside another one, cut back to before the first frame that it has no place for.

        Rows are in the order of the frames' ids; meanwhile frames that were passed over may have come back, and
        others may have been cleared away. None where its files do not hold its rows.
        """
        if held is None:
            return None
        try:
            store = EmbeddingStore(self.paths.generation(held.generation), held.rows, held.model.dim)
        except LibraryCorruptError:
            return None
        wrong = np.concatenate(self.out_of_step(store))
        if not wrong.size:
            return held
        rows = int(np.searchsorted(store.frame_ids, wrong.min()))
        held = replace(held, rows=rows, index_file=None, indexed_rows=0)
        with self.catalog.transaction():
            self.catalog.put_generation(held)
        return held

    def out_of_step(self, store: EmbeddingStore) -> tuple[I64, I64]:
        """Live frames before a store's last row that have none, and frames of its rows that the catalogue lacks.

        Both are frame_ids in order. Frames behind the last row wait for the next `index`.
        """
        live, _ = self.catalog.live_owners()
        passed_over = np.setdiff1d(live[live <= store.frame_ids[-1]], store.frame_ids, assume_unique=True)
        return passed_over, np.setdiff1d(store.frame_ids, self.catalog.frame_ids(), assume_unique=True)

    def new_generation(self, model: ModelInfo) -> Generation:
        """A generation without rows, beside the others."""
        with self.catalog.transaction():
            return self.catalog.add_generation(model)

    def embedding_writer(self, generation: Generation) -> EmbeddingWriter:
        """A writer behind the generation's committed rows."""
        return EmbeddingWriter(
            self.paths.generation(generation.generation), generation.rows, generation.model.dim
        )

    def drop_other_generations(self, *, unfinished: bool = True) -> None:
        """Forget every generation but the one that serves, and remove the files that no commit names.

        Without `unfinished`, those that were begun after it stay: work on a change of model, to be gone on with.
        """
        serving = self.commit.generation
        if serving is None:
            return
        with self.catalog.transaction():
            for generation in self.catalog.generations():
                begun_after = generation.generation > serving.generation
                if generation.generation != serving.generation and (unfinished or not begun_after):
                    self.catalog.drop_generation(generation.generation)
        self._remove_unnamed()

    def cut_back(self) -> None:
        """Remove what no commit names: frames, generations and index files of runs that ended early."""
        missed, frame_id = 0, self.commit.next_frame
        while missed < _GAP:
            try:
                self.paths.frame(frame_id).unlink()
                missed = 0
            except FileNotFoundError:
                missed += 1
            frame_id += 1
        self._drop_empty_generations()
        self._remove_unnamed()

    def has_frame_files(self) -> bool:
        """Whether the frames' folder is there and holds anything."""
        try:
            with os.scandir(self.paths.frames) as entries:
                return next(entries, None) is not None
        except FileNotFoundError:
            return False

    def stray_frames(self) -> Iterator[Path]:
        """Files in the frames' folder, where it is there, that the catalogue does not know."""
        if not self.paths.frames.is_dir():
            return
        ids = self.catalog.frame_ids()
        known = np.zeros(int(ids[-1]) + 1 if len(ids) else 0, dtype=np.bool_)  # a set of them is far larger
        known[ids] = True
        with os.scandir(self.paths.frames) as entries:
            for entry in entries:
                stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122 - one string for each of very many files
                of_a_frame = stem.isdecimal() and int(stem) < len(known) and known[int(stem)]
                if suffix == ".jpg" and not of_a_frame:
                    yield Path(entry.path)

    def remove_stray_frames(self) -> int:
        """Remove what `stray_frames` finds; returns the bytes that were freed."""
        freed = 0
        for path in list(self.stray_frames()):
            size = path.stat().st_size
            with suppress(OSError):  # where one is being sent just now and may not go: the next time
                path.unlink()
                freed += size
        return freed

    def _drop_empty_generations(self) -> None:
        serving = self.commit.generation
        empty = [
            generation.generation
            for generation in self.catalog.generations()
            if generation.rows == 0 and (serving is None or generation.generation != serving.generation)
        ]
        if empty:
            with self.catalog.transaction():
                for number in empty:
                    self.catalog.drop_generation(number)

    def _remove_unnamed(self) -> None:
        named = {self.paths.generation(g.generation): g.index_file for g in self.catalog.generations()}
        folder = self.paths.root / "generations"
        for held in folder.iterdir() if folder.is_dir() else ():
            if held not in named:
                shutil.rmtree(held, ignore_errors=True)
                continue
            for graph in held.glob("hnsw_index-*"):
                if graph.name != named[held]:
                    with suppress(
                        OSError
                    ):  # some systems keep a file that is mapped: the next writer tries again
                        graph.unlink()


@contextmanager
def open_to_look(root: Path) -> Iterator[LibraryWriter]:
    """As `open_writer`, for whoever changes nothing: no lock is taken and nothing is cut back."""
    paths = LibraryPaths(root)
    catalog = Catalog.open(root, paths.frames)
    try:
        yield LibraryWriter(paths, catalog)
    finally:
        catalog.close()


@contextmanager
def open_writer(root: Path) -> Iterator[LibraryWriter]:
    """Become the one writer of the library in `root`, making it where there is none.

    Raises LibraryBusyError where another process writes, LibraryError where the folder cannot be written.
    """
    paths = LibraryPaths(root)
    try:
        if not paths.frames.is_dir():
            paths.frames.mkdir(parents=True, exist_ok=True)
            sync_folder(root)
            sync_folder(root.resolve().parent)
        for folder in (root, paths.frames):
            tempfile.TemporaryFile(
                dir=folder
            ).close()  # files that are there may be writable where new ones are not
        lock = FileLock(paths.lock)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LibraryBusyError(
            f"another process is writing to {root}; wait until it is done, or stop it, and run this again"
        ) from error
    except OSError as error:
        raise LibraryError(f"cannot write to the library folder {root}: {error.strerror or error}") from error
    try:
        _require_catalogue_of(paths)
        catalog = Catalog.create(root, paths.frames)
        try:
            writer = LibraryWriter(paths, catalog)
            writer.cut_back()
            yield writer
        finally:
            catalog.close()
    finally:
        lock.release()


def _require_catalogue_of(paths: LibraryPaths) -> None:
    """Refuse frames without a catalogue: in a new one they would be what no commit names, and be removed."""
    catalogue = paths.root / CATALOG_NAME
    if catalogue.is_file() and catalogue.stat().st_size:
        return
    if any(
        folder.is_dir() and any(folder.iterdir()) for folder in (paths.frames, paths.generation(0).parent)
    ):
        raise LibraryCorruptError(
            f"{paths.root} holds frames but {CATALOG_NAME} is missing or empty; put it back from a copy, or move the "
            "folder away to begin a new library"
        )


class FrameFlusher:
    """Writes frame files and brings them to the disk in lots, by several threads: waiting for each would be slow.

    A lot is small, so that few files are open at a time however many frames a video has.
    """

    def __init__(self) -> None:
        self._open: list[int] = []

    def write(self, path: Path, jpeg: bytes) -> None:
        """Write one frame's file; it is safe after the next `flush`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o644)
        self._open.append(descriptor)
        view = memoryview(jpeg)
        while view:
            view = view[os.write(descriptor, view) :]
        if len(self._open) >= _FRAMES_A_LOT:
            self.flush()

    def flush(self) -> None:
        """Return when all that was written is on the disk."""
        with ThreadPoolExecutor(_FLUSH_THREADS) as pool:
            list(pool.map(os.fsync, self._open))
        self.close()

    def close(self) -> None:
        """Close what is open, on the disk or not."""
        while self._open:
            os.close(self._open.pop())


def _is_by(generation: Generation, model: ModelInfo) -> bool:
    return (generation.model.fingerprint, generation.model.dim) == (model.fingerprint, model.dim)


def with_rows(generation: Generation, rows: int) -> Generation:
    """The generation with so many rows that count."""
    return replace(generation, rows=rows)
