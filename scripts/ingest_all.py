"""Read `data/raw/images` and `data/raw/videos` into frames and metadata: `media-search ingest`."""

import sys

from semantic_media_search.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest", *sys.argv[1:]]))
