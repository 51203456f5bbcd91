"""Timing jobs in turns, so that what else the machine does meets all of them alike."""

import time
from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import TypeVar

Name = TypeVar("Name")


def in_turns(
    jobs: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: bool = True, at_least: float = 0.0
) -> dict[str, list[float]]:
    """Seconds that each job took in each of `rounds` rounds, in which every job has its turn once.

    The job that goes first changes from round to round. `warm_up` runs each once before the clock counts; with it
    a job that takes less than `at_least` seconds is done so often at each turn that it takes about as long, and
    the seconds are those of once.
    """
    names = list(jobs)
    often = dict.fromkeys(names, 1)
    if warm_up:
        for name in names:
            jobs[name]()
            if at_least:
                often[name] = max(1, ceil(at_least / max(seconds_of(jobs[name]), 1e-9)))
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in turns(names, number):
            began = time.perf_counter()
            for _ in range(often[name]):
                jobs[name]()
            times[name].append((time.perf_counter() - began) / often[name])
    return times


def turns(names: Iterable[Name], number: int) -> list[Name]:
    """The order of a round's turns: from round to round another goes first, and each comes after another.

    Over as many rounds as there are names (twice as many where their number is odd) each follows each of the others
    equally often (E. J. Williams, 1949), as the job before leaves the caches warm or cold.
    """
    held = list(names)
    count = max(1, len(held))
    places = [(step + 1) // 2 if step % 2 else -(step // 2) for step in range(len(held))]
    if count % 2 and number // count % 2:
        places.reverse()
    return [held[(place + number) % count] for place in places]


def seconds_of(job: Callable[[], object]) -> float:
    """How long a job takes, once."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began
