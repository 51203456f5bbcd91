"""The program in a process of its own, as a person starts it, whatever folder it runs in."""

import os
import sys
from pathlib import Path


def importing_as_here() -> dict[str, str]:
    """This process's environment, with the same modules to be found from any folder."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)
    }
