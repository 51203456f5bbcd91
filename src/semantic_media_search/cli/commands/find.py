"""`search`: from words to frames."""

import argparse
import json
from collections.abc import Sequence

from semantic_media_search.cli.commands.models import encoder_loader, starter_hint
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings
from semantic_media_search.ingest.discovery import on_one_line
from semantic_media_search.library import Library
from semantic_media_search.records import SearchHit
from semantic_media_search.search.filters import Filters, parse_time
from semantic_media_search.search.moments import Found, Lead, page_of_leads
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

    vector = view.encode_query(query)

    def best(k: int) -> list[Found]:
        return view.nearest(vector, k, ef=arguments.ef, allowed=allowed)

    if arguments.group == "moment":
        leads = page_of_leads(best, view.instants, 0, arguments.k).leads
    else:
        leads = [Lead(*found) for found in best(arguments.k)]
    if filters.min_similarity is not None:
        leads = [lead for lead in leads if lead.similarity >= filters.min_similarity]
    records = view.records([lead.frame_id for lead in leads])
    results = [
        (SearchHit(records[lead.frame_id], lead.similarity), lead.copies)
        for lead in leads
        if lead.frame_id in records
    ]
    if arguments.json:
        console.result(
            json.dumps({"query": query, "results": [_described(*one) for one in results]}, indent=2)
        )
    elif arguments.paths:
        for path in dict.fromkeys(hit.frame.source_path for hit, _ in results):
            console.result(on_one_line(path))
    else:
        for line in table(results):
            console.result(line)
        console.info(starter_hint(view.generation.model))
    return 0


def _described(hit: SearchHit, copies: Sequence[int]) -> dict[str, object]:
    described = hit.to_json()
    return described | {"similar": list(copies)} if copies else described


def table(results: Sequence[tuple[SearchHit, Sequence[int]]]) -> list[str]:
    """Results as lines of text: similarity, where in the video, which file, how many copies."""
    if not results:
        return ["nothing found: no frame of the library passes what was asked for"]
    return ["similarity  moment    file", *(_line(*one) for one in results)]


def _line(hit: SearchHit, copies: Sequence[int]) -> str:
    frame = hit.frame
    path, others = on_one_line(frame.source_path), f"  (+{len(copies)} similar)" if copies else ""
    return f"{_shown(hit):>10.3f}  {moment(frame.timestamp):<8}  {path}{others}"


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
