"""Stored frames whose pictures are damaged: they hold nothing else up, and are made anew from their originals."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from semantic_media_search.errors import LibraryCorruptError
from semantic_media_search.ingest.catalog import Catalog
from semantic_media_search.ingest.discovery import on_one_line, text_to_path
from semantic_media_search.ingest.scan import LOOK_AGAIN
from semantic_media_search.library.publish import expect_rewrite
from semantic_media_search.library.writer import LibraryWriter
from semantic_media_search.records import FrameRecord

_REASON = "a stored frame of it was damaged; the next `media-search update` reads it again"


def give_up(writer: LibraryWriter, frames: Sequence[FrameRecord]) -> None:
    """Take damaged frames that have no vector out of the results, and have their originals read again.

    Rows are in the order of the frames' ids: one that is passed over cannot be put in between later.
    """
    if not frames:
        return
    with writer.committing():
        expect_rewrite(writer.paths)
        writer.catalog.give_up_frames(frame.frame_id for frame in frames)
        have_read_again(writer.catalog, {frame.source_path for frame in frames})


def have_read_again(catalog: Catalog, paths: Iterable[str]) -> None:
    """Have the next scan take these sources for changed ones, within a transaction."""
    for path in paths:
        source = catalog.source_at(path)
        assert source is not None, "a frame's path is that of its source"
        catalog.put_source(replace(source, size=LOOK_AGAIN, content_hash=None, reason=_REASON))


def how_made_anew(source_path: str) -> str:
    """How the damaged frames of this source can be had again, or that they may be lost."""
    name = on_one_line(source_path)
    if os.path.exists(text_to_path(source_path)):  # noqa: PTH110 - Path would lose a trailing blank
        return f"`media-search update` reads {name} again"
    return f"once its original, {name}, is there again, `media-search update` reads it; without it the picture is lost"


def require_some_frames(writer: LibraryWriter) -> None:
    """Raise LibraryCorruptError where the frames' folder is empty: no frame was damaged then, all have been taken."""
    if not writer.has_frame_files():
        raise LibraryCorruptError(
            f"{writer.paths.frames} holds none of the frames that were stored; put them back from a copy, or have all "
            "files read again with `media-search doctor`, then `media-search update`"
        )
