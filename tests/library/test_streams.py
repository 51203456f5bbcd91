import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from semantic_media_search.library.streams import ordered


def _count(start: int, length: int, delay: float = 0.0) -> Iterator[int]:
    for number in range(start, start + length):
        time.sleep(delay)
        yield number


def test_items_come_in_the_order_of_the_jobs_however_long_each_takes() -> None:
    delays = [0.02, 0.0, 0.01, 0.0, 0.0]
    jobs = [partial(_count, 10 * i, 4, delay) for i, delay in enumerate(delays)]
    expected = [10 * i + j for i in range(5) for j in range(4)]
    assert list(ordered(jobs, 3, ahead=4, buffer=2)) == expected


def test_jobs_run_beside_one_another() -> None:
    barrier = threading.Barrier(2, timeout=5)

    def meet() -> Iterator[bool]:
        barrier.wait()
        yield True

    assert list(ordered([meet, meet], 2, ahead=2, buffer=1)) == [True, True]


def test_an_error_is_raised_when_its_turn_comes_and_stops_the_rest() -> None:
    seen = []

    def fail() -> Iterator[int]:
        yield 7
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        seen.extend(ordered([partial(_count, 0, 2), fail, partial(_count, 100, 1000)], 2, ahead=3, buffer=1))
    assert seen == [0, 1, 7]
    assert threading.active_count() < 20


def test_memory_is_bounded_by_ahead_and_buffer() -> None:
    made = []

    def job(number: int) -> Iterator[int]:
        for item in range(100):
            made.append((number, item))
            yield item

    stream = ordered([partial(job, n) for n in range(50)], 2, ahead=4, buffer=3)
    next(stream)
    time.sleep(0.3)
    assert len(made) <= 4 * (3 + 2)
    stream.close()


def test_a_consumer_that_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    stream = ordered([partial(_count, 0, 10**9) for _ in range(4)], 2, ahead=4, buffer=2)
    assert next(stream) == 0
    stream.close()
    assert threading.active_count() == before


def test_an_interrupt_reaches_jobs_that_wait() -> None:
    released = threading.Event()

    def job() -> Iterator[int]:
        yield 1
        released.wait(30)

    stream = ordered([job, job], 2, ahead=2, buffer=1, interrupt=released.set)
    assert next(stream) == 1
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 10
    assert released.is_set()


def test_a_stream_that_ends_by_itself_interrupts_nothing() -> None:
    called = threading.Event()
    assert list(ordered([partial(_count, 0, 3)], 1, ahead=1, buffer=1, interrupt=called.set)) == [0, 1, 2]
    assert not called.is_set()
