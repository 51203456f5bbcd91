"""How the grown files in `tests/data` were made: grown after their codes were fitted, some rows deleted.

A kept file stands for those that people have, and is never made anew; a new format gets a file of its own beside it:
`python tests/kept_index.py tests/data/NAME.bin`.
"""

import sys
from pathlib import Path

from semantic_media_search.index import file_format
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.records import F32
from vectors import clustered

FITTED, COUNT, DELETED = 60, 90, (4, 31, 88)
ROWS: F32 = clustered(COUNT + 40, 12, seed=12)
"""The kept index is over the first COUNT; with the others it has doubled since its codes were fitted."""


def write(path: Path) -> None:
    """Write such an index. Raises FileExistsError rather than go over a file."""
    if path.exists():
        raise FileExistsError(f"{path} is kept; give another name")
    index = HNSWIndex(ROWS.shape[1], m=4, ef_construction=30, seed=5)
    index.build(ROWS[:FITTED])
    index.add(ROWS[:COUNT])
    index.mark_deleted(DELETED)
    index.save(path, fingerprint=f"format {file_format.VERSION}, grown")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
