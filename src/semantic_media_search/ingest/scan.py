"""What has changed: the folders as they are now against the catalogue.

Size and modification time decide whether a file is looked at again; its content hash then decides whether it
is new, the same, or one that has moved.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semantic_media_search.ingest.catalog import OK, REMOVED, SKIPPED, UNAVAILABLE, Root, Source
from semantic_media_search.ingest.discovery import Candidate, text_to_path
from semantic_media_search.records import IMAGE

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read: new to the library (`known` is None), or changed since it was read."""

    candidate: Candidate
    root_id: int
    known: Source | None


@dataclass(slots=True)
class Changes:
    """What a scan found. Nothing has been read or written yet."""

    to_read: list[Found] = field(default_factory=list)
    unchanged: int = 0
    returned: list[Source] = field(default_factory=list)
    missing: list[Source] = field(default_factory=list)
    unavailable: list[Source] = field(default_factory=list)
    still_skipped: list[Source] = field(default_factory=list)
    unreachable_roots: list[Root] = field(default_factory=list)


def compare(
    roots: Sequence[Root],
    known: dict[str, Source],
    walk: Callable[[Path, str | None], Iterable[Candidate]],
) -> Changes:
    """Walk every root and hold it against what is known.

    A root that cannot be listed, or that is empty now and was not before, counts as unreachable (an unplugged
    disk leaves an empty mount point): its files become unavailable and nothing of it is deleted.
    """
    changes = Changes()
    seen: set[str] = set()
    unreachable: set[int] = set()
    for root in roots:
        candidates = list(walk(Path(root.path), root.only_kind)) if _can_list(root.path) else []
        known_here = any(
            source.root_id == root.root_id and source.state != REMOVED for source in known.values()
        )
        if not candidates and (known_here or not _can_list(root.path)):
            changes.unreachable_roots.append(root)
            unreachable.add(root.root_id)
        for candidate in candidates:
            if candidate.path not in seen:  # a folder inside another root is walked twice
                seen.add(candidate.path)
                _sort_in(changes, candidate, root, known.get(candidate.path))
    for source in known.values():
        if source.path in seen or source.state == REMOVED:
            continue
        if source.root_id in unreachable:
            changes.unavailable.append(source)
        else:
            changes.missing.append(source)
    changes.to_read.sort(
        key=lambda found: found.candidate.kind != IMAGE
    )  # stable: images first, else as walked
    return changes


def content_hash(path: str | Path) -> str:
    """BLAKE2b-128 of a file's bytes, in hexadecimal. Raises OSError where it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    with Path(text_to_path(str(path))).open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sort_in(changes: Changes, candidate: Candidate, root: Root, known: Source | None) -> None:
    same = known is not None and (known.size, known.mtime_ns) == (candidate.size, candidate.mtime_ns)
    if known is None or not same or known.state == REMOVED:
        changes.to_read.append(Found(candidate, root.root_id, known))
    elif known.state == SKIPPED:
        changes.still_skipped.append(known)
    elif known.state == UNAVAILABLE:
        changes.returned.append(known)
    else:
        assert known.state == OK
        changes.unchanged += 1


def _can_list(path: str) -> bool:
    try:
        with os.scandir(path) as entries:
            next(entries, None)
    except OSError:
        return False
    return True
