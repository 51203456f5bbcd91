"""Filters as masks over the rows of vectors, so that they work together with ranking inside the index."""

import hashlib
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from semantic_media_search.errors import QueryError
from semantic_media_search.ingest.discovery import folder_of, path_to_text, text_to_path
from semantic_media_search.records import I64, IMAGE, VIDEO, BoolMask

_UNKNOWN = np.datetime64("NaT", "s")


@dataclass(frozen=True, slots=True)
class Filters:
    """What may be an answer. `after` and `before` are capture times, both included, by the camera's own clock.

    `folder` is a folder's id (see `folder_id`), its path, or the end of its path; what lies below it passes too.
    `min_similarity` bounds the raw cosine of the answers.
    """

    kind: str | None = None
    folder: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    min_similarity: float | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning. Raises QueryError."""
        if self.kind not in (None, IMAGE, VIDEO):
            raise QueryError(f"kind is {self.kind!r}; expected {IMAGE} or {VIDEO}")
        if self.min_similarity is not None and not 0 <= self.min_similarity <= 1:
            raise QueryError(f"min_similarity is {self.min_similarity}; similarities are 0 to 1")
        if self.after and self.before and self.after > self.before:
            raise QueryError(f"after ({self.after}) is later than before ({self.before}); exchange the two")

    @property
    def any_row(self) -> bool:
        """Whether every row passes (`min_similarity` is no matter of rows)."""
        return not (self.kind or self.folder or self.after or self.before)


def parse_time(text: str | None, name: str, *, end: bool = False) -> datetime | None:
    """An ISO 8601 date or time as a camera's clock shows it; `end` takes a year, month or day to its last second.

    Raises QueryError for anything else.
    """
    if text is None or not text.strip():
        return None
    value = text.strip()
    try:
        if len(value) > 10:
            return datetime.fromisoformat(value).replace(tzinfo=None)
        parts = [int(part) for part in value.split("-")]
        if len(parts) == 3:
            day = date.fromisoformat(value)
            return datetime.combine(day, time(23, 59, 59) if end else time())
        if len(parts) > 2:
            raise ValueError(value)
        year, months = parts[0], parts[1:] or ([12] if end else [1])
        if not end:
            return datetime(year, months[0], 1)
        last_day = monthrange(year, months[0])[1]
        return datetime(year, months[0], last_day, 23, 59, 59)
    except (ValueError, IndexError, OverflowError) as error:
        raise QueryError(
            f"{name} is {value[:40]!r}; expected a date such as 2024, 2024-05 or 2024-05-31"
        ) from error


def folder_id(path: str) -> str:
    """A folder's name in addresses, where no path ever stands: 12 hexadecimal digits."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:12]


class Folder(NamedTuple):
    """A folder with media in it or below it."""

    id: str
    path: str
    items: int


class FiledSource(NamedTuple):
    """What filters ask of a file."""

    source_id: int
    path: str
    kind: str
    captured_at: str | None
    mtime_ns: int


