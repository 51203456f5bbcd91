"""`ingest`, `index` and `update`: from folders of media to a library that can be searched."""

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from semantic_media_search.cli.commands.models import encoder_loader, model_for_writing
from semantic_media_search.cli.console import Console, StageProgress
from semantic_media_search.config import Settings
from semantic_media_search.errors import LibraryNotFoundError, SourceFolderError
from semantic_media_search.ingest.catalog import REMOVED
from semantic_media_search.ingest.discovery import on_one_line
from semantic_media_search.library import Library
from semantic_media_search.library.index_run import IndexSummary
from semantic_media_search.library.summary import IngestSummary
from semantic_media_search.records import SkippedFile

_SHOWN_PER_REASON = 10
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SKIPPED_BEFORE = (
    "Skipped: {} as in earlier runs; `media-search status` lists them, `--retry-skipped` reads them again."
)
_PARTIAL_BEFORE = "Read in part: {} in earlier runs; `media-search status` lists them."


def run_ingest(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Read the folders given, and those that the library has; store frames and metadata."""
    library = Library(settings, encoder_loader(settings, console))
    if arguments.dry_run:
        return _preview(library, arguments, settings, console)
    add_folders(library, arguments, settings)
    with progress_on(console) as progress:
        summary = library.ingest(progress, retry_skipped=arguments.retry_skipped)
    _report(console, summary, None, as_json=arguments.json)
    return _exit_code(arguments, summary)


def run_index(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Embed what lacks a vector and bring the graph up to date."""
    library = Library(settings, encoder_loader(settings, console))
    with progress_on(console) as progress:
        summary = library.build_index(
            model_for_writing(library, settings, console), progress, rebuild=arguments.rebuild
        )
    if arguments.json:
        console.result(json.dumps(_index_json(summary), indent=2))
    else:
        console.info(_index_line(summary))
    return 0


def run_update(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Ingest and index in one pass."""
    library = Library(settings, encoder_loader(settings, console))
    if arguments.dry_run:
        return _preview(library, arguments, settings, console)
    add_folders(library, arguments, settings)
    with progress_on(console) as progress:
        summary, indexed = library.update(
            model_for_writing(library, settings, console), progress, retry_skipped=arguments.retry_skipped
        )
    _report(console, summary, indexed, as_json=arguments.json)
    return _exit_code(arguments, summary)


def add_folders(library: Library, arguments: argparse.Namespace, settings: Settings) -> None:
    """Add the folders that were named, or else the raw folder.

    Raises SourceFolderError where there is nothing to read at all.
    """
    raw = _raw(library, arguments, settings)
    if raw is None and not arguments.folders:
        try:
            library.commit()
        except LibraryNotFoundError:
            raise SourceFolderError(
                f"there is nothing to read: name a folder, or put photos into {settings.raw / 'images'} "
                f"and videos into {settings.raw / 'videos'}"
            ) from None
    library.add_roots(arguments.folders, raw=raw)


def _raw(library: Library, arguments: argparse.Namespace, settings: Settings) -> Path | None:
    """The raw folder, where it is asked for, or a library that is made now has no other."""
    if getattr(arguments, "raw", None):
        return settings.raw
    if arguments.folders or not settings.raw.is_dir():
        return None
    try:
        held = library.commit().next_frame
    except LibraryNotFoundError:
        held = 0
    return None if held else settings.raw  # what was taken out of a library does not come back by itself


def _preview(library: Library, arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    changes = library.preview(
        arguments.folders, raw=_raw(library, arguments, settings), retry_skipped=arguments.retry_skipped
    )
    new = sum(found.known is None or found.known.state == REMOVED for found in changes.to_read)
    counts = {
        "new": new,
        "changed": len(changes.to_read) - new,
        "moved": len(changes.moved),
        "unchanged": changes.unchanged + len(changes.returned),
        "removed": len(changes.missing),
        "unavailable": len(changes.unavailable),
    }
    skipped = [{"path": source.path, "reason": source.reason} for source in changes.still_skipped]
    if arguments.json:
        paths = [found.candidate.path for found in changes.to_read]
        console.result(json.dumps(counts | {"skipped": skipped, "paths": paths}, indent=2))
        return 0
    counts["skipped before"] = len(skipped)
    for found in changes.to_read:
        console.result(on_one_line(found.candidate.path))
    console.info(
        "Nothing was written. Files: " + ", ".join(f"{count} {name}" for name, count in counts.items()) + "."
    )
    return 0


@contextmanager
def progress_on(console: Console, *, quiet: bool = False) -> Iterator[StageProgress]:
    """A progress display that leaves the terminal in order, however the work ends."""
    progress = StageProgress(console) if quiet else console.progress()
    try:
        yield progress
    finally:
        progress.close()


def _exit_code(arguments: argparse.Namespace, summary: IngestSummary) -> int:
    return 1 if arguments.strict and (summary.skipped or summary.partial) else 0


def _report(console: Console, summary: IngestSummary, indexed: IndexSummary | None, *, as_json: bool) -> None:
    if as_json:
        console.result(json.dumps(summary_json(summary, indexed), indent=2))
        return
    for line in summary_lines(summary):
        console.info(line)
    if indexed is not None:
        console.info(_index_line(indexed))


def summary_lines(summary: IngestSummary) -> list[str]:
    """What a run did, in words: counts of files, then each reason for a skipped file with the files."""
    counts = {
        "new": summary.new,
        "changed": summary.changed,
        "moved": summary.moved,
        "unchanged": summary.unchanged,
        "removed": summary.removed,
        "unavailable": summary.unavailable,
        "skipped": len(summary.skipped),
    }
    files = ", ".join(
        f"{count} {name}" for name, count in counts.items() if count or name in ("new", "unchanged")
    )
    repeated = f" ({summary.duplicates} more showed the same as the one before)" if summary.duplicates else ""
    before = summary.skipped_before
    return [
        f"Files: {files}. Frames stored: {summary.frames}{repeated}.",
        *_by_reason("Skipped", summary.skipped[before:]),
        *([_SKIPPED_BEFORE.format(before)] if before else []),
        *_by_reason("Read in part", summary.partial[summary.partial_before :]),
        *([_PARTIAL_BEFORE.format(summary.partial_before)] if summary.partial_before else []),
        *_by_reason("Left out", summary.left_out),
        *_not_read_line(summary.not_read),
    ]


def _not_read_line(counts: Mapping[str, int]) -> list[str]:
    most_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{count} {extension}" for extension, count in most_first)
    return [f"Not of a format that is read: {listed}."] if listed else []


def _by_reason(title: str, files: list[SkippedFile]) -> list[str]:
    groups: dict[str, list[SkippedFile]] = defaultdict(list)
    for file in files:
        groups[_NUMBER.sub("...", file.reason)].append(file)
    lines = []
    for words, alike in sorted(groups.items()):
        reasons, paths = {file.reason for file in alike}, [file.path for file in alike]
        lines.append(f"{title}: {reasons.pop() if len(reasons) == 1 else words}")
        lines += [f"    {on_one_line(path)}" for path in paths[:_SHOWN_PER_REASON]]
        if len(paths) > _SHOWN_PER_REASON:
            lines.append(f"    and {len(paths) - _SHOWN_PER_REASON} more; see `media-search status`")
    return lines


def _index_json(summary: IndexSummary) -> dict[str, object]:
    generation = summary.generation
    return {
        "embedded": summary.embedded,
        "indexed": generation.indexed_rows,
        "model": generation.model.name,
        "recall": generation.recall,
        "ef_search": generation.ef_search,
    }


def summary_json(summary: IngestSummary, indexed: IndexSummary | None) -> dict[str, object]:
    return {
        "new": summary.new,
        "changed": summary.changed,
        "moved": summary.moved,
        "unchanged": summary.unchanged,
        "removed": summary.removed,
        "unavailable": summary.unavailable,
        "frames": summary.frames,
        "duplicates": summary.duplicates,
        "skipped": [{"path": file.path, "reason": file.reason} for file in summary.skipped],
        "read_in_part": [{"path": file.path, "reason": file.reason} for file in summary.partial],
        "not_read": dict(summary.not_read),
        "left_out": [{"path": file.path, "reason": file.reason} for file in summary.left_out],
        "embedded": indexed.embedded if indexed else 0,
    }


def _index_line(summary: IndexSummary) -> str:
    generation = summary.generation
    if generation.rows == 0:
        return "Nothing to index: no frame is in the library."
    line = (
        f"Index: {generation.indexed_rows} vectors of {generation.model.name}, {summary.embedded} of them new"
    )
    if generation.recall is not None:
        line += f", recall {generation.recall:.3f} with ef {generation.ef_search}"
    return line + "."
