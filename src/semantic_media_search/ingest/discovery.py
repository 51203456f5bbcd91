"""Which files of a folder are media, in an order that does not change from run to run.

Files are chosen by name; their content is checked when they are read. Directory links are followed once all real
folders were seen, and each folder is entered once, so that loops of links end.
"""

import errno
import os
import re
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from semantic_media_search.errors import SourceFolderError
from semantic_media_search.media.formats import is_not_read, kind_by_name
from semantic_media_search.records import IMAGE

_URI = "file://"
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# Waste bins, thumbnails and archives' leftovers, as Windows, macOS, Linux and network disks name them.
_SYSTEM_FOLDERS = frozenset(
    {"$recycle.bin", "system volume information", "lost+found", "__macosx", "@eadir", "#recycle", "#snapshot"}
)
_PHOTOS_PACKAGE, _PHOTOS_ORIGINALS = ".photoslibrary", frozenset({"originals", "masters"})
_LIBRARY_MARK = "catalog.sqlite"
_GONE = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that is media by its name. `path` is absolute, as text (see `path_to_text`); `size` is in bytes."""

    path: str
    kind: str
    size: int
    mtime_ns: int


@dataclass(slots=True)
class Noticed:
    """What a walk came by besides media files; paths are text (see `path_to_text`).

    `closed` is what cannot be looked at now: a folder that cannot be listed or whose files may not be looked at, a
    link whose disk seems to be unplugged (FileNotFoundError). `mounts` are the folders at which another disk begins,
    the root perhaps among them, `not_read` the files of formats that are not read (see `formats.is_not_read`),
    `other_kind` media that were not asked for.
    """

    closed: dict[str, OSError] = field(default_factory=dict)
    mounts: set[str] = field(default_factory=set)
    not_read: set[str] = field(default_factory=set)
    other_kind: set[str] = field(default_factory=set)


def discover(
    root: str | Path, only_kind: str | None = None, noticed: Noticed | None = None
) -> Iterator[Candidate]:
    """The media files below `root`: images first, then videos, each in sorted order of their folders and names.

    Left out are hidden files and folders, waste bins and thumbnail folders, everything but the originals of an
    Apple Photos library, the folders of media-search libraries, and what is no regular file. `noticed` takes in what
    else there is.
    Raises SourceFolderError if `root` itself cannot be listed.
    """
    noticed = Noticed() if noticed is None else noticed
    later: list[Candidate] = []
    for entry in _walk(os.path.abspath(root), noticed):  # noqa: PTH100 - Path would lose a trailing blank
        kind = kind_by_name(entry.name)
        if kind is None and _leads_nowhere(entry):
            noticed.closed[path_to_text(entry.path)] = _GONE
        elif kind is None and is_not_read(entry.name):
            noticed.not_read.add(path_to_text(entry.path))
        if kind is not None and only_kind not in (None, kind):
            noticed.other_kind.add(path_to_text(entry.path))
        if kind is None or only_kind not in (None, kind):
            continue
        try:
            facts = entry.stat()
        except FileNotFoundError as error:
            if _is_unplugged(entry):
                noticed.closed[path_to_text(entry.path)] = error
            continue  # else it went after its folder was listed
        except OSError as error:
            folder = os.path.dirname(entry.path)  # noqa: PTH120 - Path would lose a trailing blank
            if error.errno != errno.ELOOP:  # the folder is said: as a rule all of it is closed
                noticed.closed[path_to_text(folder)] = error
            continue
        if not stat.S_ISREG(facts.st_mode) or _is_hidden(facts):
            continue
        candidate = Candidate(path_to_text(entry.path), kind, facts.st_size, facts.st_mtime_ns)
        if kind == IMAGE:
            yield candidate
        else:
            later.append(candidate)
    yield from later


def path_to_text(path: str | Path) -> str:
    """A path as text that any file, database or JSON can hold, and that `text_to_path` turns back exactly.

    Nearly every path is its own text. One with bytes that are not UTF-8 becomes a `file://` URI (RFC 8089) with
    these bytes percent-encoded: an absolute path never starts so.
    """
    text = str(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _URI + quote_from_bytes(os.fsencode(text))
    return text


def text_to_path(text: str) -> str:
    """The path that `path_to_text` made this text from, as the operating system's calls take it."""
    return os.fsdecode(unquote_to_bytes(text.removeprefix(_URI))) if text.startswith(_URI) else text


