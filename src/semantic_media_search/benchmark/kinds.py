"""The kinds of benchmark that need nothing but their arguments and the settings, by name."""

from importlib import import_module
from typing import Any

KINDS = {
    "queries": ("query_command", "searches on the library, by the graph and exactly: the plan's benchmark"),
    "retrieval": (
        "retrieval_command",
        "how well words find photographs, for any model and any folder of captioned photographs",
    ),
    "index": ("index.command", "the index beside other libraries' on the same vectors, and under every load"),
    "media": ("media.media_command", "reading photos and videos, beside Pillow and OpenCV"),
    "pipeline": ("media.pipeline_command", "each stage from file to index, and how well ingest packs them"),
    "ingest": ("media.ingest_command", "photographs to CLIP vectors, beside the usual ways"),
    "start": ("serving.start_command", "from the start of a process to its first answer"),
    "serve": ("serving.serve_command", "latency and throughput over HTTP, for one client and for many"),
    "size": ("serving.size_command", "memory and disk by part"),
    "page": ("serving.page_command", "from the last key typed in the page to the first result seen"),
    "all": ("all_command", "all of these but `page`, one after the other, and a report"),
    "report": ("engine.report_command", "results as one HTML page with charts"),
    "compare": (
        "engine.compare_command",
        "two results: which differences exceed the noise of their own runs",
    ),
}
"""The module of each below this package, with `add_arguments(parser)` and `run(arguments, settings, say)`, and what it
does."""


def module_of(kind: str) -> Any:
    """The module of a kind, imported when it is needed."""
    return import_module(f"{__package__}.{KINDS[kind][0]}")
