"""Results as one HTML page that needs nothing beside itself, or as Markdown."""

from collections.abc import Iterator, Sequence
from html import escape

from semantic_media_search.benchmark.engine.charts import can_draw, draw_svg
from semantic_media_search.benchmark.engine.figures import Figure
from semantic_media_search.benchmark.engine.results import Result, Section
from semantic_media_search.benchmark.engine.tables import cell_text

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #8884; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
.charts { display: flex; flex-wrap: wrap; gap: 1rem }
.charts svg { background: #fff; flex: 1 1 26rem; max-width: 46rem; height: auto }
p.note { opacity: .7; margin: .2rem 0 }
"""
_NO_CHARTS = "There are no charts, as matplotlib is not installed: pip install matplotlib, then write the report again."


def report_page(results: Sequence[Result]) -> str:
    """The page: each result with its environment, and its sections as tables and charts (inline SVG).

    Where matplotlib is not installed it has the tables only, and says so.
    """
    missing = "" if can_draw() else f'<p class="note">{_NO_CHARTS}</p>\n'
    body = "\n".join(line for result in results for line in _result(result))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Semantic Media Search: measurements</title><style>{_STYLE}</style></head>\n"
        "<body><h1>Measurements</h1>\n"
        '<p class="note">A figure is the median of its repeats, ± one robust standard deviation; in charts thin lines '
        f"reach from the least repeat to the greatest.</p>\n{missing}{body}\n</body></html>\n"
    )


def report_markdown(results: Sequence[Result]) -> str:
    """Environment and tables of each result, to stand in a document."""
    lines: list[str] = []
    for result in results:
        lines += [f"## media-search benchmark {result.benchmark}", ""]
        lines += [f"{name}: {text}  " for name, text in _facts(result)]
        for section in result.sections:
            lines += ["", f"### {section.title}", "", *section.notes, ""]
            cells = [[cell_text(row.get(column)) for column in section.columns] for row in section.rows]
            table = [section.columns, ["---"] * len(section.columns), *cells]
            lines += ["| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in table]
        lines.append("")
    return "\n".join(lines)


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    """The environment in words."""
    for name, value in result.environment.items():
        yield name, cell_text(Figure.from_json(value)) if isinstance(value, dict) else str(value)


def _result(result: Result) -> Iterator[str]:
    yield f"<h2>media-search benchmark {escape(result.benchmark)}</h2>"
    facts = "; ".join(f"{name} {text}" for name, text in _facts(result))
    yield f'<p class="note">{escape(facts)}</p>'
    for section in result.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield f"<h3>{escape(section.title)}</h3>"
    yield from (f'<p class="note">{escape(note)}</p>' for note in section.notes)
    if can_draw():
        yield '<div class="charts">'
        yield from (draw_svg(chart, section) for chart in section.charts)
        yield "</div>"
    yield f"<table><thead><tr>{_cells('th', section.columns)}</tr></thead><tbody>"
    for row in section.rows:
        yield f"<tr>{_cells('td', [cell_text(row.get(column)) for column in section.columns])}</tr>"
    yield "</tbody></table>"


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)
