"""Serve the page and the API at http://127.0.0.1:8000: `media-search serve`."""

import sys

from semantic_media_search.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
