"""One run of a benchmark command: prints each section as it is found, and keeps it in the result's file."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.engine.figures import Figure
from semantic_media_search.benchmark.engine.results import Result, Section
from semantic_media_search.benchmark.engine.tables import cell_text, table_lines
from semantic_media_search.benchmark.engine.timing import seconds_of
from semantic_media_search.benchmark.environment import environment
from semantic_media_search.errors import ConfigError

Say = Callable[[str], None]

_CALIBRATION_SIDE = 512
_CALIBRATION_REPEATS = 5


class Session:
    """Collects sections; each is printed and written at once, so that a run cut short keeps what it has.

    A fixed job is timed at the start and after each section. Its times show how much the machine itself changed
    within the run, and between two runs.
    """

    def __init__(self, benchmark: str, say: Say, output: Path, **facts: object):
        """Say what is measured where. `facts` are further things that decide the figures (model, N, seeds, ...).

        Raises ConfigError where the result could not be written in the end.
        """
        require_writable(output)
        where = environment(**facts) | {"load": _load()}
        self.result = Result(benchmark, where)
        self.output = output
        self.say = say
        self._calibration = _calibrate()
        first = ("date", "processor", "cores", "load")
        say(f"{where['date']}  {where['processor']}, {where['cores']} cores, load {where['load']}")
        say(", ".join(f"{name} {value}" for name, value in where.items() if name not in first))

    def add(self, section: Section) -> Section:
        """Print and keep a section, and draw its charts beside the result's file where that can be done."""
        self.say("")
        for line in table_lines(section):
            self.say(line)
        self.result.sections.append(section)
        self._calibration += _calibrate()
        self.result.environment["calibration"] = Figure(tuple(self._calibration), "s").to_json()
        self.result.write(self.output)
        if section.charts:
            self._draw(section)
        return section

    def close(self) -> None:
        """Say how steady the machine was and where the result lies."""
        steady = Figure(tuple(self._calibration), "s")
        self.result.environment["load_after"] = _load()
        self.result.write(self.output)
        self.say(f"\nA fixed job took {cell_text(steady)} during this run. Written to {self.output}")

    def _draw(self, section: Section) -> None:
        from semantic_media_search.benchmark.engine.charts import can_draw, draw_png

        if not can_draw():
            self.say("   (no chart: `pip install matplotlib` draws one)")
            return
        for number, chart in enumerate(section.charts):
            suffix = f"-{number + 1}" if len(section.charts) > 1 else ""
            place = self.output.with_name(f"{self.output.stem}-{section.name}{suffix}.png")
            place.write_bytes(draw_png(chart, section))


def require_writable(output: Path) -> None:
    """Find out before an hour of measuring, not after it. Raises ConfigError where no file can be written there."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
        if output.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
    except OSError as error:
        raise ConfigError(
            f"cannot write the result to {output}: {error.strerror}; choose another --output"
        ) from error


def _load() -> float | None:
    """How many processes wanted to run in the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _calibrate() -> list[float]:
    """Seconds of a fixed job that uses arithmetic and memory, one thread."""
    numbers = np.random.default_rng(0).standard_normal((_CALIBRATION_SIDE, 1024)).astype(np.float32)

    def job() -> None:
        for _ in range(8):
            np.sort(numbers, axis=1)

    return [seconds_of(job) for _ in range(_CALIBRATION_REPEATS)]
