"""What a scan found missing, moved or unplugged, settled in the catalogue before anything is read."""

from dataclasses import replace

from semantic_media_search.ingest.catalog import OK, REMOVED, SKIPPED, UNAVAILABLE, Catalog, Source
from semantic_media_search.ingest.scan import Changes, Found, content_hash
from semantic_media_search.library.summary import IngestSummary


def settle(catalog: Catalog, changes: Changes, known: dict[str, Source], summary: IngestSummary) -> bool:
    """Apply a scan's absences, within a transaction; `changes.to_read` loses the files that only moved.

    A file that is gone from one place and new in another, by content, keeps its frames and vectors. Returns
    whether frames that were published before have changed.
    """
    moves = _find_moves(changes, known, catalog.revivable())
    moved_ids = {source.source_id for source, _ in moves}
    lost = [source for source in changes.missing if source.source_id not in moved_ids]
    unreachable = {root.root_id for root in changes.unreachable_roots}
    for root in catalog.roots():
        catalog.set_reachable(root.root_id, reachable=root.root_id not in unreachable)
    for source in changes.returned:
        catalog.put_source(replace(source, state=OK))
    for source in changes.unavailable:
        if source.state == OK:
            catalog.put_source(replace(source, state=UNAVAILABLE))
    for source in lost:
        remove(catalog, source)
    for source, found in moves:
        here = found.candidate
        catalog.put_source(
            replace(source, path=here.path, root_id=found.root_id, mtime_ns=here.mtime_ns, state=OK)
        )
        catalog.revive_frames(_id(source))
    arrived = {found.candidate.path for _, found in moves}
    changes.to_read = [found for found in changes.to_read if found.candidate.path not in arrived]
    summary.moved += len(moves)
    summary.removed += sum(source.state != SKIPPED for source in lost)
    summary.unchanged += changes.unchanged + len(changes.returned)
    summary.unavailable += len(changes.unavailable)
    return bool(moves or lost)


def remove(catalog: Catalog, source: Source) -> None:
    """Take a source and its frames out of the results; `compact` reclaims the space."""
    catalog.set_source_state(_id(source), REMOVED)
    catalog.hide_frames(_id(source))


def _find_moves(
    changes: Changes, known: dict[str, Source], revivable: set[int]
) -> list[tuple[Source, Found]]:
    """Pairs of a source that is gone and the new file with its content; hashes only files of a size that is gone.

    Of those that went in earlier runs, only `revivable` ones still have frames to come back with.
    """
    missing = {source.path for source in changes.missing}
    gone: dict[tuple[int, str], list[Source]] = {}
    for source in known.values():
        if (
            source.content_hash
            and source.state != SKIPPED
            and (source.path in missing or (source.state == REMOVED and _id(source) in revivable))
        ):
            gone.setdefault((source.size, source.content_hash), []).append(source)
    sizes = {size for size, _ in gone}
    moves = []
    for found in changes.to_read:
        here = found.candidate
        if found.known is None and here.size in sizes:
            try:
                matches = gone.get((here.size, content_hash(here.path)))
            except OSError:
                continue  # reading it for its pixels will tell the person why
            if matches:
                moves.append((matches.pop(0), found))
    return moves


def _id(source: Source) -> int:
    assert source.source_id is not None, "a source that was read from the catalogue has an id"
    return source.source_id
