"""`benchmark`: the measuring engine on the command line."""

import argparse
import sys
from importlib import import_module
from typing import Any

from semantic_media_search.benchmark import query_command, retrieval_command
from semantic_media_search.cli.commands.models import encoder_loader
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings
from semantic_media_search.library import Library

_KINDS = {
    "index": ("index.command", "the index beside other libraries' on the same vectors, and under every load"),
    "pipeline": ("media.pipeline_command", "each stage from file to index, and how well ingest packs them"),
    "media": ("media.media_command", "reading photos and videos, beside Pillow and OpenCV"),
    "ingest": ("media.ingest_command", "photographs to CLIP vectors, beside the usual ways"),
    "start": ("serving.start_command", "from the start of a process to its first answer"),
    "serve": ("serving.serve_command", "latency and throughput over HTTP, for one client and for many"),
    "size": ("serving.size_command", "memory and disk by part"),
    "report": ("engine.report_command", "results as one HTML page with charts"),
    "compare": (
        "engine.compare_command",
        "two results: which differences exceed the noise of their own runs",
    ),
}
"""Kinds that need nothing but their arguments and the settings: their module below `benchmark`, and what they do."""


def build_parser(common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The options of each kind of benchmark."""
    parser = argparse.ArgumentParser(
        prog="media-search benchmark", description="Measures this library and this machine."
    )
    parser.set_defaults(command="benchmark")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    text = "searches on the library, by the graph and exactly: the plan's benchmark"
    queries = kinds.add_parser("queries", parents=[common], help=text, description=text)
    queries.add_argument("--model", help="a model's name or folder (default: the library's)")
    query_command.add_arguments(queries)
    text = "how well words find photographs, for any model and any folder of captioned photographs"
    retrieval = kinds.add_parser("retrieval", parents=[common], help=text, description=text)
    retrieval_command.add_arguments(retrieval)
    for kind, (module, text) in _KINDS.items():
        _module(module).add_arguments(kinds.add_parser(kind, parents=[common], help=text, description=text))
    return parser


def run_benchmark(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Measure, print, write."""

    def say(line: str) -> None:
        console.result(line)
        sys.stdout.flush()  # a run may take an hour, and someone may be reading along in a file

    if arguments.kind == "retrieval":
        retrieval_command.run(arguments, say)
    elif arguments.kind == "queries":
        library = Library(settings, encoder_loader(settings, console))
        query_command.run(arguments, library, say, query_command.scratch_like(library))
    else:
        _module(_KINDS[arguments.kind][0]).run(arguments, settings, say)
    return 0


def _module(name: str) -> Any:
    return import_module(f"semantic_media_search.benchmark.{name}")
