"""`search`: from words to frames."""

import argparse
import json

from semantic_media_search.cli.commands.models import encoder_loader, starter_hint
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings
from semantic_media_search.library import Library
from semantic_media_search.records import SearchHit
from semantic_media_search.search.filters import Filters, parse_time


def run_search(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Print the best frames for the words: a table, JSON or paths."""
    library = Library(settings, encoder_loader(settings, console))
    query = " ".join(arguments.query)
    view = library.view()
    filters = Filters(
        arguments.kind,
        arguments.folder,
        parse_time(arguments.after, "--after"),
        parse_time(arguments.before, "--before", end=True),
        arguments.min_similarity,
    )
    allowed = None if filters.any_row else view.facts().mask(filters)
    hits = view.search_text(query, arguments.k, ef=arguments.ef, allowed=allowed)
    if filters.min_similarity is not None:
        hits = [hit for hit in hits if hit.similarity >= filters.min_similarity]
    if arguments.json:
        console.result(json.dumps({"query": query, "results": [hit.to_json() for hit in hits]}, indent=2))
    elif arguments.paths:
        for path in dict.fromkeys(hit.frame.source_path for hit in hits):
            console.result(path)
    else:
        for line in table(hits):
            console.result(line)
        console.info(starter_hint(view.generation.model))
    return 0


def table(hits: list[SearchHit]) -> list[str]:
    """Hits as lines of text: similarity, where in the video, which file."""
    if not hits:
        return ["nothing found: the library holds no frame that may be an answer"]
    lines = [
        f"{_shown(hit):>10.3f}  {moment(hit.frame.timestamp):<8}  {hit.frame.source_path}" for hit in hits
    ]
    return ["similarity  moment    file", *lines]


def _shown(hit: SearchHit) -> float:
    return min(1.0, max(0.0, hit.similarity))


def moment(timestamp: float | None) -> str:
    """Seconds as a person writes them, `1:05` or `1:02:03.5`; a dash for a photo."""
    if timestamp is None:
        return "photo"
    tenths = round(timestamp * 10)
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    seconds = f"{rest // 10:02d}" + (f".{rest % 10}" if rest % 10 else "")
    return f"{hours}:{minutes:02d}:{seconds}" if hours else f"{minutes}:{seconds}"
