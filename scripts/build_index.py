"""Give every frame its vector and build the index: `media-search index`."""

import sys

from semantic_media_search.cli import main

if __name__ == "__main__":
    sys.exit(main(["index", *sys.argv[1:]]))
