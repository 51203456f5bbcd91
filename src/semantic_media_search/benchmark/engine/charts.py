"""Charts of sections, as PNG or SVG, by matplotlib (the extra `bench`)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_media_search.benchmark.engine.figures import Figure, number, power
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.tables import short
from semantic_media_search.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_SIZE = (7.5, 4.6)
_SETTINGS: dict[str, Any] = {"svg.hashsalt": "semantic-media-search", "svg.fonttype": "none", "font.size": 10}

_NEAR_1 = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)
_NEAREST = 0.9998
_ROOM = 0.09
"""The least distance of two numbers below an axis, as a share of its length."""


@dataclass(frozen=True, slots=True)
class _Point:
    """One row in a chart: its place on the x axis, its value, and how far below and above it repeats lay."""

    place: Any
    value: float
    below: float
    above: float


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw_png(chart: Chart, section: Section) -> bytes:
    """The chart as a PNG file. Raises ConfigError where matplotlib is not installed."""
    return _save(chart, section, "png")


def draw_svg(chart: Chart, section: Section) -> str:
    """The chart as an `<svg>` element, to stand in a page. Raises ConfigError where matplotlib is not installed."""
    text = _save(chart, section, "svg").decode("utf-8")
    return text[text.index("<svg") :]


def _save(chart: Chart, section: Section, form: str) -> bytes:
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise ConfigError(
            "charts need matplotlib: pip install 'semantic-media-search[bench]', or pip install matplotlib"
        ) from error
    with rc_context(_SETTINGS):  # type: ignore[arg-type]
        canvas = Canvas(figsize=_SIZE, layout="constrained")
        _plot(canvas, chart, section)
        buffer = io.BytesIO()
        stamp = {"Date": None} if form == "svg" else {}
        canvas.savefig(buffer, format=form, dpi=120, metadata=stamp)
    return buffer.getvalue()


def _plot(canvas: "Canvas", chart: Chart, section: Section) -> None:
    axes = canvas.add_subplot()
    lines = _lines(chart, section)
    axes.set_title(chart.title)
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.set_axisbelow(True)
    if any(isinstance(point.place, str) for points in lines.values() for point in points):
        _bars(axes, lines)
        axes.set_xlabel(_named(chart.y, section))
    else:
        for name, points in lines.items():
            _line(axes, points, name or chart.y)
            if chart.fit and len(points) > 1:
                _fit(axes, points)
        axes.set_xlabel(_named(chart.x, section))
        axes.set_ylabel(_named(chart.y, section))
        places = sorted({point.place for points in lines.values() for point in points})
        _scales(axes, chart, places)
    if len(lines) > 1 or chart.fit:
        axes.legend(fontsize=8)


def _lines(chart: Chart, section: Section) -> dict[str, list[_Point]]:
    lines: dict[str, list[_Point]] = {}
    for row in section.rows:
        x, cell = row.get(chart.x), row.get(chart.y)
        y = number(cell)
        if x is None or y is None:
            continue
        repeats = cell.repeats if isinstance(cell, Figure) else (y,)
        point = _Point(x if isinstance(x, str) else number(x), y, y - min(repeats), max(repeats) - y)
        lines.setdefault(str(row.get(chart.series, "")), []).append(point)
    return lines


def _named(column: str, section: Section) -> str:
    """A column's name with its unit."""
    units = (cell.unit for row in section.rows if isinstance(cell := row.get(column), Figure))
    unit = next(units, "")
    return f"{column} ({unit})" if unit else column


def _spans(points: Sequence[_Point]) -> list[list[float]] | None:
    """From the least repeat to the greatest; None where all was measured once."""
    spans = [[point.below for point in points], [point.above for point in points]]
    return spans if any(map(any, spans)) else None


def _line(axes: Any, points: Sequence[_Point], name: str) -> None:
    axes.errorbar(
        [point.place for point in points],
        [point.value for point in points],
        _spans(points),
        marker="o", markersize=3.5, linewidth=1.6, elinewidth=0.9, capsize=2, label=name,
    )  # fmt: skip


def _fit(axes: Any, points: Sequence[_Point]) -> None:
    """The power of x that the points come nearest to: a straight line where both axes are logarithmic."""
    places, values = [point.place for point in points], [point.value for point in points]
    exponent = power(places, values)
    middle = np.exp(np.mean(np.log(values) - exponent * np.log(places)))
    axes.plot(
        places, middle * np.power(places, exponent), linestyle="--", linewidth=1, color="0.4",
        label=f"N^{exponent:.2f}",
    )  # fmt: skip


def _scales(axes: Any, chart: Chart, places: Sequence[float]) -> None:
    if chart.near_1:
        axes.set_xscale("function", functions=(_nines, _from_nines))
        axes.set_xticks(_NEAR_1, [f"{share:g}" for share in _NEAR_1])
        axes.set_xlim(min(places, default=0.9) - 0.01, _NEAREST)
    elif chart.log_x and len(places) > 1:
        axes.set_xscale("log")
        axes.set_xticks([], [], minor=True)
        ticks = [places[0]]
        for place in places[1:]:
            if np.log(place / ticks[-1]) >= _ROOM * np.log(places[-1] / places[0]):
                ticks.append(place)
        axes.set_xticks(ticks, [_plain(tick) for tick in ticks])
    if chart.log_y:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 2000 else (1.0,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def _nines(share: Any) -> Any:
    return -np.log10(np.maximum(1 - share, 1 - _NEAREST))


def _from_nines(nines: Any) -> Any:
    return 1 - np.power(10.0, -nines)


def _bars(axes: Any, lines: dict[str, list[_Point]]) -> None:
    """Bars beside one another, from the left so that there is room for words, a group for each word."""
    words = list(dict.fromkeys(point.place for points in lines.values() for point in points))
    width = 0.8 / len(lines)
    for place, (name, points) in enumerate(lines.items()):
        places = [words.index(point.place) + (place - (len(lines) - 1) / 2) * width for point in points]
        values = [point.value for point in points]
        held = axes.barh(
            places, values, width, label=name,
            xerr=_spans(points), error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": "0.3"},
        )  # fmt: skip
        axes.bar_label(held, [short(value, 3) for value in values], padding=3, fontsize=8)
    axes.margins(x=0.1)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(range(len(words)), words)
    axes.invert_yaxis()
