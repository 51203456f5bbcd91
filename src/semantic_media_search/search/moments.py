"""What a person would call one result: neighbouring frames of a video, and copies of a photo.

Of a video's moment the best second is shown, with how far it reaches; of photos that are versions of one picture (a
burst, an edited copy) the best match, with the others behind it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from semantic_media_search.records import F32, FrameRecord, SearchHit

SPAN_SECONDS = 10.0
"""A frame this close to a better one of the same video belongs to that one's moment."""
COPY_BITS = 10
"""Up to this many of 64 differing bits two photos count as versions of one picture (docs/decisions/0402)."""
_MOST_HITS = 20_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A result: a photo (`start` and `end` are None), or a stretch of a video in seconds around its best frame."""

    hit: SearchHit
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """The best hit of a group, and the frame_ids of the photos that are versions of the same picture, best first."""

    hit: SearchHit
    copies: tuple[int, ...] = ()


def lead_hits(hits: Sequence[SearchHit], hashes: Mapping[int, int]) -> list[Lead]:
    """The best hit of each group, best first. A longer list of hits only ever adds leads at the end, and copies.

    `hashes` are perceptual hashes of 64 bits by frame_id; a photo without one stands alone.
    """
    groups: list[tuple[SearchHit, list[int]]] = []
    taken: dict[str, list[float]] = {}
    led = np.empty(
        len(hits), dtype=np.uint64
    )  # the hashes that lead, and in `places` the groups that they lead
    places: list[int] = []
    for hit in hits:
        frame = hit.frame
        if frame.video_id is not None and frame.timestamp is not None:
            near = taken.setdefault(frame.video_id, [])
            if any(abs(frame.timestamp - other) <= SPAN_SECONDS for other in near):
                continue
            near.append(frame.timestamp)
        elif frame.frame_id in hashes:
            phash = np.uint64(hashes[frame.frame_id])
            same = np.flatnonzero(np.bitwise_count(led[: len(places)] ^ phash) <= COPY_BITS)
            if same.size:
                groups[places[same[0]]][1].append(frame.frame_id)
                continue
            led[len(places)] = phash
            places.append(len(groups))
        groups.append((hit, []))
    return [Lead(hit, tuple(copies)) for hit, copies in groups]


@dataclass(frozen=True, slots=True)
class PageOfLeads:
    """Some leads, whether there are more, and whether there may be more beyond the frames that are looked at."""

    leads: list[Lead]
    more: bool = False
    cut: bool = False


def page_of_leads(
    search: Callable[[int], list[SearchHit]],
    hashes: Callable[[list[int]], Mapping[int, int]],
    offset: int,
    count: int,
) -> PageOfLeads:
    """Leads `offset` to `offset + count`; no more than the best 20,000 frames are looked at for them.

    `search(k)` gives the k best frames; it is asked for more until enough groups have come together. `hashes`
    gives the perceptual hashes of photos, by frame_id.
    """
    wanted = offset + count + 1
    asked = wanted * 4 + 16
    while True:
        hits = search(asked)
        leads = lead_hits(hits, hashes([hit.frame.frame_id for hit in hits if hit.frame.video_id is None]))
        enough, all_seen = len(leads) >= wanted, len(hits) < asked
        if enough or all_seen or asked >= _MOST_HITS:
            return PageOfLeads(leads[offset : offset + count], enough, not enough and not all_seen)
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
