"""Sections as lines of text."""

from collections.abc import Iterator
from math import floor, log10

from semantic_media_search.benchmark.engine.figures import Cell, Figure
from semantic_media_search.benchmark.engine.results import Section


def table_lines(section: Section) -> Iterator[str]:
    """Title, notes and rows; a figure is its median with its spread (one robust standard deviation)."""
    yield f"== {section.title}"
    for note in section.notes:
        yield f"   {note}"
    columns = section.columns
    if not columns:
        return
    cells = [[cell_text(row.get(column)) for column in columns] for row in section.rows]
    widths = [max(len(text) for text in column) for column in zip(columns, *cells, strict=True)]
    words = [all(isinstance(row.get(column), str | None) for row in section.rows) for column in columns]
    for line in (columns, *cells):
        aligned = (
            text.ljust(width) if left else text.rjust(width)
            for text, width, left in zip(line, widths, words, strict=True)
        )
        yield "  ".join(aligned).rstrip()


def cell_text(cell: Cell) -> str:
    """One cell: words as they are, numbers to three or four digits."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Figure):
        spread = "" if cell.spread is None else f" ±{100 * cell.spread:.0f}%"
        gap = "" if cell.unit in ("x", "%") or cell.unit.startswith("/") else " "
        return f"{short(cell.value, 3)}{gap}{cell.unit}{spread}"
    return f"{round(cell):,}" if isinstance(cell, int) or abs(cell) >= 1000 else f"{cell:.4g}"


def short(value: float, digits: int) -> str:
    """A number to so many digits, thousands apart."""
    if abs(value) >= 1000:
        return f"{round(value):,}"
    if value == 0:
        return "0"
    places = digits - 1 - floor(log10(abs(value)))
    return f"{value:.{min(max(0, places), 6)}f}"
