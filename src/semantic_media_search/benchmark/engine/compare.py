"""Which differences between two results exceed the noise that was measured within their own runs.

For each figure that both results have, the ratio of medians is bootstrapped over the repeats of both sides
(B. Efron, 1979). Few repeats do not show how far others would lie: with n of them the interval grows on either side
by 40 / n^3 of its own width, so that equal figures get a verdict about once in a thousand times. Repeats also lie
close together in time, and a shared machine changes more slowly than that: for times the interval is widened by how
much a fixed job, timed throughout either run, took longer or less. A difference counts where the whole interval lies
on one side of 1, by more than MINIMUM. Ratios that were measured turn by turn need no widening by the fixed job, and
see finer differences. The measurements behind this: docs/decisions/0600-noise-is-part-of-a-result.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from semantic_media_search.benchmark.engine.figures import Cell, Figure, Row
from semantic_media_search.benchmark.engine.results import Result, Section
from semantic_media_search.benchmark.engine.tables import cell_text
from semantic_media_search.errors import ConfigError

MINIMUM = 0.03
"""Smaller differences are never called: no machine repeats itself to a few per cent on another day."""
CONFIDENCE = 0.999
_RESAMPLES = 4_000
_FEWEST = 3
_FEW_REPEATS = 40.0

BETTER, WORSE, WITHIN_NOISE, UNKNOWN = "better", "worse", "within noise", "measured too seldom to say"
CHANGED, GONE, NO_RATIO = "changed", "no longer there", "cannot be compared as a ratio"
_MUST_AGREE = (
    *("processor", "cores", "system", "threads", "cores_used"),
    *("model", "fingerprint", "vectors", "rows", "dim", "frames", "scale", "M", "ef_construction"),
    *("photos", "captions", "split", "queries", "asked"),
    *("k", "count", "max_side", "videos", "requests", "searches"),
)
"""Facts of the environment that two runs have to share: the machine, the model, and what was measured on."""
_TIMED_UNITS = ("s", "ms", "us", "/s")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in two results: where it stands, both values, the ratio's interval, and the verdict.

    A section or a row that is gone is one difference, without a value.
    """

    place: str
    before: Cell
    after: Cell
    low: float | None
    high: float | None
    verdict: str

    @property
    def visible(self) -> float | None:
        """How many times as large or small it would have to be to get a verdict; None where none is to be had."""
        if self.low is None or self.high is None or self.low <= 0:
            return None
        assert isinstance(self.before, Figure)
        assert isinstance(self.after, Figure)
        ratio = self.after.value / self.before.value
        return (1 + MINIMUM) * max(self.high / ratio, ratio / self.low)

    def line(self) -> str:
        """In words."""
        if self.verdict == GONE:
            return f"{GONE}: {self.place}" + ("" if self.before is None else f": {cell_text(self.before)}")
        text = f"{self.place}: {cell_text(self.before)} -> {cell_text(self.after)}"
        if self.low is not None and self.high is not None:
            text += f", {self.low:.3f} to {self.high:.3f} times"
        return f"{text}: {self.verdict}"


def compare(before: Result, after: Result) -> list[Difference]:
    """Every figure and every plain number that stands in both, and all that stands in the first only.

    Raises ConfigError for different benchmarks.
    """
    if before.benchmark != after.benchmark:
        raise ConfigError(
            f"one result is of `benchmark {before.benchmark}`, the other of `benchmark {after.benchmark}`; "
            "compare two of the same kind"
        )
    machine = Machine.of(before, after)
    sections = {section.name: section for section in after.sections}
    found: list[Difference] = []
    for section in before.sections:
        if section.name in sections:
            found += _compare_sections(section, sections[section.name], machine)
        else:
            found.append(_gone(section.name))
    return found


