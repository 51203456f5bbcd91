"""Work on a range of rows, cut up for several threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def share(work: Callable[[int, int], object], start: int, stop: int, threads: int) -> None:
    """Do `work(first, last)` over a range, cut into a part for each thread."""
    parts = max(1, min(threads, stop - start))
    bounds = [start + (stop - start) * part // parts for part in range(parts + 1)]
    if parts == 1:
        work(start, stop)
        return
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))
