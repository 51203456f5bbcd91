import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from semantic_media_search.records import VIDEO, FrameRecord, SearchHit
from semantic_media_search.search.moments import (
    SPAN_SECONDS,
    Lead,
    extent,
    lead_hits,
    page_of_leads,
    reach_of,
)


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
    leads = [lead.hit for lead in lead_hits(hits, {})]
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
    hashes = {hit.frame.frame_id: (1 << hit.frame.frame_id % 3 * 20) * 0x7FFF for hit in hits}
    whole = lead_hits(hits, hashes)
    paged: list[Lead] = []
    more = True
    while more:
        page = page_of_leads(lambda k: hits[:k], lambda _: hashes, len(paged), size)
        paged += page.leads
        more = page.more
        assert not page.cut
    assert [lead.hit for lead in paged] == [lead.hit for lead in whole]


def test_where_the_frames_that_are_looked_at_end_is_said() -> None:
    hits = [SearchHit(_frame(place, "film", 0.0), 1.0) for place in range(25_000)]
    page = page_of_leads(lambda k: hits[:k], lambda _: {}, 0, 5)
    assert (len(page.leads), page.more, page.cut) == (1, False, True)
    page = page_of_leads(lambda k: hits[:k], lambda _: {}, 0, 1)
    assert (len(page.leads), page.more, page.cut) == (1, False, True)


def test_versions_of_a_photo_stand_behind_the_best_of_them() -> None:
    base = 0xF0F0F0F0F0F0F0F0
    hashes = [
        base,
        ~base % 2**64,
        base ^ 0b111,
        base ^ (0x3FF << 20),
        ~base % 2**64 ^ 1,
        base ^ (0x7FF << 20),
    ]
    hits = [SearchHit(_frame(number, None, None), 1 - number / 10) for number in range(7)]
    leads = lead_hits(hits, dict(enumerate(hashes)))
    assert [(lead.hit.frame.frame_id, lead.copies) for lead in leads] == [
        (0, (2, 3)),
        (1, (4,)),
        (5, ()),
        (6, ()),
    ]


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
