"""A measured quantity together with every repeat of its measurement, since noise is part of the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Self, TypeAlias

import numpy as np

from semantic_media_search.errors import ConfigError

_MAD_TO_DEVIATION = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, measured several times in the same way; `value` is the median.

    `unit` follows the number in print. `more_is_better` says which direction is progress.
    """

    repeats: tuple[float, ...]
    unit: str
    more_is_better: bool = False

    def __post_init__(self) -> None:
        """Refuse a figure that nobody measured."""
        if not self.repeats:
            raise ValueError("a figure needs at least one measurement")

    @property
    def value(self) -> float:
        """The median of the repeats."""
        return median(self.repeats)

    @property
    def spread(self) -> float | None:
        """A robust standard deviation as a share of the value; None where it was measured once or is 0."""
        if len(self.repeats) < 2 or self.value == 0:
            return None
        deviation = median(abs(repeat - self.value) for repeat in self.repeats)
        return _MAD_TO_DEVIATION * deviation / abs(self.value)

    def to_json(self) -> dict[str, Any]:
        """As plain values; the value is there for readers other than `from_json`."""
        return {
            "value": self.value,
            "unit": self.unit,
            "more_is_better": self.more_is_better,
            "repeats": list(self.repeats),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Take back `to_json`. Raises ConfigError for anything else."""
        try:
            repeats = tuple(float(repeat) for repeat in stored["repeats"])
            return cls(repeats, str(stored["unit"]), bool(stored["more_is_better"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"this is no measured figure: {dict(stored)!r}") from error


Cell: TypeAlias = str | int | float | Figure | None
Row: TypeAlias = dict[str, Cell]


def rate(items: int, seconds: Sequence[float], unit: str = "/s") -> Figure:
    """Items a second, from the seconds that each repeat took for all of them."""
    return Figure(tuple(items / second for second in seconds), unit, more_is_better=True)


def seconds(times: Sequence[float]) -> Figure:
    """Times in seconds."""
    return Figure(tuple(times), "s")


def times_as_fast(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """How many times as fast we are, turn by turn: seconds that each side took, in the same turns."""
    pairs = zip(ours, theirs, strict=True)
    return Figure(tuple(their / our for our, their in pairs), "x", more_is_better=True)


def number(cell: Cell) -> float | None:
    """The number in a cell, or None where it holds none."""
    if isinstance(cell, Figure):
        return cell.value
    return None if cell is None or isinstance(cell, str) else float(cell)


def power(sizes: Sequence[float], taken: Sequence[float]) -> float:
    """The exponent p of the power size^p that grows most nearly as these do."""
    return float(np.polyfit(np.log(sizes), np.log(taken), 1)[0])
