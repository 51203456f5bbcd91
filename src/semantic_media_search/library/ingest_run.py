"""One ingest run: scan the folders, read what is new, store frames in order, commit as it goes.

With an embedder the vectors are made in the same pass, from the pixels that are in memory anyway.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from semantic_media_search.config import Settings
from semantic_media_search.errors import MediaError, MediaUnreadableError
from semantic_media_search.ingest.catalog import OK, REMOVED, SKIPPED, FrameRow, Source
from semantic_media_search.ingest.discovery import Candidate, text_to_path
from semantic_media_search.ingest.isolated import IsolatedReaders
from semantic_media_search.ingest.prepared import PreparedFrame, SourceFacts
from semantic_media_search.ingest.scan import (
    LOOK_AGAIN,
    Changes,
    Found,
    as_it_is_now,
    compare,
    content_hash,
    lies_in,
)
from semantic_media_search.library.absences import find_moves, settle
from semantic_media_search.library.embedder import Embedder
from semantic_media_search.library.progress import Progress
from semantic_media_search.library.publish import expect_rewrite, publish
from semantic_media_search.library.streams import ordered
from semantic_media_search.library.summary import IngestSummary
from semantic_media_search.library.writer import FrameFlusher, LibraryWriter
from semantic_media_search.media.opening import describe_source
from semantic_media_search.records import IMAGE, VIDEO, SkippedFile

COMMIT_FRAMES = 256
COMMIT_SECONDS = 4.0
_FRAMES_WAITING = 16
_CHANGED = "it changed while it was read; the next run reads it again"


@dataclass(frozen=True, slots=True)
class _End:
    """How reading one file ended: with facts, with the finding that its content is known, or with a reason.

    `unread` says that the file itself could not be had this time (its disk went, it may not be read): that is no
    verdict on what is in it.
    """

    found: Found
    content_hash: str | None = None
    facts: SourceFacts | None = None
    same_content: bool = False
    reason: str | None = None
    unread: bool = False


class IngestRun:
    """One run over all roots of a library. Use once."""

    def __init__(
        self,
        writer: LibraryWriter,
        settings: Settings,
        progress: Progress,
        embedder: Embedder | None = None,
        *,
        retry_skipped: bool = False,
    ):
        self._writer = writer
        self._catalog = writer.catalog
        self._settings = settings
        self._progress = progress
        self._embedder = embedder
        self._retry_skipped = retry_skipped
        self.summary = IngestSummary()
        self._next_frame = writer.commit.next_frame
        self._revivable: set[int] = set()
        self._done: list[tuple[_End, list[FrameRow]]] = []
        self._flusher = FrameFlusher()
        self._last_commit = time.monotonic()

    def run(self) -> IngestSummary:
        """Do it. What was committed stays, however the run ends."""
        known = self._catalog.sources()
        changes = compare(
            self._catalog.roots(), known, self._catalog.mounts(), retry_skipped=self._retry_skipped
        )
        for folder in changes.unplugged_disks:
            self._progress.note(
                f"the disk at {folder} is not plugged in: its files are kept and marked unavailable; plug it in and "
                f"run this again, or take them out with `media-search forget {folder}`"
            )
        for folder in changes.unreadable_folders:
            self._progress.note(
                f"{folder} cannot be looked into: its files are kept; check its disk and who may read it"
            )
        self.summary.skipped += [SkippedFile(s.path, s.reason or "unreadable") for s in changes.still_skipped]
        self.summary.skipped_before = len(changes.still_skipped)
        self.summary.partial += [SkippedFile(s.path, s.reason or "damaged") for s in changes.still_partial]
        self.summary.partial_before = len(changes.still_partial)
        moves = find_moves(changes, known, self._catalog.revivable(), self._progress)
        with self._writer.committing():
            if settle(self._catalog, changes, known, moves, self.summary):
                expect_rewrite(self._writer.paths)
        self._tell_of_unreachable(changes)
        self._revivable = self._catalog.revivable()
        try:
            with IsolatedReaders(self._settings.worker_threads) as readers:
                for kind, stage in ((IMAGE, "Reading photos"), (VIDEO, "Reading videos")):
                    of_kind = [found for found in changes.to_read if found.candidate.kind == kind]
                    self._read(of_kind, stage, readers)
        finally:
            self._flusher.close()
        publish(self._writer.paths, self._catalog, self._writer.commit)
        return self.summary

    def _tell_of_unreachable(self, changes: Changes) -> None:
        """Name the roots that cannot be reached; one that moved, with all that was in it, is not waited for."""
        for root in changes.unreachable_roots:
            if any(lies_in(root.path, source.path) for source in changes.unavailable):
                self._progress.note(
                    f"{root.path} is empty or cannot be read: its files are kept and marked unavailable; "
                    "plug the disk in and run this again, or take it out with `media-search forget`"
                )

    def _read(self, found: Sequence[Found], stage: str, readers: IsolatedReaders) -> None:
        """Read these files with all cores; store and commit in their order."""
        if not found:
            return
        workers = self._settings.worker_threads
        self._progress.start(stage, len(found), "files")
        jobs = (partial(_read_file, item, self._is_same(item), self._settings, readers) for item in found)
        frames: list[FrameRow] = []
        items = ordered(jobs, workers, ahead=4 * workers, buffer=_FRAMES_WAITING, interrupt=readers.interrupt)
        with closing(items):  # an interrupt reaches the readers before anything waits for them
            for item in items:
                if isinstance(item, PreparedFrame):
                    frames.append(self._store(item))
                else:
                    self._done.append((item, frames))
                    frames = []
                    self._progress.advance()
                    waiting = sum(len(of_one) for _, of_one in self._done)
                    due = time.monotonic() - self._last_commit > COMMIT_SECONDS
                    # The next video may take hours: what is whole does not wait for it.
                    if due or waiting >= COMMIT_FRAMES or (waiting and item.found.candidate.kind == VIDEO):
                        self._commit()
        self._commit()
        self._progress.finish()

    def _is_same(self, found: Found) -> str | None:
        """The content hash with which a file is what the library already has; None where it has nothing of it."""
        known = found.known
        if known is None or known.state == SKIPPED:
            return None
        if known.state == REMOVED and known.source_id not in self._revivable:
            return None
        return known.content_hash

    def _store(self, frame: PreparedFrame) -> FrameRow:
        frame_id = self._next_frame
        self._next_frame += 1
        self._flusher.write(self._writer.paths.frame(frame_id), frame.jpeg)
        if self._embedder is not None:
            self._embedder.add(frame_id, frame.pixels)
        return FrameRow(frame_id, frame.timestamp, frame.interval, frame.width, frame.height, frame.phash)

    def _commit(self) -> None:
        """Frames and vectors to the disk, then the one transaction that makes them count."""
        self._flusher.flush()
        generation = self._embedder.flush() if self._embedder is not None else None
        with self._writer.committing(next_frame=self._next_frame, serve=generation):
            for end, frames in self._done:
                self._record(end, frames)
            if generation is not None:
                self._catalog.put_generation(generation)
        self._done.clear()
        self._last_commit = time.monotonic()

    def _record(self, end: _End, frames: list[FrameRow]) -> None:
        """Store one source and its frames, within the commit's transaction."""
        here, known, facts = end.found.candidate, end.found.known, end.facts
        summary = self.summary
        if end.same_content and known is not None:
            self._catalog.put_source(
                replace(known, root_id=end.found.root_id, size=here.size, mtime_ns=here.mtime_ns, state=OK)
            )
            if known.source_id is not None and known.state == REMOVED:
                self._catalog.revive_frames(known.source_id)
                expect_rewrite(self._writer.paths)
                summary.moved += 1
            else:
                summary.unchanged += 1
            if known.reason is not None:
                summary.partial.append(SkippedFile(here.path, known.reason))
            return
        if end.unread and not frames and known is not None and known.state != SKIPPED:
            # What is known of it stays as it is; the sizes still differ, so the next run tries again.
            summary.skipped.append(SkippedFile(here.path, end.reason or "it cannot be read"))
            return
        if (
            known is not None
            and known.source_id is not None
            and self._catalog.supersede_frames(known.source_id)
        ):
            expect_rewrite(self._writer.paths)
        video_id = known.video_id if known else None
        if frames and here.kind == VIDEO and video_id is None:
            video_id = f"vid_{self._catalog.take_video_number():02d}"
        source_id = self._catalog.put_source(
            Source(
                source_id=known.source_id if known else None,
                root_id=end.found.root_id,
                path=here.path,
                kind=here.kind,
                size=LOOK_AGAIN if end.unread else here.size,
                mtime_ns=here.mtime_ns,
                content_hash=None if end.unread else end.content_hash,
                state=OK if frames else SKIPPED,
                reason=end.reason,
                video_id=video_id,
                captured_at=facts.captured_at if facts else None,
                width=facts.width if facts else None,
                height=facts.height if facts else None,
                duration=facts.duration if facts else None,
                camera=facts.camera if facts else None,
                latitude=facts.gps[0] if facts and facts.gps else None,
                longitude=facts.gps[1] if facts and facts.gps else None,
            )
        )
        self._catalog.add_frames(source_id, frames)
        summary.frames += len(frames)
        summary.duplicates += facts.duplicates if facts else 0
        if not frames:
            summary.skipped.append(SkippedFile(here.path, end.reason or "it holds no picture"))
            return
        if end.reason:
            summary.partial.append(SkippedFile(here.path, end.reason))
        if known is None:
            summary.new += 1
        else:
            summary.changed += 1


