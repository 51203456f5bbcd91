"""One command, `media-search`. Only here do errors become exit codes and text on a terminal."""

from semantic_media_search.cli.main import main

__all__ = ["main"]
