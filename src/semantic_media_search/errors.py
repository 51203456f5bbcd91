"""The project's one tree of errors.

Every message says what was wrong, with its value, and what to do about it. Only the command line turns an
error into an exit code, and only the API turns one into an HTTP status.
"""


class MediaSearchError(Exception):
    """Root of everything this package raises on purpose."""


class ConfigError(MediaSearchError, ValueError):
    """A setting has a value that cannot be used."""


class MediaError(MediaSearchError):
    """A media file cannot be used."""


class MediaUnreadableError(MediaError, OSError):
    """A file cannot be opened or read now: it is gone, may not be read, is no regular file, or the system failed."""


class DecodeError(MediaError, ValueError):
    """A file is damaged, truncated, or not of the kind that its name says."""


class UnsupportedMediaError(MediaError):
    """A file is of a kind, or uses a feature, that is not supported."""


class MediaTooLargeError(MediaError):
    """Decoding the file would take more pixels than the bound allows (a decompression bomb, perhaps)."""


class ModelError(MediaSearchError):
    """An encoder cannot be had or used."""


class ModelNotFoundError(ModelError, LookupError):
    """No model goes by this name or lies in this folder."""


class ModelLayoutError(ModelError, ValueError):
    """A model folder is not laid out as expected, or a file in it is damaged."""


class HubUnreachableError(ModelError, ConnectionError):
    """The model hub did not answer and the model is not in the local cache."""


class ModelMismatchError(ModelError, ValueError):
    """The library's vectors were made by another model than the one asked for."""


class LibraryError(MediaSearchError):
    """A library on disk cannot be used."""


class LibraryNotFoundError(LibraryError, LookupError):
    """There is no library at this place, or it holds no frames or no index yet."""


class LibraryBusyError(LibraryError):
    """Another process is writing to this library."""


class LibraryCorruptError(LibraryError, ValueError):
    """A file of the library does not agree with the catalogue or with its own checksum."""


class SourceFolderError(LibraryError, LookupError):
    """A folder that was to be read does not exist or cannot be listed."""


class IndexFormatError(LibraryCorruptError):
    """An index file is damaged, of an unknown version, or does not fit its embeddings."""


class VectorError(MediaSearchError, ValueError):
    """Vectors have the wrong shape or dtype, are not finite, or are not L2-normalised."""


class QueryError(MediaSearchError, ValueError):
    """A search was asked for in a way that has no answer."""


def without_advice(error: Exception) -> str:
    """An error's words without what it says to do, for whoever does that or knows better."""
    return str(error).partition("; run `media-search ")[0]
