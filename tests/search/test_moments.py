import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from semantic_media_search.records import VIDEO, FrameRecord, SearchHit
from semantic_media_search.search.moments import SPAN_SECONDS, extent, lead_hits, page_of_moments, reach_of


def _frame(frame_id: int, video_id: str | None, second: float | None) -> FrameRecord:
    kind = {"kind": VIDEO, "interval": (second - 0.5, second + 0.5)} if second is not None else {}
    return FrameRecord(frame_id, video_id, "f.jpg", second, 64, 48, f"{video_id}.mp4", **kind)  # type: ignore[arg-type]


_HITS = st.lists(
    st.tuples(st.sampled_from([None, "vid_01", "vid_02"]), st.integers(0, 120)), unique=True, max_size=60
).map(
    lambda found: [
        SearchHit(_frame(place, video, None if video is None else float(second)), 1 - place / 100)
        for place, (video, second) in enumerate(found)
    ]
)


@given(_HITS)
def test_no_two_moments_of_a_video_are_near_and_every_hit_is_in_one(hits: list[SearchHit]) -> None:
    leads = list(lead_hits(hits))
    assert [hit.similarity for hit in leads] == sorted((hit.similarity for hit in leads), reverse=True)
    for hit in hits:
        near = [
            lead
            for lead in leads
            if lead.frame.video_id == hit.frame.video_id is not None
            and abs((lead.frame.timestamp or 0) - (hit.frame.timestamp or 0)) <= SPAN_SECONDS
        ]
        if hit.frame.video_id is None:
            assert hit in leads
        elif hit in leads:
            assert near == [hit]
        else:
            assert near[0].similarity > hit.similarity


@given(_HITS, st.integers(1, 7))
def test_pages_are_slices_of_the_whole(hits: list[SearchHit], size: int) -> None:
    whole = list(lead_hits(hits))
    paged: list[SearchHit] = []
    more = True
    while more:
        page, more = page_of_moments(lambda k: hits[:k], len(paged), size)
        paged += page
    assert paged == whole


def test_a_moment_reaches_as_far_as_its_frames_match() -> None:
    frames = [_frame(number, "vid_01", float(number)) for number in range(30)]
    similarities = np.full(30, 0.1, dtype=np.float32)
    similarities[10:14] = (0.8, 0.9, 0.85, 0.8)
    moment = extent(SearchHit(frames[11], 0.9), frames, similarities)
    assert (moment.start, moment.end) == (9.5, 13.5)
    similarities[14] = np.nan
    assert extent(SearchHit(frames[11], 0.9), frames, similarities).end == 13.5
    assert extent(SearchHit(_frame(99, None, None), 0.9), [], similarities[:0]).start is None


def test_reach_covers_the_span_at_any_sampling() -> None:
    assert reach_of(_frame(1, "vid_01", 5.0)) >= SPAN_SECONDS
    assert reach_of(FrameRecord(1, "v", "f", 1.0, 1, 1, "s", interval=(1.0, 1.0))) > 0
