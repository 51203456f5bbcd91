"""`benchmark`: the measuring engine on the command line."""

import argparse

from semantic_media_search.benchmark import index_command, query_command, retrieval_command
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
    text = "the index beside hnswlib on the same vectors: recall, speed, build"
    index = kinds.add_parser("index", parents=[common], help=text, description=text)
    index_command.add_arguments(index)
    return parser


def run_benchmark(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Measure, print, write."""
    if arguments.kind == "retrieval":
        retrieval_command.run(arguments, console.result)
        return 0
    if arguments.kind == "index":
        index_command.run(arguments, console.result)
        return 0
    library = Library(settings, encoder_loader(settings, console))
    query_command.run(arguments, library, console.result, query_command.scratch_like(library))
    return 0
