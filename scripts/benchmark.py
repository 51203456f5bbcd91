"""Measure searches on the library, by the graph and exactly: `media-search benchmark queries`."""

import sys

from semantic_media_search.cli import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", "queries", *sys.argv[1:]]))
