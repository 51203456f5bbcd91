"""What each command does. Each takes the parsed arguments, the settings and the console, and returns an exit code."""

import argparse
from collections.abc import Callable

from semantic_media_search.cli.commands.build import run_index, run_ingest, run_update
from semantic_media_search.cli.commands.care import run_compact, run_doctor, run_watch
from semantic_media_search.cli.commands.find import run_search, run_serve
from semantic_media_search.cli.commands.look import run_models, run_status
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings

Command = Callable[[argparse.Namespace, Settings, Console], int]

COMMANDS: dict[str, Command] = {
    "ingest": run_ingest,
    "index": run_index,
    "update": run_update,
    "search": run_search,
    "serve": run_serve,
    "status": run_status,
    "models": run_models,
    "watch": run_watch,
    "compact": run_compact,
    "doctor": run_doctor,
}
