"""When each stage of the library's work began and ended."""

import time


class StageClock:
    """A progress display that shows nothing and keeps the times of the stages, in seconds of the monotonic clock."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self._stage = ""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins."""
        del total, unit
        self._stage = stage
        self.began.setdefault(stage, time.perf_counter())

    def advance(self, amount: int = 1) -> None:
        """Nothing."""

    def finish(self) -> None:
        """The stage is over."""
        self.ended[self._stage] = time.perf_counter()

    def note(self, text: str) -> None:
        """Nothing."""

    def seconds(self, stage: str) -> float:
        """How long a stage took. Raises KeyError where it did not run."""
        return self.ended[stage] - self.began[stage]
