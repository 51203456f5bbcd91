"""Arguments in, exit code out."""

import argparse
import logging
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from semantic_media_search import __version__
from semantic_media_search.cli.commands import command
from semantic_media_search.cli.console import Console
from semantic_media_search.config import load_settings
from semantic_media_search.errors import MediaSearchError

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def common_options() -> argparse.ArgumentParser:
    """What every command takes."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--library", type=Path, metavar="DIR", help="where the library lies (default data/processed)"
    )
    common.add_argument("--config", type=Path, metavar="FILE", help="a TOML file of settings")
    common.add_argument("--quiet", action="store_true", help="print results and errors only")
    common.add_argument("--verbose", action="store_true", help="say what goes on inside")
    return common


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, as `media-search --help` shows it."""
    parser = argparse.ArgumentParser(
        prog="media-search",
        description="Finds moments in your own pictures and videos from plain words. Nothing leaves this machine.",
        epilog="Start with:  media-search update ~/Pictures   then:  media-search search 'a red bicycle'",
    )
    parser.add_argument("--version", action="version", version=f"media-search {__version__}")
    common = common_options()
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return subparsers.add_parser(name, parents=[common], help=text, description=text)

    ingest = add("ingest", "Read new and changed photos and videos; store frames and metadata.")
    _add_sources(ingest)
    index = add("index", "Give every frame its vector and bring the index up to date.")
    _add_model(index)
    index.add_argument("--rebuild", action="store_true", help="make all vectors and the index anew")
    update = add("update", "Ingest and index in one pass.")
    _add_sources(update)
    _add_model(update)
    search = add("search", "Find frames by words.")
    search.add_argument("query", nargs="+", help="what the picture shows")
    search.add_argument("-k", type=int, default=10, help="how many results (default 10)")
    search.add_argument(
        "--ef", type=int, dest="ef", help="how far the index looks (default: what the library measured)"
    )
    _add_filters(search)
    form = search.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON: the fields of the API's results")
    form.add_argument(
        "--paths", action="store_true", help="print the originals' paths, best first, one a line"
    )
    _add_model(search)
    serve = add("serve", "Serve the page and the API.")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1); another needs --token")
    serve.add_argument("--port", type=int, help="port to listen on (default 8000)")
    serve.add_argument("--token", help="what callers must show when the address is not loopback")
    _add_model(serve)
    status = add("status", "What the library holds.")
    status.add_argument("--json", action="store_true", help="print it as JSON")
    models = add("models", "The models that can be used.")
    models.add_argument("--json", action="store_true", help="print them as JSON")
    watch = add("watch", "Update now and whenever something in the folders changes, until Ctrl-C.")
    watch.add_argument(
        "folders", nargs="*", type=_folder, help="folders to add to the library (read in place)"
    )
    _add_model(watch)
    forget = add("forget", "Take folders out of the library; their own files are not touched.")
    forget.add_argument("folders", nargs="+", type=_folder, help="folders of the library (see status)")
    compact = add("compact", "Reclaim the space of files that are gone.")
    doctor = add("doctor", "Check every file of the library and repair what can be repaired.")
    doctor.add_argument("--check-only", action="store_true", help="only say what is wrong")
    for caring in (index, watch, forget, compact, doctor):
        caring.add_argument("--json", action="store_true", help="print what was done as JSON")
    text = "Measure this library and this machine; `media-search benchmark --help` lists what."
    subparsers.add_parser("benchmark", add_help=False, help=text)
    return parser


def _folder(text: str) -> Path:
    if not text.strip():  # an unset variable, most likely; as a path it would mean the current folder
        raise argparse.ArgumentTypeError("a folder's name is empty; name it, or say . for the current one")
    from semantic_media_search.ingest.discovery import text_to_path  # numpy, which not every command needs

    return Path(text_to_path(text))  # `status` names some folders by URIs


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folders", nargs="*", type=_folder, help="folders to add to the library (read in place)"
    )
    parser.add_argument(
        "--raw", type=Path, metavar="DIR", help="folder with images/ and videos/ (default data/raw)"
    )
    parser.add_argument("--fps", type=float, help="video frames sampled a second (default 1)")
    parser.add_argument(
        "--duplicate-threshold",
        type=int,
        metavar="BITS",
        help="how much a frame must differ from the one kept before it, of 64 bits (default 4; 0 keeps all)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 where any file was skipped or read only in part"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument(
        "--retry-skipped", action="store_true", help="read files again that could not be used before"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be read")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kind",
        type=lambda kind: "image" if kind == "photo" else kind,
        choices=("image", "video"),
        help="photos or videos only; `photo` will do for image",
    )
    parser.add_argument("--folder", help="only what lies in this folder: its path, or the end of its path")
    parser.add_argument(
        "--after",
        help="taken then or later: 2024, 2024-05 or 2024-05-31 (files that do not say when pass no date)",
    )
    parser.add_argument("--before", help="taken then or earlier")
    parser.add_argument(
        "--min-similarity", type=float, metavar="S", help="only results with at least this similarity"
    )
    parser.add_argument(
        "--group",
        choices=("frame", "moment"),
        default="frame",
        help="moment: one result for neighbouring frames of a video, and one for copies of a photo",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="a model's name or folder (see `media-search models`)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    given = sys.argv[1:] if argv is None else list(argv)
    if given[:1] == ["benchmark"]:  # its own many options are read only where it is asked for
        from semantic_media_search.cli.commands.bench import build_parser as build_benchmark_parser

        arguments = build_benchmark_parser(common_options()).parse_args(given[1:])
    else:
        arguments = build_parser().parse_args(given)
    console = Console(quiet=arguments.quiet)
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.WARNING, format="%(message)s")
    if not arguments.quiet:
        logging.getLogger("semantic_media_search").setLevel(logging.INFO)
    try:
        settings = load_settings(
            {
                name: getattr(arguments, name, None)
                for name in (
                    "library",
                    "raw",
                    "model",
                    "fps",
                    "duplicate_threshold",
                    "host",
                    "port",
                    "token",
                )
            },
            file=arguments.config,
        )
        return command(arguments.command)(arguments, settings, console)
    except MediaSearchError as error:
        console.error(str(error))
        return EXIT_FAILED
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, BrokenPipeError):
            # The reader (`| head`) has seen enough; what is still buffered must not fail at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_OK
        console.error(f"{error}; what was finished is kept: mend the cause and run this again")
        return EXIT_FAILED
    except KeyboardInterrupt:
        console.error("stopped; what was finished is kept, run the command again to go on")
        return EXIT_INTERRUPTED
