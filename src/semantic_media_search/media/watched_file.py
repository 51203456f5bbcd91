"""A file that remembers that its disk failed.

Decoders lose that on the way, or have one word for it and for damaged contents. It decides whether a file is to be
tried again.
"""

from typing import BinaryIO

from semantic_media_search.errors import MediaUnreadableError


class WatchedFile:
    """Reads from `file`, which messages call `described`; `failure` is the first error that reading met.

    `name` is for libraries that guess a format by it.
    """

    def __init__(self, file: BinaryIO, described: str, name: str = "") -> None:
        self.failure: MediaUnreadableError | None = None
        self.name = name
        self._file, self._described = file, described
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1, /) -> bytes:
        """As a binary file's. Raises MediaUnreadableError."""
        try:
            return self._file.read(size)
        except OSError as error:
            failure = MediaUnreadableError(f"{self._described} cannot be read: {error.strerror or error}")
            self.failure = self.failure or failure
            raise failure from error


def not_enough_memory(described: str) -> MediaUnreadableError:
    """What is raised where the system gave no memory to decode a file that is within the bounds."""
    return MediaUnreadableError(f"{described} cannot be read: there was not enough memory to decode it")
