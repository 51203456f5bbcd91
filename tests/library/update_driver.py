"""Runs one piece of work in a process of its own, for tests that kill it: `update_driver.py LIBRARY PHOTOS [care]`."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fakes import ColourEncoder
from semantic_media_search.config import Settings
from semantic_media_search.library import Library, compact, index_run, ingest_run
from semantic_media_search.records import F32, U8

CARED_FOR = "other"


class SlowEncoder(ColourEncoder):
    """Takes its time, so that a kill can come in between."""

    def encode_pixels(self, images: Sequence[U8]) -> F32:
        time.sleep(0.01)
        return super().encode_pixels(images)


ENCODERS = {"colours": SlowEncoder(), CARED_FOR: SlowEncoder(CARED_FOR, "07be2")}


def main() -> None:
    if "NO_EARLY_COMMITS" in os.environ:
        ingest_run.COMMIT_FRAMES, ingest_run.COMMIT_SECONDS = 10**9, 1e9
    else:
        ingest_run.COMMIT_FRAMES = index_run.COMMIT_ROWS = 4  # many commits, so that kills fall around them
        compact._ROWS_AT_ONCE = 4
    library_folder, photos = map(Path, sys.argv[1:3])
    library = Library(Settings(library=library_folder, threads=2, batch_size=2), ENCODERS.__getitem__)
    if sys.argv[3:] == ["care"]:
        print("begun", flush=True)
        held = library.model()
        library.update(held.name if held else "colours")
        library.compact()
        library.build_index(CARED_FOR)
        return
    library.add_roots([photos])
    print("begun", flush=True)
    library.update("colours")


if __name__ == "__main__":
    main()
