"""What each command does. Each takes the parsed arguments, the settings and the console; it returns an exit code."""

import argparse
from collections.abc import Callable
from importlib import import_module

from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings

Command = Callable[[argparse.Namespace, Settings, Console], int]

# By name, so that a search does not wait for what only serving or reading media needs.
_MODULES = {
    "ingest": "build",
    "index": "build",
    "update": "build",
    "search": "find",
    "serve": "serve",
    "status": "look",
    "models": "look",
    "watch": "care",
    "forget": "care",
    "compact": "care",
    "doctor": "care",
    "benchmark": "bench",
}


def command(name: str) -> Command:
    """The function behind a command of the command line."""
    found: Command = getattr(import_module(f"{__name__}.{_MODULES[name]}"), f"run_{name}")
    return found
