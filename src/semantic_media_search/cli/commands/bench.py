"""`benchmark`: the measuring engine on the command line."""

import argparse
import sys

from semantic_media_search.benchmark import query_command, retrieval_command
from semantic_media_search.benchmark.kinds import KINDS, module_of
from semantic_media_search.cli.commands.models import encoder_loader
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings
from semantic_media_search.library import Library


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
    for kind, (_, text) in KINDS.items():
        module_of(kind).add_arguments(kinds.add_parser(kind, parents=[common], help=text, description=text))
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
        module_of(arguments.kind).run(arguments, settings, say)
    return 0
