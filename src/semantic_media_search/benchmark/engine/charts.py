"""Charts of sections, as PNG or SVG, by matplotlib (the extra `bench`)."""

import io
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_media_search.benchmark.engine.figures import number
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_SIZE = (7.5, 4.6)
_SETTINGS: dict[str, Any] = {"svg.hashsalt": "semantic-media-search", "svg.fonttype": "none", "font.size": 10}

_NEAR_1 = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)
_NEAREST = 0.9998


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
    lines: dict[str, list[tuple[Any, float]]] = {}
    for row in section.rows:
        x, y = row.get(chart.x), number(row.get(chart.y))
        if x is not None and y is not None:
            place = x if isinstance(x, str) else number(x)
            lines.setdefault(str(row.get(chart.series, "")), []).append((place, y))
    if any(isinstance(x, str) for points in lines.values() for x, _ in points):
        _bars(axes, lines)
        axes.set_xlabel(chart.y)
    else:
        for name, points in lines.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3.5, linewidth=1.6, label=name)
        axes.set_xlabel(chart.x)
        axes.set_ylabel(chart.y)
        if chart.near_1:
            axes.set_xscale("function", functions=(_nines, _from_nines))
            axes.set_xticks(_NEAR_1, [f"{share:g}" for share in _NEAR_1])
            axes.set_xlim(min(x for points in lines.values() for x, _ in points) - 0.01, _NEAREST)
        else:
            axes.set_xscale("log" if chart.log_x else "linear")
        axes.set_yscale("log" if chart.log_y else "linear")
    axes.set_title(chart.title)
    axes.grid(visible=True, which="both", alpha=0.25)
    if len(lines) > 1:
        axes.legend(fontsize=8)


def _nines(share: Any) -> Any:
    return -np.log10(np.maximum(1 - share, 1 - _NEAREST))


def _from_nines(nines: Any) -> Any:
    return 1 - np.power(10.0, -nines)


def _bars(axes: Any, lines: dict[str, list[tuple[Any, float]]]) -> None:
    """Bars beside one another, from the left so that there is room for words, a group for each word."""
    words = list(dict.fromkeys(x for points in lines.values() for x, _ in points))
    width = 0.8 / len(lines)
    for place, (name, points) in enumerate(lines.items()):
        places = [words.index(x) + (place - (len(lines) - 1) / 2) * width for x, _ in points]
        axes.barh(places, [y for _, y in points], width, label=name)
    axes.set_yticks(range(len(words)), words)
    axes.invert_yaxis()
