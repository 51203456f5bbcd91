"""Runs one update in a process of its own, for tests that kill it: `update_driver.py LIBRARY PHOTOS`."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fakes import ColourEncoder
from semantic_media_search.config import Settings
from semantic_media_search.library import Library, ingest_run
from semantic_media_search.records import F32, U8


class SlowEncoder(ColourEncoder):
    """Takes its time, so that a kill can come in between."""

    def encode_pixels(self, images: Sequence[U8]) -> F32:
        time.sleep(0.01)
        return super().encode_pixels(images)


def main() -> None:
    if "NO_EARLY_COMMITS" in os.environ:
        ingest_run.COMMIT_FRAMES, ingest_run.COMMIT_SECONDS = 10**9, 1e9
    else:
        ingest_run.COMMIT_FRAMES = 4  # many commits, so that kills fall around them
    library_folder, photos = map(Path, sys.argv[1:])
    library = Library(Settings(library=library_folder, threads=2, batch_size=2), lambda _: SlowEncoder())
    library.add_roots([photos])
    print("begun", flush=True)
    library.update("colours")


if __name__ == "__main__":
    main()
