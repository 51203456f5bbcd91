from datetime import datetime

import numpy as np
import pytest

from semantic_media_search.errors import QueryError
from semantic_media_search.records import IMAGE, VIDEO
from semantic_media_search.search.filters import FiledSource, Filters, FrameFacts, folder_id, parse_time


@pytest.fixture
def facts() -> FrameFacts:
    files = [
        FiledSource(5, "/media/a/cat.jpg", IMAGE, "2023-05-31T23:59:59+02:00", 0),
        FiledSource(9, "/media/gone.jpg", IMAGE, None, 0),
        FiledSource(2, "/media/a/b/dog.jpg", IMAGE, "2024-06-01T00:00:00", 0),
        FiledSource(3, "/media/ab/film.mp4", VIDEO, None, 1_704_100_000 * 10**9),
    ]
    return FrameFacts(np.array([0, 1, 2, 3, 4]), np.array([5, 2, -1, 3, 3]), files)


def _rows(facts: FrameFacts, **given: object) -> list[int]:
    mask = facts.mask(Filters(**given))  # type: ignore[arg-type]
    assert mask is not None
    return np.flatnonzero(mask).tolist()


def test_masks_follow_the_files(facts: FrameFacts) -> None:
    assert facts.mask(Filters()) is None
    assert _rows(facts, kind=VIDEO) == [3, 4]
    assert _rows(facts, kind=IMAGE) == [0, 1]
    assert _rows(facts, folder="/media/a") == [0, 1]
    assert _rows(facts, folder=folder_id("/media/a")) == [0, 1]
    assert _rows(facts, folder="b") == [1]
    assert _rows(facts, folder="a/b/") == [1]
    assert _rows(facts, after=datetime(2024, 1, 1)) == [1]
    assert _rows(facts, before=datetime(2023, 5, 31, 23, 59, 59)) == [0]
    assert _rows(facts, kind=VIDEO, after=datetime(1990, 1, 1)) == []


def test_counts_are_of_items(facts: FrameFacts) -> None:
    assert facts.count(Filters()) == 3
    assert facts.count_kinds(Filters(folder="/media/ab")) == {IMAGE: 0, VIDEO: 1}
    assert facts.count_years(Filters()) == {2023: 1, 2024: 1}
    assert [(folder.path, folder.items) for folder in facts.count_folders(Filters(kind=IMAGE))] == [
        ("/media/a", 2),
        ("/media/a/b", 1),
        ("/media/ab", 0),
    ]


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("2024", False, datetime(2024, 1, 1)),
        ("2024", True, datetime(2024, 12, 31, 23, 59, 59)),
        ("2024-02", True, datetime(2024, 2, 29, 23, 59, 59)),
        ("2024-12", True, datetime(2024, 12, 31, 23, 59, 59)),
        ("9999", True, datetime(9999, 12, 31, 23, 59, 59)),
        ("2024-05-31", True, datetime(2024, 5, 31, 23, 59, 59)),
        ("2024-05-31T12:30:00+02:00", True, datetime(2024, 5, 31, 12, 30)),
        ("", False, None),
        (None, False, None),
    ],
)
def test_times_are_read(text: str | None, end: bool, expected: datetime | None) -> None:
    assert parse_time(text, "after", end=end) == expected


@pytest.mark.parametrize(
    "text",
    ["soon", "2024-13", "2024-02-30", "0", "99999", "9999999999", "2024-99999999999", "2024-1-1-1", "²024"],
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(QueryError, match="2024-05-31"):
        parse_time(text, "after")


def test_the_newest_come_first_by_capture_or_else_by_the_files_time(facts: FrameFacts) -> None:
    assert facts.first_frames(Filters()).tolist() == [1, 3, 0]
