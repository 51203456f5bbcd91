import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from semantic_media_search.records import VIDEO, FrameRecord, Instant
from semantic_media_search.search.moments import (
    SPAN_SECONDS,
    Found,
    Lead,
    extent,
    lead_frames,
    page_of_leads,
    reach_of,
)


def _instant(frame_id: int, source_id: int, second: float | None, phash: int = 0) -> Instant:
    interval = None if second is None else (second - 0.5, second + 0.5)
    return Instant(frame_id, source_id, second, interval, phash)


def _found(instants: list[Instant]) -> list[Found]:
    return [(instant.frame_id, 1 - place / 100) for place, instant in enumerate(instants)]


def _by_id(instants: list[Instant]) -> dict[int, Instant]:
    return {instant.frame_id: instant for instant in instants}


_PHOTO = 0
_INSTANTS = st.lists(
    st.tuples(st.sampled_from([_PHOTO, 1, 2]), st.integers(0, 120)), unique=True, max_size=60
).map(
    lambda found: [
        _instant(place, 100 + place, None, phash=second * 0x0123_4567_89AB_CDEF % 2**64)
        if source == _PHOTO
        else _instant(place, source, float(second))
        for place, (source, second) in enumerate(found)
    ]
)


@given(_INSTANTS)
def test_no_two_moments_of_a_video_are_near_and_every_frame_is_in_one(instants: list[Instant]) -> None:
    leads = lead_frames(_found(instants), _by_id(instants))
    assert [lead.similarity for lead in leads] == sorted((lead.similarity for lead in leads), reverse=True)
    led = {lead.frame_id for lead in leads}
    behind = {other for lead in leads for other in lead.copies}
    for instant in instants:
        if instant.timestamp is None:
            assert (instant.frame_id in led) != (instant.frame_id in behind)
            continue
        near = [
            lead
            for lead in leads
            if instants[lead.frame_id].source_id == instant.source_id
            and abs((instants[lead.frame_id].timestamp or 0) - instant.timestamp) <= SPAN_SECONDS
        ]
        if instant.frame_id in led:
            assert [lead.frame_id for lead in near] == [instant.frame_id]
        else:
            assert near[0].frame_id < instant.frame_id


@given(_INSTANTS, st.integers(1, 7))
def test_pages_are_slices_of_the_whole(instants: list[Instant], size: int) -> None:
    found, known = _found(instants), _by_id(instants)
    whole = lead_frames(found, known)
    paged: list[Lead] = []
    more = True
    while more:
        page = page_of_leads(lambda k: found[:k], lambda _: known, len(paged), size)
        paged += page.leads
        more = page.more
        assert not page.cut
    assert [lead.frame_id for lead in paged] == [lead.frame_id for lead in whole]


def test_where_the_frames_that_are_looked_at_end_is_said() -> None:
    film = [_instant(place, 1, 0.0) for place in range(25_000)]
    found, known = _found(film), _by_id(film)
    page = page_of_leads(lambda k: found[:k], lambda _: known, 0, 5)
    assert (len(page.leads), page.more, page.cut) == (1, False, True)
    page = page_of_leads(lambda k: found[:k], lambda _: known, 0, 1)
    assert (len(page.leads), page.more, page.cut) == (1, False, True)


def test_frames_that_have_gone_leave_no_gap_and_do_not_end_the_list() -> None:
    photos = [_instant(place, place, None, phash=0x7FFF << 15 * place) for place in range(4)]
    found = _found(photos) + [(99, 0.1)] * 400
    page = page_of_leads(lambda k: found[:k], lambda _: _by_id(photos[1:]), 0, 2)
    assert ([lead.frame_id for lead in page.leads], page.more) == ([1, 2], True)


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
    photos = [_instant(number, number, None, phash) for number, phash in enumerate(hashes)]
    leads = lead_frames(_found(photos), _by_id(photos))
    assert [(lead.frame_id, lead.copies) for lead in leads] == [(0, (2, 3)), (1, (4,)), (5, ())]


def test_a_moment_reaches_as_far_as_its_frames_match() -> None:
    film = [_instant(number, 1, float(number)) for number in range(30)]
    similarities = np.full(30, 0.1, dtype=np.float32)
    similarities[10:14] = (0.8, 0.9, 0.85, 0.8)
    assert extent(Lead(11, 0.9), film, similarities) == (9.5, 13.5)
    similarities[14] = np.nan
    assert extent(Lead(11, 0.9), film, similarities) == (9.5, 13.5)
    assert extent(Lead(99, 0.9), [], similarities[:0]) == (None, None)


def test_reach_covers_the_span_at_any_sampling() -> None:
    assert reach_of(_frame(5.0, (4.5, 5.5))) >= SPAN_SECONDS
    assert reach_of(_frame(1.0, (1.0, 1.0))) > 0


def _frame(second: float, interval: tuple[float, float]) -> FrameRecord:
    return FrameRecord(1, "vid_01", "f.jpg", second, 64, 48, "film.mp4", VIDEO, interval)