def folder_of(text: str) -> str:
    """The folder of a file, both as text: the same for all files in it, whatever their names are."""
    if text.startswith(_URI):
        return path_to_text(os.path.dirname(text_to_path(text)))  # noqa: PTH120 - Path would lose a trailing blank
    return os.path.dirname(text)  # noqa: PTH120 - as above


def name_to_show(text: str) -> str:
    """The name of the file or folder that this text is the path of, for people: what is no text is a � in it."""
    name = os.path.basename(text_to_path(text))  # noqa: PTH119 - as above
    return os.fsencode(name).decode("utf-8", "replace")


def on_one_line(text: str) -> str:
    """A path's text as it may stand in a list with one path a line, or on a terminal, and be turned back exactly.

    One with line breaks, other control characters or marks that turn the writing round is given as the URI that
    `text_to_path` reads too.
    """
    return _URI + quote_from_bytes(os.fsencode(text)) if _UNFIT.search(text) else text


def _walk(root: str, noticed: Noticed) -> Iterator["os.DirEntry[str]"]:
    """Every visible entry that is no folder; folders depth first, links to folders when all else is done."""
    entered: set[tuple[int, int]] = set()
    folders: list[tuple[str, int | None]] = [(root, None)]
    links: deque[tuple[str, int | None]] = deque()
    while folders or links:
        folder, disk_around = folders.pop() if folders else links.popleft()
        try:
            facts = os.stat(folder)  # noqa: PTH116 - here and below: called once per file of the library
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            if folder == root:
                raise SourceFolderError(f"{path_to_text(root)} cannot be listed: {error.strerror}") from error
            noticed.closed[path_to_text(folder)] = error
            continue
        if (facts.st_dev, facts.st_ino) in entered or any(entry.name == _LIBRARY_MARK for entry in entries):
            continue
        entered.add((facts.st_dev, facts.st_ino))
        if not entries and os.path.islink(folder):  # noqa: PTH114 - as above
            # The mount point of a disk that is unplugged, it seems.
            noticed.closed[path_to_text(folder)] = _GONE
        if folder == root:
            disk_around = _disk_of(os.path.dirname(folder))  # noqa: PTH120 - as above
        if disk_around is not None and facts.st_dev != disk_around:
            noticed.mounts.add(path_to_text(folder))
        inner: list[tuple[str, int | None]] = []
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_FOLDERS:
                continue
            if _is_folder(entry):
                if _is_wanted(folder, entry.name):
                    if entry.is_symlink():
                        links.append((entry.path, None))
                    else:
                        inner.append((entry.path, facts.st_dev))
            else:
                yield entry
        folders += reversed(inner)


def _disk_of(folder: str) -> int | None:
    try:
        return os.stat(folder).st_dev  # noqa: PTH116 - as above
    except OSError:
        return None


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _leads_nowhere(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a link to something that is not there, which may have been a folder on another disk."""
    try:
        return entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110 - as above
    except OSError:
        return False


def _is_unplugged(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a link to a file whose folder is gone or empty; where others are there, the file was deleted."""
    try:
        if not entry.is_symlink():
            return False
        target = os.path.realpath(entry.path)
        with os.scandir(os.path.dirname(target)) as others:  # noqa: PTH120 - as above
            return next(others, None) is None
    except OSError:
        return True


def _is_wanted(folder: str, name: str) -> bool:
    return not folder.lower().endswith(_PHOTOS_PACKAGE) or name.lower() in _PHOTOS_ORIGINALS


def _is_hidden(facts: os.stat_result) -> bool:
    """Hidden by an attribute rather than by its name, which only Windows has."""
    return bool(getattr(facts, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN)
