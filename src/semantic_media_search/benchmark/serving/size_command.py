"""`media-search benchmark size`: what a library takes on disk, and a server in memory, by part."""

import argparse
import json
import sys
from pathlib import Path

from semantic_media_search.benchmark.engine.figures import Figure, Row
from semantic_media_search.benchmark.engine.memory import MB
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.session import Say
from semantic_media_search.benchmark.serving import library, parts
from semantic_media_search.benchmark.serving.processes import run_command
from semantic_media_search.config import Settings
from semantic_media_search.library.view import LibraryView

_PARTS = {
    "frames": "frames",
    "generations": "vectors and index",
    "catalog.sqlite": "catalogue",
    "metadata.jsonl": "metadata.jsonl",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often."""
    library.add_arguments(parser, "size", rounds=3)


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure, print, write. Raises LibraryNotFoundError where there is no library."""
    session, view = library.open_session("size", arguments, settings, say)
    session.add(disk_section(settings.library, view))
    command = [sys.executable, "-m", parts.__name__, str(settings.library)]
    measured = [json.loads(run_command(command)) for _ in range(arguments.rounds)]
    rows: list[Row] = []
    for part in measured[0]:
        held = tuple(one[part] / MB for one in measured if one[part] is not None)
        rows.append({"part": part, "memory": Figure(held, "MB") if held else None})
    notes = ["Each part's is what the process grew by, pages of mapped files that it touched included."]
    chart = Chart("Memory of a server, by part", "part", "memory")
    session.add(Section("memory", "Memory of a server, by part", ("part",), rows, notes, [chart]))
    session.close()


def disk_section(folder: Path, view: LibraryView) -> Section:
    """Bytes on disk by part; a file of several names counts once, where it comes first."""
    sizes: dict[str, int] = dict.fromkeys([*_PARTS.values(), "all else"], 0)
    seen: set[tuple[int, int]] = set()
    order = {part: place for place, part in enumerate(_PARTS)}
    files = sorted(
        (path for path in folder.rglob("*") if path.is_file()),
        key=lambda path: order.get(path.relative_to(folder).parts[0], len(order)),
    )
    for path in files:
        status = path.stat()
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            top = path.relative_to(folder).parts[0]
            sizes[_PARTS.get(top, "all else")] += status.st_size
    rows: list[Row] = [
        {"part": part, "MB": round(size / MB, 2), "bytes a frame": round(size / max(1, view.frame_count))}
        for part, size in sizes.items()
    ]
    title = (
        f"On disk: {view.frame_count:,} frames, {view.store.rows:,} vectors of {view.store.dim} dimensions"
    )
    return Section("disk", title, ("part",), rows, charts=[Chart("Library on disk, by part", "part", "MB")])
