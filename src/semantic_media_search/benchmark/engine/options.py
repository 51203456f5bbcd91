"""What options of several kinds have in common."""

import argparse


def at_least_1(text: str) -> int:
    """A count, for `type=`: nothing is measured no times, or on nothing."""
    try:
        count = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} is too few: give at least 1")
    return count