class FrameFacts:
    """What filters ask of each row: kind, file and capture time, as arrays over the rows of one view.

    `sources` are the files in the order of their first row, `source_of_row` int32 [N] points into them, -1
    where a row's frame is no longer live. An item is a file: a photo or a video.
    """

    def __init__(self, frame_ids: I64, owners: I64, files: Iterable[FiledSource]):
        """Of rows whose frames are `frame_ids`, int64 [N]; `owners`, int64 [N], is the source_id of each live frame.

        A row whose frame is no longer live has -1 there; `files` holds at least the sources named.
        """
        self._frame_ids = frame_ids
        ids, firsts, numbers = np.unique(owners, return_index=True, return_inverse=True)
        in_order = np.argsort(np.where(ids < 0, len(owners), firsts), kind="stable")
        number_of = np.empty(len(ids), dtype=np.int32)
        number_of[in_order] = np.arange(len(ids), dtype=np.int32)
        number_of[ids < 0] = -1
        self.source_of_row = number_of[numbers]
        by_id = {file.source_id: file for file in files}
        held = [by_id[source_id] for source_id in ids[in_order].tolist() if source_id >= 0]
        self.sources = [file.path for file in held]
        self._is_video = np.array([file.kind == VIDEO for file in held], dtype=np.bool_)
        self._taken = np.array([_camera_time(file.captured_at) for file in held], dtype="datetime64[s]")
        self._changed = np.array([file.mtime_ns // 10**9 for file in held], dtype=np.int64)
        # Files share folders: what is asked of a path is asked once for each folder.
        folders: dict[str, int] = {}
        self._folder_of = np.array(
            [folders.setdefault(folder_of(path), len(folders)) for path in self.sources],
            dtype=np.int64,
        )
        self._parents = [_and_above(folder) for folder in folders]
        self._under: dict[str, BoolMask] = {}

    def mask(self, filters: Filters) -> BoolMask | None:
        """Bool [N], true for the rows that pass; None where all of them do."""
        if filters.any_row:
            return None
        passing = np.append(self.items(filters), False)  # row -1: not live
        allowed: BoolMask = passing[self.source_of_row]
        return allowed

    def items(self, filters: Filters) -> BoolMask:
        """Bool [S], true for the files that pass."""
        passing = np.ones(len(self.sources), dtype=np.bool_)
        if filters.kind:
            passing &= self._is_video == (filters.kind == VIDEO)
        if filters.folder:
            passing &= self._in_folder(filters.folder)
        # Comparisons with an unknown time are false: a file without a date passes no filter of dates.
        if filters.after:
            passing &= self._taken >= np.datetime64(filters.after, "s")
        if filters.before:
            passing &= self._taken <= np.datetime64(filters.before, "s")
        return passing

    def first_frames(self, filters: Filters) -> I64:
        """The frame_id of each passing item's first frame, newest first: by capture, or else by the file's time."""
        numbers, rows = np.unique(self.source_of_row, return_index=True)
        live = numbers >= 0
        numbers, rows = numbers[live], rows[live]
        keep = self.items(filters)[numbers]
        numbers, rows = numbers[keep], rows[keep]
        taken = self._taken[numbers]
        when = np.where(np.isnat(taken), self._changed[numbers], taken.astype(np.int64))
        order = np.lexsort((-rows, -when))
        found: I64 = self._frame_ids[rows[order]]
        return found

    def count(self, filters: Filters) -> int:
        """How many items pass."""
        return int(np.count_nonzero(self.items(filters)))

    def count_undated(self, filters: Filters) -> int:
        """How many items pass all filters but those of dates, and have no date."""
        passing = self.items(replace(filters, after=None, before=None))
        return int(np.count_nonzero(passing & np.isnat(self._taken)))

    def count_kinds(self, filters: Filters) -> dict[str, int]:
        """How many items of each kind pass all the other filters."""
        return {kind: self.count(replace(filters, kind=kind)) for kind in (IMAGE, VIDEO)}

    def count_years(self, filters: Filters) -> dict[int, int]:
        """How many items of each year pass all the other filters."""
        passing = self.items(replace(filters, after=None, before=None)) & ~np.isnat(self._taken)
        years = self._taken[passing].astype("datetime64[Y]").astype(np.int64) + 1970
        return dict(sorted(Counter(years.tolist()).items()))

    def count_folders(self, filters: Filters) -> list[Folder]:
        """Folders that hold media, in order of their paths, with the items that pass all the other filters.

        Folders above the lowest one that holds everything are left out.
        """
        passing = self.items(replace(filters, folder=None))
        counts = self._count_below(self._folder_of[passing])
        everywhere = self._count_below(self._folder_of)
        top = max(
            (path for path, held in everywhere.items() if held == len(self.sources)), key=len, default=""
        )
        direct = {parents[0] for parents in self._parents}
        return [
            Folder(folder_id(path), path, counts[path])
            for path in sorted(everywhere)
            if path in direct or (len(path) > len(top) and everywhere[path] < len(self.sources))
        ]

    def _count_below(self, folders: I64) -> Counter[str]:
        """How many of these folder numbers lie in each folder or below it."""
        counts: Counter[str] = Counter()
        for number, items in enumerate(np.bincount(folders, minlength=len(self._parents)).tolist()):
            for path in self._parents[number] if items else ():
                counts[path] += items
        return counts

    def _in_folder(self, folder: str) -> BoolMask:
        held = self._under.get(folder)
        if held is None:
            tail = folder.rstrip("/\\") or folder
            wanted = {
                path
                for parents in self._parents
                for path in parents
                if _is_called(path, tail) or folder_id(path) == folder
            }
            if not wanted:
                raise QueryError(
                    f"no folder of the library is called {folder[:80]!r}; give a folder's path or the end of "
                    "one, or search without a folder"
                )
            under = np.array([not wanted.isdisjoint(parents) for parents in self._parents], dtype=np.bool_)
            held = under[self._folder_of]
            self._under[folder] = held
        return held


def _and_above(folder: str) -> list[str]:
    """A folder and all those that it lies in."""
    return [folder, *(path_to_text(str(parent)) for parent in PurePath(text_to_path(folder)).parents)]


def _is_called(folder: str, tail: str) -> bool:
    """Whether this is a folder's path, or the end of it."""
    spelled = text_to_path(folder)
    return tail in (folder, spelled) or spelled.endswith(("/" + tail, "\\" + tail))


def _camera_time(captured_at: str | None) -> np.datetime64:
    try:
        return np.datetime64(datetime.fromisoformat(captured_at or "").replace(tzinfo=None), "s")
    except ValueError:
        return _UNKNOWN
