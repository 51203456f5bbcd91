"""`search`: from words to frames."""

import argparse
import json

from semantic_media_search.cli.commands.models import encoder_loader, starter_hint
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings
from semantic_media_search.ingest.discovery import on_one_line
from semantic_media_search.library import Library
from semantic_media_search.records import SearchHit
from semantic_media_search.search.filters import Filters, parse_time
from semantic_media_search.search.moments import Lead, page_of_leads
from semantic_media_search.search.retriever import EXACT_BELOW, EXACT_ONCE_BELOW


def run_search(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Print the best frames for the words: a table, JSON or paths."""
    exact_below = EXACT_ONCE_BELOW if arguments.ef is None else EXACT_BELOW
    library = Library(settings, encoder_loader(settings, console), note=console.info, exact_below=exact_below)
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

    def best(k: int) -> list[SearchHit]:
        return view.search_text(query, k, ef=arguments.ef, allowed=allowed)

    if arguments.group == "moment":
        leads = page_of_leads(best, view.hashes, 0, arguments.k).leads
    else:
        leads = [Lead(hit) for hit in best(arguments.k)]
    if filters.min_similarity is not None:
        leads = [lead for lead in leads if lead.hit.similarity >= filters.min_similarity]
    if arguments.json:
        console.result(
            json.dumps({"query": query, "results": [_described(lead) for lead in leads]}, indent=2)
        )
    elif arguments.paths:
        for path in dict.fromkeys(lead.hit.frame.source_path for lead in leads):
            console.result(on_one_line(path))
    else:
        for line in table(leads):
            console.result(line)
        console.info(starter_hint(view.generation.model))
    return 0


def _described(lead: Lead) -> dict[str, object]:
    described = lead.hit.to_json()
    return described | {"similar": list(lead.copies)} if lead.copies else described


def table(leads: list[Lead]) -> list[str]:
    """Results as lines of text: similarity, where in the video, which file, how many copies."""
    if not leads:
        return ["nothing found: no frame of the library passes what was asked for"]
    return ["similarity  moment    file", *map(_line, leads)]


def _line(lead: Lead) -> str:
    frame = lead.hit.frame
    copies = f"  (+{len(lead.copies)} similar)" if lead.copies else ""
    return (
        f"{_shown(lead.hit):>10.3f}  {moment(frame.timestamp):<8}  {on_one_line(frame.source_path)}{copies}"
    )


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
