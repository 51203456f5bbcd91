"""A file that was brought to the disk can still be lost with its name, until its folder is there too."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Return when the names in this folder are on the disk; nothing to do where the system does not offer it."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
