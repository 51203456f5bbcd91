"""What has changed: the folders as they are now against the catalogue.

Size and modification time decide whether a file is looked at again; its content hash then decides whether it
is new, the same, or one that has moved.
"""

import hashlib
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain

from semantic_media_search.errors import SourceFolderError
from semantic_media_search.ingest.catalog import OK, REMOVED, SKIPPED, UNAVAILABLE, Root, Source
from semantic_media_search.ingest.discovery import Candidate, Noticed, discover, text_to_path
from semantic_media_search.media.opening import open_regular
from semantic_media_search.records import IMAGE

LOOK_AGAIN = -1
"""A size that no file has, to be stored for one that the next scan is to take for changed."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read: new to the library (`known` is None), or changed since it was read."""

    candidate: Candidate
    root_id: int
    known: Source | None


@dataclass(slots=True)
class Changes:
    """What a scan found. Nothing has been read or written yet.

    `mounts` are the disks inside the roots from now on, `unplugged_disks` those of them that are not there now;
    `not_read` are files of formats that are not read, `other_kind` media that only a folder of the other kind holds.
    `still_skipped` and `still_partial` have not changed since nothing, or only a part of them, could be read; the
    latter count as unchanged too. `perhaps_moved` are those of the unavailable ones whose root is not there any more
    although its disk seems to be: they have moved if a file turns up with their content. `moved` is filled only by a
    preview, which takes them out of `to_read`, `missing` and `unavailable`.
    """

    to_read: list[Found] = field(default_factory=list)
    unchanged: int = 0
    returned: list[Source] = field(default_factory=list)
    missing: list[Source] = field(default_factory=list)
    unavailable: list[Source] = field(default_factory=list)
    perhaps_moved: list[Source] = field(default_factory=list)
    still_skipped: list[Source] = field(default_factory=list)
    still_partial: list[Source] = field(default_factory=list)
    unreachable_roots: list[Root] = field(default_factory=list)
    unreadable_folders: list[str] = field(default_factory=list)
    unplugged_disks: list[str] = field(default_factory=list)
    mounts: set[str] = field(default_factory=set)
    not_read: set[str] = field(default_factory=set)
    other_kind: set[str] = field(default_factory=set)
    moved: list[Found] = field(default_factory=list)


def compare(
    roots: Sequence[Root],
    known: dict[str, Source],
    mounts: Collection[str] = (),
    *,
    retry_skipped: bool = False,
) -> Changes:
    """Walk every root and hold it against what is known.

    A root that cannot be listed, or that is empty now and was not before, counts as unreachable (an unplugged
    disk leaves an empty mount point): its files become unavailable and nothing of it is deleted, whichever root
    they were found through (a disk's folder may lie inside another root). The same holds
    for a folder inside a root that cannot be looked into, for a link whose disk seems to be unplugged, and for a folder
    inside a root where another disk began when `mounts` was noted and that holds no media of its own now, or is gone.
    A folder that was none of these and is emptied has lost its files: they are missing.

    With `retry_skipped`, files that could not be used are to be read again although they have not changed: a later
    version of a decoder may be able to.
    """
    changes = Changes()
    seen: set[int] = set()  # of the known ones: their paths would take more than all else
    new: set[str] = set()
    noticed = Noticed()
    closed = noticed.closed
    lost: list[tuple[str, str]] = []
    taken_away: list[tuple[str, str]] = []
    for root in roots:
        closed_before = len(closed)
        here = (root.path, text_to_path(root.path))
        reachable = False
        try:
            for candidate in discover(here[1], root.only_kind, noticed):
                reachable = True
                source = known.get(candidate.path)
                if source is not None and source.source_id is not None:
                    if source.source_id in seen:  # a folder inside another root is walked twice
                        continue
                    seen.add(source.source_id)
                elif candidate.path in new:
                    continue
                else:
                    new.add(candidate.path)
                _sort_in(changes, candidate, root, source, retry_skipped)
        except SourceFolderError:
            pass
        else:
            reachable = (
                reachable
                or len(closed) > closed_before
                or not any(s.state != REMOVED and _first_holding([here], s.path) for s in known.values())
            )
        if not reachable:
            changes.unreachable_roots.append(root)
            lost.append(here)
            if _was_taken_away(here[1]):
                taken_away.append(here)
    away = [(mount, text_to_path(mount)) for mount in mounts if mount not in noticed.mounts]
    if away:
        here_now = [source.path for source in known.values() if source.source_id in seen]
        away = [mount for mount in away if not any(_first_holding([mount], p) for p in chain(new, here_now))]
    unplugged: set[str] = set()
    held: set[str] = set()
    places = [(place, text_to_path(place)) for place in closed]
    for source in known.values():
        if source.source_id in seen or source.state == REMOVED:
            continue
        within = _first_holding(places, source.path)
        if within is not None:
            held.add(within)
        disk = _first_holding(away, source.path)
        if disk is not None:
            unplugged.add(disk)
        elsewhere = within is None and disk is None and _first_holding(taken_away, source.path) is not None
        if elsewhere and source.state == SKIPPED:
            changes.missing.append(source)  # there is nothing of it to keep
        elif within is not None or disk is not None or _first_holding(lost, source.path) is not None:
            changes.unavailable.append(source)
            if elsewhere:
                changes.perhaps_moved.append(source)
        else:
            changes.missing.append(source)
    changes.unreadable_folders = [
        path for path, error in closed.items() if path in held or not isinstance(error, FileNotFoundError)
    ]
    changes.unplugged_disks = sorted(unplugged - {root.path for root in changes.unreachable_roots})
    changes.mounts = noticed.mounts | unplugged
    changes.not_read = noticed.not_read
    read_elsewhere = {path for path in noticed.other_kind if path in known and known[path].source_id in seen}
    changes.other_kind = noticed.other_kind - new - read_elsewhere
    changes.to_read.sort(
        key=lambda found: found.candidate.kind != IMAGE
    )  # stable: images first, else as walked
    return changes


