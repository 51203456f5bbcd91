"""Work done by several threads, results taken in order.

Each job is an iterator (one image gives one item, a video many). Up to `workers` jobs run at once, each into a
bounded buffer of its own; the consumer sees all items of job 0, then of job 1, and so on. So what is stored does
not depend on which thread was faster, and memory does not grow with the work.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.2


class _End:
    """The job is over, well or by an error that the consumer is to see."""

    def __init__(self, error: BaseException | None):
        self.error = error


class _Job(Generic[T]):
    """One job: its items in order, through a bounded buffer."""

    def __init__(self, make: Callable[[], Iterable[T]], buffer: int, stopped: threading.Event):
        self._make = make
        self._stopped = stopped
        self._items: Queue[T | _End] = Queue(maxsize=buffer)

    def run(self) -> None:
        """Do the job; runs in a worker thread."""
        end = _End(None)
        try:
            for item in self._make():
                if not self._put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - handed on to the consumer, whatever it is
            end = _End(error)
        self._put(end)

    def _put(self, item: T | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self._items.put(item, timeout=_POLL_SECONDS)
            except Full:
                continue
            return True
        return False

    def results(self) -> Iterator[T]:
        """The items, as they come; raises what the job raised."""
        while True:
            try:
                item = self._items.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item


def ordered(
    jobs: Iterable[Callable[[], Iterable[T]]],
    workers: int,
    *,
    ahead: int,
    buffer: int,
    interrupt: Callable[[], None] = lambda: None,
) -> Generator[T]:
    """Yield every item of every job, in the order of the jobs, from `workers` threads.

    At most `ahead` jobs are begun or done before their turn, each with at most `buffer` items waiting. An error
    in a job is raised when its turn comes; the remaining jobs are then dropped, as they are when the consumer
    stops early (by closing this generator). `interrupt` is called then, so that no job under way is waited for long.
    """
    stopped = threading.Event()
    waiting: deque[_Job[T]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="media")
    try:
        for make in jobs:
            job = _Job(make, buffer, stopped)
            waiting.append(job)
            pool.submit(job.run)
            if len(waiting) >= ahead:
                yield from waiting.popleft().results()
        while waiting:
            yield from waiting.popleft().results()
    except BaseException:
        stopped.set()
        interrupt()
        raise
    finally:
        stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)
