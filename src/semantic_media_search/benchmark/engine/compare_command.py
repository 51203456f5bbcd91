"""`media-search benchmark compare`: what changed between two results."""

import argparse
from pathlib import Path
from statistics import median

from semantic_media_search.benchmark.engine.compare import (
    BETTER,
    CHANGED,
    CONFIDENCE,
    GONE,
    MINIMUM,
    NO_RATIO,
    UNKNOWN,
    WITHIN_NOISE,
    WORSE,
    Machine,
    compare,
    incomparable,
)
from semantic_media_search.benchmark.engine.results import Result
from semantic_media_search.benchmark.engine.session import Say
from semantic_media_search.config import Settings
from semantic_media_search.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which two, and how much to say."""
    parser.add_argument("before", type=Path, metavar="BEFORE.json")
    parser.add_argument("after", type=Path, metavar="AFTER.json")
    parser.add_argument("--all", action="store_true", help="also say what did not change beyond the noise")
    parser.add_argument(
        "--force",
        action="store_true",
        help="compare runs on other data, by another model or on another machine",
    )


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Say which figures differ, worst news first. Raises ConfigError for files that cannot be compared."""
    del settings
    before, after = Result.read(arguments.before), Result.read(arguments.after)
    differences = compare(before, after)
    if (reasons := incomparable(before, after)) and not arguments.force:
        raise ConfigError(
            "these two runs did not measure the same on the same machine; --force compares them all the same:\n  "
            + "\n  ".join(reasons)
        )
    for name in sorted({*before.environment, *after.environment} - {"calibration", "load_after"}):
        old, new = before.environment.get(name), after.environment.get(name)
        if old != new:
            say(f"{name}: {old} -> {new}")
    machine = Machine.of(before, after)
    say(
        f"For a fixed job the machine itself took {machine.middle:.2f} times as long "
        f"({machine.low:.2f} to {machine.high:.2f})."
    )
    told = (GONE, WORSE, BETTER, CHANGED, NO_RATIO)
    shown = (*told, *((WITHIN_NOISE, UNKNOWN) if arguments.all else ()))
    for verdict in shown:
        for difference in differences:
            if difference.verdict == verdict:
                say(difference.line())
    counts = ", ".join(
        f"{sum(difference.verdict == verdict for difference in differences)} {verdict}"
        for verdict in (*told, WITHIN_NOISE, UNKNOWN)
    )
    say(f"{len(differences)} figures: {counts} (at {CONFIDENCE:.1%}, beyond {MINIMUM:.0%})")
    if visible := [times for difference in differences if (times := difference.visible) is not None]:
        say(
            f"Half of them would have shown a change of {median(visible):.2f} times or less; with more repeats or "
            "on a quieter machine finer ones show."
        )
