"""`benchmark`: the measuring engine on the command line."""

import argparse
import sys

from semantic_media_search.benchmark import query_command
from semantic_media_search.benchmark.kinds import KINDS, module_of
from semantic_media_search.cli.commands.models import encoder_loader
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings


def build_parser(common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The options of each kind of benchmark."""
    parser = argparse.ArgumentParser(
        prog="media-search benchmark", description="Measures this library and this machine."
    )
    parser.set_defaults(command="benchmark")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, (_, text) in KINDS.items():
        one = kinds.add_parser(kind, parents=[common], help=text, description=text)
        if kind == "queries":
            one.add_argument("--model", help="a model's name or folder (default: the library's)")
        module_of(kind).add_arguments(one)
    return parser


def run_benchmark(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Measure, print, write."""

    def say(line: str) -> None:
        console.result(line)
        sys.stdout.flush()  # a run may take an hour, and someone may be reading along in a file

    if arguments.kind == "queries":
        query_command.run(arguments, settings, say, encoder_loader(settings, console))
    else:
        module_of(arguments.kind).run(arguments, settings, say)
    return 0
