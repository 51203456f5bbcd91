"""`watch`, `forget`, `compact` and `doctor`: keeping a library in order."""

import argparse
import json
import signal
import sqlite3
import threading
from dataclasses import asdict
from types import FrameType

from semantic_media_search.cli.commands.build import add_folders, progress_on, summary_json, summary_lines
from semantic_media_search.cli.commands.models import encoder_at_hand, encoder_loader, model_for_writing
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings
from semantic_media_search.errors import LibraryError, ModelError
from semantic_media_search.library import Library
from semantic_media_search.library.watch import changes


def run_watch(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Update now and after every change in the library's folders, until Ctrl-C."""
    library = Library(settings, encoder_loader(settings, console))
    add_folders(library, arguments, settings)
    model = model_for_writing(library, settings, console)
    stop = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
        stop.set()  # should the exception come where one is swallowed, the watching ends all the same
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    console.info("Following the library's folders until Ctrl-C.")
    try:
        for number, _ in enumerate(changes(library, stop)):
            _one_round(library, model, console, as_json=arguments.json, first=number == 0)
    except KeyboardInterrupt:
        pass
    console.info("Stopped; what was finished is kept.")
    return 0


def _one_round(library: Library, model: str, console: Console, *, as_json: bool, first: bool) -> None:
    """One round of watching; what another round may well mend is said, and the watching goes on.

    The first round, which may take hours, shows how far it is, and it is an error that `model` is not the library's or
    cannot be had. Later ones use the library's own, which may have been changed meanwhile.
    """
    try:
        held = None if first else library.model()
        with progress_on(console, quiet=not first) as progress:
            summary, indexed = library.update(held.name if held else model, progress)
    except (LibraryError, ModelError, OSError, sqlite3.Error) as error:
        from_the_hub = isinstance(error, OSError)
        if first and isinstance(error, ModelError) and not from_the_hub:
            raise
        console.error(f"{error}; trying again within a minute")
        return
    if as_json:
        console.result(json.dumps(summary_json(summary, indexed)))  # one line an update
        return
    if summary.changed_anything or summary.frames or len(summary.skipped) > summary.skipped_before:
        for line in summary_lines(summary):
            console.info(line)


def run_forget(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Take folders out of the library."""
    library = Library(settings, encoder_loader(settings, console))
    gone = library.forget(arguments.folders)
    if arguments.json:
        console.result(json.dumps({"files": gone}))
        return 0
    console.info(
        f"{_counted(gone, 'file')} left the results; nothing on your disk was touched. "
        "`media-search compact` frees the space they took in the library."
    )
    return 0


def run_compact(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Reclaim the space of frames whose files are gone."""
    library = Library(settings, encoder_loader(settings, console))
    with progress_on(console) as progress:
        summary = library.compact(progress)
    if arguments.json:
        console.result(json.dumps(asdict(summary)))
        return 0
    console.info(f"Let go of {_counted(summary.frames, 'frame')}; {summary.bytes_freed / 1e6:.1f} MB freed.")
    return 0


def run_doctor(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Check every file of the library; exit code 1 where something was wrong."""
    library = Library(settings, encoder_loader(settings, console))
    library.commit()  # where there is no library, say so rather than make one
    encoder = encoder_at_hand(library, settings)
    with progress_on(console) as progress:
        findings = library.doctor(repair=not arguments.check_only, progress=progress, encoder=encoder)
    if arguments.json:
        console.result(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2))
        return 1 if findings else 0
    for finding in findings:
        console.result(f"{finding.path}: {finding.problem}; {finding.remedy}")
    console.info(f"{_counted(len(findings), 'problem')} found." if findings else "Everything is in order.")
    return 1 if findings else 0


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
