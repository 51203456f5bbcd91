"""Neighbouring frames of one video as one result: a moment, with its best second and how far it reaches."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from semantic_media_search.records import F32, FrameRecord, SearchHit

SPAN_SECONDS = 10.0
"""A frame this close to a better one of the same video belongs to that one's moment."""
_MOST_HITS = 20_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A result: a photo (`start` and `end` are None), or a stretch of a video in seconds around its best frame."""

    hit: SearchHit
    start: float | None = None
    end: float | None = None


def lead_hits(hits: Sequence[SearchHit]) -> Iterator[SearchHit]:
    """The best hit of each moment, best first. A longer list of hits only ever adds moments at the end."""
    taken: dict[str, list[float]] = {}
    for hit in hits:
        video_id, timestamp = hit.frame.video_id, hit.frame.timestamp
        if video_id is None or timestamp is None:
            yield hit
            continue
        near = taken.setdefault(video_id, [])
        if all(abs(timestamp - other) > SPAN_SECONDS for other in near):
            near.append(timestamp)
            yield hit


def page_of_moments(
    search: Callable[[int], list[SearchHit]], offset: int, count: int
) -> tuple[list[SearchHit], bool]:
    """Moments `offset` to `offset + count`, and whether there are more.

    `search(k)` gives the k best frames; it is asked for more until enough moments have come together.
    """
    wanted = offset + count + 1
    asked = wanted * 4 + 16
    while True:
        hits = search(asked)
        leads = list(lead_hits(hits))
        if len(leads) >= wanted or len(hits) < asked or asked >= _MOST_HITS:
            return leads[offset : offset + count], len(leads) > offset + count
        asked = min(_MOST_HITS, asked * 4)


def reach_of(frame: FrameRecord) -> int:
    """How many sampled frames of its video SPAN_SECONDS hold, at least; bounded for very dense sampling."""
    step = frame.interval[1] - frame.interval[0] if frame.interval else 1.0
    return max(4, min(128, math.ceil(SPAN_SECONDS / step))) if step > 0 else 16


def extent(hit: SearchHit, frames: Sequence[FrameRecord], similarities: F32) -> Moment:
    """How far a video's hit reaches to both sides: while frames stay nearer to it than to the video's middle.

    `frames` are the video's, in order of time; `similarities` float32, one for each, NaN where there is none.
    """
    place = next((i for i, frame in enumerate(frames) if frame.frame_id == hit.frame.frame_id), None)
    best_at = hit.frame.timestamp
    if place is None or best_at is None:
        return Moment(hit)
    known = similarities[np.isfinite(similarities)]
    middle = float(np.median(known)) if known.size else hit.similarity
    enough = (hit.similarity + middle) / 2
    start = end = place
    while start > 0 and _belongs(frames[start - 1], similarities[start - 1], best_at, enough):
        start -= 1
    while end + 1 < len(frames) and _belongs(frames[end + 1], similarities[end + 1], best_at, enough):
        end += 1
    return Moment(hit, _start_of(frames[start]), _end_of(frames[end]))


def _belongs(frame: FrameRecord, similarity: np.float32, best_at: float, enough: float) -> bool:
    near = frame.timestamp is not None and abs(frame.timestamp - best_at) <= SPAN_SECONDS
    return near and float(similarity) >= enough


def _start_of(frame: FrameRecord) -> float | None:
    return frame.interval[0] if frame.interval else frame.timestamp


def _end_of(frame: FrameRecord) -> float | None:
    return frame.interval[1] if frame.interval else frame.timestamp
