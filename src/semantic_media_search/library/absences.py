"""What a scan found missing, moved or unplugged, settled in the catalogue before anything is read."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain

from semantic_media_search.ingest.catalog import OK, REMOVED, SKIPPED, UNAVAILABLE, Catalog, Source
from semantic_media_search.ingest.scan import Changes, Found, content_hash
from semantic_media_search.library.progress import Progress
from semantic_media_search.library.summary import IngestSummary
from semantic_media_search.records import SkippedFile

_OTHER_KIND = (
    "it lies in a folder that is read for the other kind only; `media-search update FOLDER`, with that folder, has all "
    "of it read"
)


def settle(
    catalog: Catalog,
    changes: Changes,
    known: dict[str, Source],
    moves: Sequence[tuple[Source, Found]],
    summary: IngestSummary,
) -> bool:
    """Apply a scan's absences, within a transaction; `changes.to_read` loses the files that only moved.

    What moved (see `find_moves`) keeps its frames and vectors. Returns whether frames that were published before
    have changed.
    """
    moved_ids = {source.source_id for source, _ in moves}
    lost = [source for source in changes.missing if source.source_id not in moved_ids]
    unreachable = {root.root_id for root in changes.unreachable_roots}
    for root in catalog.roots():
        catalog.set_reachable(root.root_id, reachable=root.root_id not in unreachable)
    catalog.set_mounts(changes.mounts)
    for source in changes.returned:
        catalog.put_source(replace(source, state=OK))
    changes.unavailable = [source for source in changes.unavailable if source.source_id not in moved_ids]
    for source in changes.unavailable:
        if source.state == OK:
            catalog.put_source(replace(source, state=UNAVAILABLE))
    for source in lost:
        remove(catalog, source)
    overwritten = _move(catalog, changes, moves, known)
    summary.moved += len(moves)
    summary.partial += [
        SkippedFile(found.candidate.path, source.reason)
        for source, found in moves
        if source.reason is not None
    ]
    summary.removed += sum(source.state == OK for source in overwritten)
    summary.removed += sum(source.state != SKIPPED for source in lost)
    summary.unchanged += changes.unchanged + len(changes.returned)
    summary.unavailable += len(changes.unavailable)
    summary.not_read = Counter(os.path.splitext(path)[1].lower() for path in changes.not_read)  # noqa: PTH122
    summary.left_out = [SkippedFile(path, _OTHER_KIND) for path in sorted(changes.other_kind)]
    return bool(moves or lost)


def remove(catalog: Catalog, source: Source) -> None:
    """Take a source and its frames out of the results; `compact` reclaims the space."""
    catalog.set_source_state(_id(source), REMOVED)
    catalog.hide_frames(_id(source))


def find_moves(
    changes: Changes, known: dict[str, Source], revivable: set[int], progress: Progress
) -> list[tuple[Source, Found]]:
    """Pairs of a source that is gone from its path and the file with its content; hashes only files of its size.

    A source is gone that is missing, or whose root was taken away from a disk that is there (`perhaps_moved`).
    That reads whole files: to be done before a transaction is opened, for which others would have to wait.
    Of those that went in earlier runs, only `revivable` ones still have frames to come back with. A file may have
    come to a path that had another (names that were swapped, or that all went on by one).
    """
    missing = {source.path for source in chain(changes.missing, changes.perhaps_moved)}
    changed = {found.candidate.path for found in changes.to_read}
    gone: dict[int, list[Source]] = {}
    for source in known.values():
        here_no_more = source.path in missing or (source.path in changed and source.state != REMOVED)
        back = source.state == REMOVED and _id(source) in revivable
        if source.content_hash and source.state != SKIPPED and (here_no_more or back):
            gone.setdefault(source.size, []).append(source)
    perhaps = [
        found
        for found in changes.to_read
        if any(source.path != found.candidate.path for source in gone.get(found.candidate.size, ()))
    ]
    if not perhaps:
        return []
    progress.start("Recognising moved files", len(perhaps), "files")
    left: dict[tuple[int, str], list[Source]] = {}
    for source in (source for of_size in gone.values() for source in of_size):
        left.setdefault((source.size, source.content_hash or ""), []).append(source)
    arrived: list[tuple[Found, list[Source]]] = []
    for found in perhaps:
        here = found.candidate
        with suppress(OSError):  # reading it for its pixels will tell the person why
            matches = left.get((here.size, content_hash(here.path)), [])
            if found.known in matches:
                matches.remove(found.known)  # it has only been touched
            else:
                arrived.append((found, matches))
        progress.advance()
    progress.finish()
    return [(matches.pop(0), found) for found, matches in arrived if matches]


def _move(
    catalog: Catalog, changes: Changes, moves: Sequence[tuple[Source, Found]], known: dict[str, Source]
) -> list[Source]:
    """Give moved sources their new paths; returns those that were overwritten, which leave the results.

    An overwritten source keeps its frames, under a path that was left, until `compact` clears it away.
    """
    moved = {_id(source) for source, _ in moves}
    targets = {found.candidate.path for _, found in moves}
    vacated = [source.path for source, _ in moves if source.path not in targets]
    for source, _ in moves:  # no two sources may have one path, also while they change places
        catalog.put_source(replace(source, path=f"moving {_id(source)}"))
    occupants = [known[path] for path in targets if path in known and _id(known[path]) not in moved]
    holds: dict[str, Source | None] = dict.fromkeys(vacated)
    for source, path in zip(occupants, vacated, strict=False):
        remove(catalog, source)
        holds[path] = replace(source, path=path, state=REMOVED)
        catalog.put_source(replace(source, path=path, state=REMOVED))
    for source, found in moves:
        here = found.candidate
        catalog.put_source(
            replace(source, path=here.path, root_id=found.root_id, mtime_ns=here.mtime_ns, state=OK)
        )
        catalog.revive_frames(_id(source))
    changes.to_read = [
        replace(found, known=holds[found.candidate.path]) if found.candidate.path in holds else found
        for found in changes.to_read
        if found.candidate.path not in targets
    ]
    return occupants


def _id(source: Source) -> int:
    assert source.source_id is not None, "a source that was read from the catalogue has an id"
    return source.source_id
