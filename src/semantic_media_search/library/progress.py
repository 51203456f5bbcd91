"""How long work reports what it is doing, without knowing whether anyone looks."""

from typing import Protocol


class Progress(Protocol):
    """One stage at a time: `start` names it, `advance` moves it on, `finish` ends it."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins; `total` in `unit`s, None where nobody knows."""
        ...

    def advance(self, amount: int = 1) -> None:
        """So many units more are done."""
        ...

    def finish(self) -> None:
        """The stage is over."""
        ...

    def note(self, text: str) -> None:
        """Something that the person should read, at any time."""
        ...


class Silent:
    """Reports to nobody."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Nothing."""

    def advance(self, amount: int = 1) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""
