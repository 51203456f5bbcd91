"""`python -m semantic_media_search.benchmark retrieval`: measurements that need no library."""

import argparse
import sys
from collections.abc import Sequence

from semantic_media_search.benchmark import retrieval_command
from semantic_media_search.config import Settings
from semantic_media_search.errors import MediaSearchError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one measurement; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m semantic_media_search.benchmark", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    retrieval_command.add_arguments(commands.add_parser("retrieval", help="how well words find photographs"))
    try:
        retrieval_command.run(parser.parse_args(argv), Settings(), _say)
    except MediaSearchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