def incomparable(before: Result, after: Result) -> list[str]:
    """What was not alike in two runs so that differences say nothing of the program: machine, model, data, in words."""
    reasons = [
        f"{name}: {before.environment.get(name)} and {after.environment.get(name)}"
        for name in _MUST_AGREE
        if before.environment.get(name) != after.environment.get(name)
    ]
    titles = {section.name: section.title for section in before.sections}
    return reasons + [
        f"{section.name}: {titles[section.name]!r} and {section.title!r}"
        for section in after.sections
        if titles.get(section.name, section.title) != section.title
    ]


@dataclass(frozen=True, slots=True)
class Machine:
    """How many times as long a fixed job took in the second run: at the least, at the most, and by the medians."""

    low: float = 1.0
    high: float = 1.0
    middle: float = 1.0

    @classmethod
    def of(cls, before: Result, after: Result) -> Self:
        """From what both runs timed; all 1 where one did not."""
        if not all("calibration" in result.environment for result in (before, after)):
            return cls()
        first, second = (Figure.from_json(result.environment["calibration"]) for result in (before, after))
        (quick, slow), (quick2, slow2) = (np.quantile(one.repeats, [0.05, 0.95]) for one in (first, second))
        return cls(float(quick2 / slow), float(slow2 / quick), second.value / first.value)


def verdict(
    before: Figure, after: Figure, machine: Machine | None = None
) -> tuple[float | None, float | None, str]:
    """The interval of after / before, and what it means; without `machine` both were measured in one run."""
    if min(len(before.repeats), len(after.repeats)) < _FEWEST:
        return None, None, UNKNOWN
    if not all(0 < repeat < np.inf for repeat in (*before.repeats, *after.repeats)):
        return None, None, WITHIN_NOISE if _overlap(before.repeats, after.repeats) else NO_RATIO
    low, high = _interval(before, after)
    if machine is not None and after.unit in _TIMED_UNITS:
        # What the machine alone may have done to this figure: nothing, or anything between its extremes.
        slower, quicker = max(machine.high, 1.0), min(machine.low, 1.0)
        low, high = (low * quicker, high * slower) if after.more_is_better else (low / slower, high / quicker)
    if low > 1 + MINIMUM:
        return low, high, BETTER if after.more_is_better else WORSE
    if high < 1 - MINIMUM:
        return low, high, WORSE if after.more_is_better else BETTER
    return low, high, WITHIN_NOISE


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return min(one) <= max(other) and min(other) <= max(one)


def _interval(before: Figure, after: Figure) -> tuple[float, float]:
    random = np.random.default_rng(0)

    def medians(figure: Figure) -> npt.NDArray[np.float64]:
        repeats = np.array(figure.repeats)
        drawn: npt.NDArray[np.float64] = np.median(random.choice(repeats, (_RESAMPLES, len(repeats))), axis=1)
        return drawn

    ratios = medians(after) / medians(before)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    fewest = min(len(before.repeats), len(after.repeats))
    beyond = (high / low) ** (_FEW_REPEATS / fewest**3)
    return float(low / beyond), float(high * beyond)


def _compare_sections(before: Section, after: Section, machine: Machine) -> Iterator[Difference]:
    rows = {_key(after, row): row for row in after.rows}
    for held in before.rows:
        key = _key(before, held)
        place = f"{before.name}, {' '.join(str(part) for part in key)}"
        row = rows.get(key)
        if row is None:
            yield _gone(place)
            continue
        for column in dict.fromkeys((*held, *row)):
            if column not in before.keys:
                yield from _compare_cells(f"{place}, {column}", held.get(column), row.get(column), machine)


def _compare_cells(place: str, old: Cell, new: Cell, machine: Machine) -> Iterator[Difference]:
    if isinstance(old, Figure) and isinstance(new, Figure):
        yield Difference(place, old, new, *verdict(old, new, machine))
    elif old is not None and new is None:
        yield _gone(place, old)
    elif old != new:
        yield Difference(place, old, new, None, None, CHANGED)


def _gone(place: str, old: Cell = None) -> Difference:
    return Difference(place, old, None, None, None, GONE)


def _key(section: Section, row: Row) -> tuple[Cell, ...]:
    return tuple(row.get(key) for key in section.keys)
