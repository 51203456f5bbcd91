"""`media-search benchmark all`: everything that can be measured here, and one report."""

import argparse
from pathlib import Path

from semantic_media_search.benchmark.engine.session import Say, require_writable
from semantic_media_search.benchmark.kinds import module_of
from semantic_media_search.config import Settings
from semantic_media_search.errors import MediaSearchError

_ORDER = ("queries", "retrieval", "media", "pipeline", "ingest", "start", "serve", "size", "index")
_SMALL = {
    "media": ["--count", "4", "--seconds", "10", "--rounds", "3"],
    "pipeline": ["--count", "80", "--vectors", "5000"],
    "ingest": ["--count", "32"],
    "start": ["--rounds", "3"],
    "serve": ["--rounds", "3", "--requests", "320"],
    "index": ["--scale", "small"],
}
_FULL = {
    "queries": ["--random", "1000", "--repeat", "5"],
    "media": ["--count", "12", "--seconds", "60", "--rounds", "7"],
    "pipeline": ["--count", "320", "--vectors", "100000", "--rounds", "5"],
    "ingest": ["--count", "128", "--rounds", "5"],
    "start": ["--rounds", "9"],
    "serve": ["--rounds", "9", "--requests", "1280"],
    "size": ["--rounds", "5"],
    "index": ["--scale", "full"],
}
_PASSED_ON = {
    "retrieval": ("photos", "captions", "split"),
    "index": ("photos", "captions", "split", "sentences"),
    "media": ("pictures",),
    "pipeline": ("pictures",),
    "ingest": ("pictures", "model"),
}
_NEEDS = {
    "ingest": (("model",), "give --model FOLDER; `python training/export_clip.py random FOLDER` makes one"),
    "retrieval": (("photos", "captions"), "give --photos DIR and --captions FILE"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the single benchmarks take, where it cannot be guessed."""
    parser.add_argument(
        "--scale", choices=("small", "full"), default="small", help="small: minutes; full: hours"
    )
    parser.add_argument("--only", nargs="+", choices=_ORDER, default=_ORDER, help="only these")
    parser.add_argument("--pictures", metavar="DIR", help="photographs to make the 12-megapixel ones of")
    # Not the model that the library is searched with, which an option of that name would choose.
    parser.add_argument(
        "--model", dest="export", metavar="FOLDER", help="an export of ViT-B/32, for `ingest`"
    )
    parser.add_argument(
        "--sentences", metavar="FILE", help="for `index`: one a line (default: WordNet's glosses)"
    )
    parser.add_argument(
        "--photos", metavar="DIR", help="for `index` and `retrieval`: photographs, to ask for in words"
    )
    parser.add_argument("--captions", metavar="FILE", help="their captions")
    parser.add_argument("--split", help="only this split of the captions, e.g. dev, test, held-out")
    parser.add_argument(
        "--output", type=Path, default=Path("data/benchmarks"), metavar="DIR", help="default %(default)s"
    )


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure one kind after the other; one that cannot be measured here is said and left out.

    Raises ConfigError where nothing can be written to the folder.
    """
    page = arguments.output / "report.html"
    require_writable(page)
    scale = _SMALL if arguments.scale == "small" else _FULL
    results = []
    for kind in _ORDER:
        if kind not in arguments.only:
            continue
        say(f"\n#### benchmark {kind}")
        needed, advice = _NEEDS.get(kind, ((), ""))
        if any(_given(arguments, name) is None for name in needed):
            say(f"left out: {advice}")
            continue
        output = arguments.output / f"{kind}.json"
        module = module_of(kind)
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        options = [*scale.get(kind, []), "--output", str(output)]
        for name in _PASSED_ON.get(kind, ()):
            if (value := _given(arguments, name)) is not None:
                options += [f"--{name}", value]
        try:
            module.run(parser.parse_args(options), settings, say)
        except MediaSearchError as error:
            say(f"left out: {error}")
        else:
            results.append(str(output))
    if results:
        report, parser = module_of("report"), argparse.ArgumentParser()
        report.add_arguments(parser)
        report.run(parser.parse_args([*results, "--output", str(page)]), settings, say)


def _given(arguments: argparse.Namespace, option: str) -> str | None:
    """What was given for an option; None where nothing was."""
    value: str | None = getattr(arguments, {"model": "export"}.get(option, option))
    return value
