"""Results of a benchmark, made up."""

import numpy as np

from semantic_media_search.benchmark.engine.figures import Figure
from semantic_media_search.benchmark.engine.results import Result, Section


def around(value: float, unit: str = "s", *, more: bool = False, seed: int = 0) -> Figure:
    noise = np.random.default_rng(seed).normal(0, 0.01, 7)
    return Figure(tuple(value * (1 + noise)), unit, more)


def result(value: float, plain: float = 1.0, benchmark: str = "index", fixed: float = 1.0) -> Result:
    section = Section("part", "Part", ("name",), [{"name": "one", "time": around(value), "size": plain}])
    section.rows.append({"name": f"only in {value}", "time": around(1)})
    return Result(benchmark, {"calibration": around(fixed).to_json()}, [section])
