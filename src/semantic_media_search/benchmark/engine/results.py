"""What a benchmark found: sections of rows, in one form that every command writes and every reader reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from semantic_media_search.benchmark.engine.figures import Cell, Figure, Row
from semantic_media_search.errors import ConfigError

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Chart:
    """How rows of a section are drawn: column `y` over column `x`, a line for each value of column `series`.

    Where `x` holds words, bars are drawn. `near_1` spreads what lies just below 1 on the x axis, by what is missing.
    `fit` adds the power of x that the points come nearest to.
    """

    title: str
    x: str
    y: str
    series: str = ""
    log_x: bool = False
    log_y: bool = False
    near_1: bool = False
    fit: bool = False


@dataclass(slots=True)
class Section:
    """Rows that belong together. `keys` are the columns that say what a row is of, so that runs can be compared."""

    name: str
    title: str
    keys: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """All columns, in the order in which rows bring them."""
        return list(dict.fromkeys(column for row in self.rows for column in row))

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "name": self.name,
            "title": self.title,
            "keys": list(self.keys),
            "rows": [{column: _plain(cell) for column, cell in row.items()} for row in self.rows],
            "notes": self.notes,
            "charts": [asdict(chart) for chart in self.charts],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Take back `to_json`."""
        return cls(
            stored["name"],
            stored["title"],
            tuple(stored["keys"]),
            [{column: _cell(value) for column, value in row.items()} for row in stored["rows"]],
            list(stored["notes"]),
            [Chart(**chart) for chart in stored["charts"]],
        )


@dataclass(slots=True)
class Result:
    """One run of one benchmark: where and with what (`environment`), and what it found.

    `further` are keys of the file that no reader here needs.
    """

    benchmark: str
    environment: dict[str, Any]
    sections: list[Section] = field(default_factory=list)
    further: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the result as JSON, beside its place first."""
        document = self.further | {
            "schema": SCHEMA,
            "benchmark": self.benchmark,
            "environment": self.environment,
            "sections": [section.to_json() for section in self.sections],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".new")
        beside.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        beside.replace(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a result. Raises ConfigError for a file that is none."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["schema"] != SCHEMA:
                raise ConfigError(f"{path} has schema {stored['schema']!r}; this program reads {SCHEMA}")
            sections = [Section.from_json(section) for section in stored["sections"]]
            return cls(stored["benchmark"], stored["environment"], sections)
        except OSError as error:
            raise ConfigError(f"cannot read the result {path}: {error.strerror}") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path} is no result of `media-search benchmark` ({type(error).__name__}: {error}); "
                "name a file that one of its commands wrote with --output"
            ) from error


def _plain(cell: Cell) -> Any:
    return cell.to_json() if isinstance(cell, Figure) else cell


def _cell(value: Any) -> Cell:
    if isinstance(value, Mapping):
        return Figure.from_json(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a cell holds {value!r}")
