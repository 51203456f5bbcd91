"""One library on disk: paths, writer lock, commits; the only place that wires the rooms together."""

from semantic_media_search.library.library import Library
from semantic_media_search.library.view import LibraryView

__all__ = ["Library", "LibraryView"]
