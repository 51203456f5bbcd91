"""Which M, efConstruction and efSearch suit these vectors."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product

import numpy as np

from semantic_media_search.benchmark.engine.compare import BETTER, verdict
from semantic_media_search.benchmark.engine.figures import Figure, Row, rate, seconds
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.session import Say
from semantic_media_search.benchmark.index.contestants import EF_CONSTRUCTION, M, ours
from semantic_media_search.benchmark.index.curves import (
    Built,
    Line,
    Point,
    build_in_turns,
    curves,
    exact_top,
    seconds_at,
)
from semantic_media_search.benchmark.index.vectors import Vectors

TARGET = 0.98
_MOST_BUILD, _MOST_DISK = 2.0, 1.5
"""A setting is recommended only where it costs at most so many times the default's build time and space."""


def sweep_section(
    vectors: Vectors,
    ms: Sequence[int],
    ef_constructions: Sequence[int],
    rounds: int,
    build_rounds: int,
    say: Say,
) -> Section:
    """Build and search with every pair of settings, in turns; the last note is the recommendation.

    The default is recommended unless another setting is faster at recall TARGET by more than the noise.
    """
    pairs = dict.fromkeys([*product(ms, ef_constructions), (M, EF_CONSTRUCTION)])
    makers = {name(m, ef): partial(ours, m=m, ef_construction=ef) for m, ef in pairs}
    built = build_in_turns(makers, vectors.rows, build_rounds, say)
    exact = exact_top(vectors)
    found = curves({setting: Line(one.contestant, vectors, exact) for setting, one in built.items()}, rounds)
    rows = [_row(setting, built[setting], found[setting], len(vectors.queries)) for setting in makers]
    return Section(
        "sweep",
        f"M, efConstruction and efSearch: {vectors.text}",
        ("setting",),
        rows,
        [recommendation(rows, built)],
        [Chart(f"Queries a second at recall {TARGET}", "setting", "speed")],
    )


def name(m: int, ef_construction: int) -> str:
    """How a pair of settings is called."""
    return f"M={m} efConstruction={ef_construction}"


def recommendation(rows: Sequence[Row], built: Mapping[str, Built]) -> str:
    """The setting to take, in words, and why."""
    default = name(M, EF_CONSTRUCTION)
    of = {str(row["setting"]): row for row in rows}
    base = of[default]["speed"]
    best, best_speed = default, base
    for setting, row in of.items():
        speed = row["speed"]
        if not isinstance(speed, Figure) or not _affordable(built[setting], built[default]):
            continue
        faster = not isinstance(base, Figure) or verdict(base, speed)[2] == BETTER
        if faster and (not isinstance(best_speed, Figure) or speed.value > best_speed.value):
            best, best_speed = setting, speed
    if not isinstance(best_speed, Figure):
        return f"No setting that is affordable reaches recall {TARGET}: the default, {default}, may stay"
    why = (
        "no other that is affordable is faster by more than the noise"
        if best == default
        else "faster than the default"
    )
    return (
        f"Recommended for recall {TARGET}: {best}, efSearch {of[best]['efSearch']} ({why}; affordable is up to "
        f"{_MOST_BUILD:g} times the default's build time and {_MOST_DISK:g} times its size)"
    )


def _affordable(built: Built, default: Built) -> bool:
    in_time = np.median(built.build_seconds) <= _MOST_BUILD * np.median(default.build_seconds)
    return bool(in_time) and (built.disk or 0) <= _MOST_DISK * (default.disk or 0)


def _row(setting: str, built: Built, points: Sequence[Point], queries: int) -> Row:
    took = seconds_at(points, TARGET, "one a call")
    reached = np.maximum.accumulate([point.recall for point in points])
    ef = (
        None if took is None else round(float(np.interp(TARGET, reached, [point.effort for point in points])))
    )
    return {
        "setting": setting,
        "efSearch": ef,
        "speed": None if took is None else rate(queries, took),
        "build": seconds(built.build_seconds),
        "on disk, MB": None if built.disk is None else round(built.disk / 1e6, 1),
    }
