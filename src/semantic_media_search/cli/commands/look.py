"""`status` and `models`: what there is."""

import argparse
import json
from dataclasses import asdict

from semantic_media_search.cli.commands.models import encoder_loader, starter_hint
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings
from semantic_media_search.embeddings import list_models
from semantic_media_search.ingest.discovery import on_one_line
from semantic_media_search.library import Library
from semantic_media_search.library.paths import LibraryPaths
from semantic_media_search.library.status import LibraryStatus, frames_bytes, library_bytes


def run_status(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Print what the library holds."""
    status = Library(settings, encoder_loader(settings, console)).status()
    if arguments.json:
        paths = LibraryPaths(status.place)
        sizes = {"frames_bytes": frames_bytes(paths), "library_bytes": library_bytes(paths)}
        console.result(json.dumps(asdict(status) | sizes, indent=2, default=str))
        return 0
    for line in _status_lines(status):
        console.result(line)
    return 0


def run_models(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Print the models that can be used, and whether they are on this machine."""
    del settings
    models = list_models()
    if arguments.json:
        listed = [
            asdict(status.model) | {"folder": status.folder, "cached": status.cached} for status in models
        ]
        console.result(json.dumps(listed, indent=2, default=str))
        return 0
    for status in models:
        model = status.model
        here = "on this machine" if status.cached else "downloaded on first use"
        console.result(f"{model.name:<32} {model.dim:>4} dimensions  {_megabytes(model.size):>9}  {here}")
        console.result(f"    {model.description} ({model.licence})")
    return 0


def _status_lines(status: LibraryStatus) -> list[str]:
    generation = status.generation
    size = library_bytes(LibraryPaths(status.place))
    lines = [f"Library   {status.place.resolve()}, {_megabytes(size)} in all", "Folders"]
    for root in status.roots:
        only = f" ({root.only_kind}s only)" if root.only_kind else ""
        away = "" if root.reachable else "  [cannot be reached now]"
        lines.append(f"    {on_one_line(root.path)}{only}: {_kinds(status.folders[root.path])}{away}")
    kinds = _kinds(status.kinds)
    other = {state: count for state, count in status.files.items() if state != "ok"}
    lines.append(
        f"Files     {kinds}" + "".join(f", {count} {state}" for state, count in sorted(other.items()))
    )
    lines.append(f"Frames    {status.frames}, {_megabytes(frames_bytes(LibraryPaths(status.place)))}")
    if generation is None or generation.rows == 0:
        lines.append("Vectors   none" + (" yet: run `media-search index`" if status.frames else ""))
        return lines
    lines.append(
        f"Vectors   {generation.rows} of {generation.model.name} (version {generation.model.version}), "
        f"{_megabytes(status.vectors_bytes)}"
    )
    recall = (
        ""
        if generation.recall is None
        else f", recall {generation.recall:.3f} with ef {generation.ef_search}"
    )
    lines.append(f"Index     {generation.indexed_rows} vectors, {_megabytes(status.index_bytes)}{recall}")
    if status.pending_frames:
        lines.append(f"Pending   {status.pending_frames} frames without a vector: run `media-search index`")
    for begun in status.unfinished:
        how = "--rebuild" if begun.model == generation.model else f"--model {begun.model.name}"
        lines.append(
            f"Begun     {begun.rows} vectors of {begun.model.name}: `media-search index {how}` goes on, "
            "`media-search compact` drops them"
        )
    if hint := starter_hint(generation.model):
        lines.append(hint)
    for path, reason in status.skipped:
        lines.append(f"Skipped   {on_one_line(path)}: {reason}")
    return lines


def _kinds(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}s" for kind, count in sorted(counts.items())) or "none"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
