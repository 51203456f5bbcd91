"""What a person would call one result: neighbouring frames of a video, and copies of a photo.

Of a video's moment the best second is shown, with how far it reaches; of photos that are versions of one picture (a
burst, an edited copy) the best match, with the others behind it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from semantic_media_search.records import F32, FrameRecord, Instant

SPAN_SECONDS = 10.0
"""A frame this close to a better one of the same video belongs to that one's moment."""
COPY_BITS = 10
"""Up to this many of 64 differing bits two photos count as versions of one picture (docs/decisions/0402)."""
_MOST_FRAMES = 20_000


Found: TypeAlias = tuple[int, float]
"""A frame_id and its raw cosine similarity."""


@dataclass(frozen=True, slots=True)
class Lead:
    """The best frame of a group, and the frame_ids of the photos that are versions of the same picture, best first."""

    frame_id: int
    similarity: float
    copies: tuple[int, ...] = ()


def lead_frames(found: Sequence[Found], instants: Mapping[int, Instant]) -> list[Lead]:
    """The best frame of each group, best first. More of what was found only ever adds leads at the end, and copies.

    `instants` are by frame_id; a frame without one is not there any more and is left out.
    """
    groups: list[tuple[Found, list[int]]] = []
    taken: dict[int, list[float]] = {}
    # The hashes that lead, and in `places` the groups that they lead.
    led = np.empty(len(found), dtype=np.uint64)
    places: list[int] = []
    for frame_id, similarity in found:
        instant = instants.get(frame_id)
        if instant is None:
            continue
        if instant.timestamp is not None:
            near = taken.setdefault(instant.source_id, [])
            if any(abs(instant.timestamp - other) <= SPAN_SECONDS for other in near):
                continue
            near.append(instant.timestamp)
        else:
            phash = np.uint64(instant.phash)
            same = np.flatnonzero(np.bitwise_count(led[: len(places)] ^ phash) <= COPY_BITS)
            if same.size:
                groups[places[same[0]]][1].append(frame_id)
                continue
            led[len(places)] = phash
            places.append(len(groups))
        groups.append(((frame_id, similarity), []))
    return [Lead(*best, tuple(copies)) for best, copies in groups]


@dataclass(frozen=True, slots=True)
class PageOfLeads:
    """Some leads, whether there are more, and whether there may be more beyond the frames that are looked at."""

    leads: list[Lead]
    more: bool = False
    cut: bool = False


def page_of_leads(
    search: Callable[[int], list[Found]],
    instants: Callable[[list[int]], Mapping[int, Instant]],
    offset: int,
    count: int,
) -> PageOfLeads:
    """Leads `offset` to `offset + count`; no more than the best 20,000 frames are looked at for them.

    `search(k)` gives the k best frames; it is asked for more until enough groups have come together. `instants`
    gives what is known of frames, by frame_id.
    """
    wanted = offset + count + 1
    asked = wanted * 4 + 16
    while True:
        found = search(asked)
        leads = lead_frames(found, instants([frame_id for frame_id, _ in found]))
        enough, all_seen = len(leads) >= wanted, len(found) < asked
        if enough or all_seen or asked >= _MOST_FRAMES:
            return PageOfLeads(leads[offset : offset + count], enough, not enough and not all_seen)
        asked = min(_MOST_FRAMES, asked * 4)


def reach_of(frame: FrameRecord) -> int:
    """How many sampled frames of its video SPAN_SECONDS hold, at least; bounded for very dense sampling."""
    step = frame.interval[1] - frame.interval[0] if frame.interval else 1.0
    return max(4, min(128, math.ceil(SPAN_SECONDS / step))) if step > 0 else 16


def extent(lead: Lead, instants: Sequence[Instant], similarities: F32) -> tuple[float | None, float | None]:
    """From where to where a video's moment reaches, in seconds: while frames match it better than its middle.

    `instants` are the video's around it, in order of time; `similarities` float32, one for each, NaN where there is
    none. (None, None) where the lead is not among them.
    """
    place = next((i for i, instant in enumerate(instants) if instant.frame_id == lead.frame_id), None)
    best_at = None if place is None else instants[place].timestamp
    if place is None or best_at is None:
        return None, None
    known = similarities[np.isfinite(similarities)]
    middle = float(np.median(known)) if known.size else lead.similarity
    enough = (lead.similarity + middle) / 2
    start = end = place
    while start > 0 and _belongs(instants[start - 1], similarities[start - 1], best_at, enough):
        start -= 1
    while end + 1 < len(instants) and _belongs(instants[end + 1], similarities[end + 1], best_at, enough):
        end += 1
    return _span(instants[start])[0], _span(instants[end])[1]


def _belongs(instant: Instant, similarity: np.float32, best_at: float, enough: float) -> bool:
    near = instant.timestamp is not None and abs(instant.timestamp - best_at) <= SPAN_SECONDS
    return near and float(similarity) >= enough


def _span(instant: Instant) -> tuple[float | None, float | None]:
    return instant.interval or (instant.timestamp, instant.timestamp)