def _was_taken_away(root: str) -> bool:
    """Whether this root was renamed, moved or deleted, rather than unplugged: it is gone, and what held it is not.

    An unplugged disk leaves its mount point empty, or takes it away: then the folder around the root is empty or gone.
    Of a root that is itself a disk the folder around it tells nothing; `mounts` knows it (see decision 0406).
    """
    try:
        os.lstat(root)
    except FileNotFoundError:
        with suppress(OSError), os.scandir(os.path.dirname(root)) as around:  # noqa: PTH120 - as above
            return next(around, None) is not None
    except OSError:
        pass
    return False


def content_hash(path: str) -> str:
    """BLAKE2b-128 of the bytes of a file, named as a Candidate names it. Raises OSError where it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    with open_regular(text_to_path(path)) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def as_it_is_now(candidate: Candidate) -> Candidate:
    """The same file with the size and time it has at this moment. Raises OSError where it is gone."""
    facts = os.stat(text_to_path(candidate.path))  # noqa: PTH116 - called for every file that is read
    return replace(candidate, size=facts.st_size, mtime_ns=facts.st_mtime_ns)


def lies_in(folder: str, file: str) -> bool:
    """Whether a file lies in a folder, both as text (see `path_to_text`)."""
    return text_to_path(file).startswith(text_to_path(folder).rstrip(os.sep) + os.sep)


def _first_holding(places: Sequence[tuple[str, str]], path: str) -> str | None:
    """The first of these places, (as text, as a path), that is this file or that it lies in."""
    file = text_to_path(path) if places else path
    for place, folder in places:
        if file == folder or file.startswith(folder.rstrip(os.sep) + os.sep):
            return place
    return None


def _sort_in(
    changes: Changes, candidate: Candidate, root: Root, known: Source | None, retry_skipped: bool
) -> None:
    same = known is not None and (known.size, known.mtime_ns) == (candidate.size, candidate.mtime_ns)
    again = known is not None and (known.state == REMOVED or (retry_skipped and known.state == SKIPPED))
    if known is None or not same or again:
        changes.to_read.append(Found(candidate, root.root_id, known))
    elif known.state == SKIPPED:
        changes.still_skipped.append(known)
    else:
        if known.reason is not None:
            changes.still_partial.append(known)
        if known.state == UNAVAILABLE:
            changes.returned.append(known)
        else:
            assert known.state == OK
            changes.unchanged += 1
