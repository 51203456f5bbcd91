"""Read `data/raw/images` and `data/raw/videos` into frames and metadata: `media-search ingest`."""

import sys
from pathlib import Path

from semantic_media_search.cli import main

RAW = Path("data/raw")

if __name__ == "__main__":
    sys.exit(main(["ingest", *(["--raw", str(RAW)] if RAW.is_dir() else []), *sys.argv[1:]]))