def _read_file(
    found: Found, same: str | None, settings: Settings, readers: IsolatedReaders
) -> Iterator[PreparedFrame | _End]:
    """All frames of one file, or none if its hash is `same`, then how it ended; runs in a thread, writes nothing.

    A file that changes while it is read (it is still being copied, say) is one that is to be read again.
    """
    here = found.candidate
    digest: str | None = None
    facts: SourceFacts | None = None
    try:
        here = as_it_is_now(here)
        found = replace(found, candidate=here)
        digest = content_hash(here.path)
        if digest == same:
            yield _End(found, digest, same_content=True)
            return
        if here.kind == VIDEO:
            reader = readers.read_video(
                here.path,
                fps=settings.fps,
                max_side=settings.max_side,
                jpeg_quality=settings.jpeg_quality,
                duplicate_threshold=settings.duplicate_threshold,
            )
        else:
            reader = readers.read_image(
                here.path, max_side=settings.max_side, jpeg_quality=settings.jpeg_quality
            )
        yield from reader
        facts = reader.facts
        problem = facts.problem
    except MediaUnreadableError as error:
        yield _End(found, digest, facts, reason=_of_it(str(error), here.path), unread=True)
        return
    except OSError as error:
        yield _End(found, digest, facts, reason=f"cannot be read: {error.strerror or error}", unread=True)
        return
    except MediaError as error:
        problem = str(error)
    changed = _changed_since(here)
    reason = _CHANGED if changed else problem and _of_it(problem, here.path)
    yield _End(found, digest, facts, reason=reason, unread=changed)


def _changed_since(read: Candidate) -> bool:
    try:
        return as_it_is_now(read) != read
    except OSError:
        return True


def _of_it(message: str, path: str) -> str:
    """A message about a file without the file's name, so that it stands once for all the files it holds for."""
    name = describe_source(text_to_path(path))
    return "it" + message.removeprefix(name) if message.startswith(name + " ") else message
