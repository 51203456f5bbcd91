"""Opening a source file: only what is a regular file, and without ever waiting for it."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from semantic_media_search.errors import MediaUnreadableError


def describe_source(source: str | Path | BinaryIO) -> str:
    """How messages name a source: its path, made printable, or words for a stream."""
    if isinstance(source, str | Path):
        return ascii(str(source)) if not str(source).isprintable() else str(source)
    return "the picture"


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading, without ever waiting for a FIFO's writer or waking a device.

    Raises MediaUnreadableError.
    """
    name = describe_source(path)
    try:
        if stat.S_ISREG(Path(path).stat().st_mode):
            file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - the caller closes it
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # another may have come to its place meanwhile
                return file
            file.close()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise MediaUnreadableError(f"{name} cannot be read: {reason}") from error
    raise MediaUnreadableError(f"{name} is no regular file (a folder, pipe, socket or device)")


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
