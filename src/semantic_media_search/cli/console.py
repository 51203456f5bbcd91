"""What a person sees: bars with rate and time left on a terminal, plain lines elsewhere, results on stdout."""

import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, TaskID

_PLAIN_EVERY_SECONDS = 30.0


class Console:
    """Results go to stdout, everything else to stderr; `quiet` leaves only results and errors."""

    def __init__(self, *, quiet: bool = False, out: TextIO | None = None, err: TextIO | None = None):
        self.quiet = quiet
        self._out = out or sys.stdout
        self._err = err or sys.stderr

    def result(self, text: str) -> None:
        """Print what was asked for."""
        self._out.write(text + "\n")

    def info(self, text: str) -> None:
        """Tell the person something on the way."""
        if text and not self.quiet:
            self._err.write(text + "\n")
            self._err.flush()

    def error(self, text: str) -> None:
        """Tell the person what went wrong."""
        self._err.write(f"media-search: {text}\n")
        self._err.flush()

    def progress(self) -> "StageProgress":
        """A progress display for this console."""
        if self.quiet:
            return StageProgress(self)
        return BarProgress(self, self._err) if self._err.isatty() else PlainProgress(self)


class StageProgress:
    """Shows nothing; the base of the displays that do."""

    def __init__(self, console: Console):
        self._console = console
        self._stage, self._unit = "", ""
        self._total: int | None = None
        self._done = 0
        self._began = 0.0

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins."""
        self._stage, self._total, self._unit = stage, total, unit
        self._done, self._began = 0, time.monotonic()

    def advance(self, amount: int = 1) -> None:
        """So many units more are done."""
        self._done += amount

    def finish(self) -> None:
        """The stage is over."""

    def close(self) -> None:
        """Leave the terminal in order, also in the middle of a stage."""

    def note(self, text: str) -> None:
        """Something to read, at any time."""
        self._console.info(text)


class PlainProgress(StageProgress):
    """A line when a long stage goes on and one when it ends: for logs and pipes."""

    def __init__(self, console: Console):
        super().__init__(console)
        self._last = 0.0

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins."""
        super().start(stage, total, unit)
        self._last = self._began

    def advance(self, amount: int = 1) -> None:
        """So many units more are done."""
        super().advance(amount)
        now = time.monotonic()
        if now - self._last >= _PLAIN_EVERY_SECONDS:
            self._last = now
            self._console.info(f"{self._stage}: {self._how_far(now - self._began)}")

    def _how_far(self, seconds: float) -> str:
        rate = self._done / max(seconds, 1e-9)
        if self._total is None or not rate:
            return f"{self._done} {self._unit} ({rate:.1f} a second)"
        left = timedelta(seconds=round((self._total - self._done) / rate))
        return f"{self._done} of {self._total} {self._unit} ({rate:.1f} a second, about {left} left)"

    def finish(self) -> None:
        """The stage is over."""
        seconds = max(time.monotonic() - self._began, 1e-9)
        if self._total is None:
            self._console.info(f"{self._stage}: done in {seconds:.1f} s")
        else:
            rate = self._done / seconds
            self._console.info(
                f"{self._stage}: {self._done} {self._unit} in {seconds:.1f} s ({rate:.1f} a second)"
            )


def _columns(total: int | None, unit: str) -> "tuple[ProgressColumn, ...]":
    """How far, how fast and how long yet, in the unit's own way."""
    from rich import progress

    if total is None:
        return (progress.TextColumn(unit), progress.TimeElapsedColumn())
    left = progress.TimeRemainingColumn()
    if unit == "bytes":
        return (progress.DownloadColumn(), progress.TransferSpeedColumn(), left)
    rate = progress.TextColumn("{task.fields[rate]}")
    return (progress.MofNCompleteColumn(), progress.TextColumn(unit), rate, left)


class BarProgress(StageProgress):
    """One bar a stage, with count, rate and time left, for a terminal."""

    def __init__(self, console: Console, stream: TextIO):
        super().__init__(console)
        self._stream = stream
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins."""
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn

        super().start(stage, total, unit)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *_columns(total, unit),
            console=RichConsole(file=self._stream),
        )
        self._bar.start()
        self._task = self._bar.add_task(stage, total=total, unit=unit, rate="")

    def advance(self, amount: int = 1) -> None:
        """So many units more are done."""
        super().advance(amount)
        if self._bar is not None and self._task is not None:
            rate = self._done / max(time.monotonic() - self._began, 1e-9)
            self._bar.update(self._task, advance=amount, rate=f"{rate:.1f}/s")

    def finish(self) -> None:
        """The stage is over."""
        if self._bar is not None and self._task is not None and self._total is None:
            self._bar.update(self._task, total=1, completed=1)
        self.close()

    def close(self) -> None:
        """Leave the terminal in order, also in the middle of a stage."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def note(self, text: str) -> None:
        """Something to read, at any time; the bar moves out of its way."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            super().note(text)
