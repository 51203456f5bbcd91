"""`media-search benchmark report`: results as one page, or as Markdown tables."""

import argparse
from pathlib import Path

from semantic_media_search.benchmark.engine.report import report_markdown, report_page
from semantic_media_search.benchmark.engine.results import Result
from semantic_media_search.benchmark.engine.session import Say, require_writable
from semantic_media_search.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which results, and where the page goes."""
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT.json", help="what benchmarks wrote")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("data/benchmarks/report.html"),
        metavar="FILE",
        help="a page, or Markdown where it ends in .md (default %(default)s)",
    )


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Read and write. Raises ConfigError for a file that is no result, and for a place that cannot be written."""
    del settings
    results = [Result.read(path) for path in arguments.results]
    require_writable(arguments.output)
    page = report_markdown(results) if arguments.output.suffix == ".md" else report_page(results)
    arguments.output.write_text(page, encoding="utf-8")
    say(f"Written to {arguments.output}")
