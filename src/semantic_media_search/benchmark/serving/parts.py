"""What each part of the program adds to a process's memory: run as a module, with the library's folder."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from semantic_media_search.benchmark.engine.memory import own_memory


def measure_parts(folder: Path) -> dict[str, int | None]:
    """Bytes by which this process grows with each part, in the order in which a server meets them."""
    held: dict[str, Any] = {}
    grown: dict[str, int | None] = {}
    before = own_memory()
    grown["python and numpy"] = before

    def part(name: str, load: Callable[[], object]) -> None:
        nonlocal before
        held[name] = load()
        after = own_memory()
        grown[name] = None if before is None or after is None else after - before
        before = after

    def program() -> object:
        from semantic_media_search.api import server

        return server

    def view() -> Any:
        from semantic_media_search.config import Settings
        from semantic_media_search.embeddings import load_encoder
        from semantic_media_search.library import Library

        return Library(Settings(library=folder), load_encoder).view()

    part("the program's modules", program)
    part("library and index, opened", view)
    opened = held["library and index, opened"]
    part("words: tokenizer and text model", lambda: opened.encode_query("a dog on the beach"))
    part("first searches", lambda: [opened.search_text(f"a dog {number}") for number in range(50)])
    part("pictures: image model", lambda: opened.encoder.encode_pixels([_picture()]))
    return grown


def _picture() -> Any:
    import numpy as np

    return np.zeros((512, 512, 3), np.uint8)


if __name__ == "__main__":
    json.dump(measure_parts(Path(sys.argv[1])), sys.stdout)
