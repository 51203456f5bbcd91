import sqlite3
from pathlib import Path

import pytest

from semantic_media_search.errors import LibraryCorruptError, LibraryNotFoundError
from semantic_media_search.ingest.catalog import CATALOG_NAME, Catalog, FrameRow, Source
from semantic_media_search.records import ModelInfo

MODEL = ModelInfo("colours", "1", "f00d", 8)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create(tmp_path, tmp_path / "frames")


def _source(catalog: Catalog, path: str = "/photos/a.jpg", **facts: object) -> int:
    root = catalog.add_root("/photos", None)
    return catalog.put_source(Source(None, root, path, "image", 10, 20, "abc", **facts))  # type: ignore[arg-type]


def _frame(frame_id: int, phash: int = 0) -> FrameRow:
    return FrameRow(frame_id, 1.5, (1.0, 2.0), 640, 480, phash)


def test_a_new_catalogue_counts_nothing(catalog: Catalog) -> None:
    assert catalog.last_commit().next_frame == 0
    assert catalog.last_commit().generation is None
    assert catalog.frame_count() == 0


def test_what_is_stored_comes_back_with_its_source(catalog: Catalog, tmp_path: Path) -> None:
    source_id = _source(
        catalog, captured_at="2020-01-02T03:04:05", camera="Canon EOS 5D", latitude=1.0, longitude=2.0
    )
    catalog.add_frames(source_id, [_frame(0, phash=2**64 - 1)])
    frame = catalog.frame(0)
    assert frame is not None
    assert frame.source_path == "/photos/a.jpg"
    assert (frame.timestamp, frame.interval, frame.gps) == (1.5, (1.0, 2.0), (1.0, 2.0))
    assert frame.frame_path == (tmp_path / "frames" / "0.jpg").as_posix()
    assert frame.to_json()["captured_at"] == "2020-01-02T03:04:05"


def test_frames_taken_out_are_not_found_and_can_come_back(catalog: Catalog) -> None:
    source_id = _source(catalog)
    catalog.add_frames(source_id, [_frame(0), _frame(1)])
    assert catalog.hide_frames(source_id) == 2
    assert catalog.frame(0) is None
    assert catalog.frame_count() == 0
    assert catalog.removed_frames() == [0, 1]
    assert catalog.revive_frames(source_id) == 2
    assert [frame.frame_id for frame in catalog.frames([1, 7, 0])] == [1, 0]


def test_more_frames_than_sqlite_takes_in_one_question(catalog: Catalog) -> None:
    source_id = _source(catalog)
    catalog.add_frames(source_id, [_frame(number) for number in range(2_500)])
    wanted = list(range(2_499, -1, -1))
    assert [frame.frame_id for frame in catalog.frames(wanted)] == wanted


def test_a_transaction_that_fails_leaves_nothing(catalog: Catalog) -> None:
    with pytest.raises(RuntimeError), catalog.transaction():
        _source(catalog)
        catalog.add_commit(5, None)
        raise RuntimeError
    assert catalog.sources() == {}
    assert catalog.last_commit().next_frame == 0


def test_what_ended_a_transaction_is_what_is_told(catalog: Catalog) -> None:
    with pytest.raises(OSError, match="no room"), catalog.transaction():
        catalog._db.execute("ROLLBACK")  # as SQLite does by itself where a disk is full
        raise OSError("no room")
    with catalog.transaction():
        assert catalog.add_root("/after", None)


def test_generations_are_kept_with_their_model(catalog: Catalog) -> None:
    generation = catalog.add_generation(MODEL)
    catalog.add_commit(3, generation.generation)
    commit = catalog.last_commit()
    assert commit.generation == generation
    assert commit.generation is not None
    assert commit.generation.model == MODEL


def test_a_commit_that_names_a_lost_generation_is_corrupt(catalog: Catalog) -> None:
    generation = catalog.add_generation(MODEL)
    catalog.add_commit(3, generation.generation)
    catalog._db.execute("PRAGMA foreign_keys = OFF")
    catalog.drop_generation(generation.generation)
    with pytest.raises(LibraryCorruptError, match="generation 1"):
        catalog.last_commit()


def test_readers_are_told_where_there_is_no_library(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFoundError, match="media-search update"):
        Catalog.open(tmp_path, tmp_path / "frames")


def test_readers_cannot_write(catalog: Catalog, tmp_path: Path) -> None:
    reader = Catalog.open(tmp_path, tmp_path / "frames")
    with pytest.raises(sqlite3.OperationalError):
        reader.add_root("/x", None)


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to look at", b"SQLite format 3\x00" * 40]
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CATALOG_NAME).write_bytes(content)
    with pytest.raises(LibraryCorruptError, match=CATALOG_NAME):
        Catalog.create(tmp_path, tmp_path / "frames")


def test_a_catalogue_of_a_later_version_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    catalog._db.execute("PRAGMA user_version = 99")
    with pytest.raises(LibraryCorruptError, match="version 99"):
        Catalog.open(tmp_path, tmp_path / "frames")


def test_video_numbers_go_on_from_the_highest(catalog: Catalog) -> None:
    assert catalog.take_video_number() == 1
    _source(catalog, video_id="vid_09")
    assert catalog.take_video_number() == 10
    assert catalog.take_video_number() == 11


def test_an_earlier_programs_catalogue_is_given_numbers(catalog: Catalog, tmp_path: Path) -> None:
    _source(catalog, video_id="vid_03")
    catalog._db.execute("DROP TABLE numbers")
    catalog.close()
    assert Catalog.create(tmp_path, tmp_path / "frames").take_video_number() == 4


def test_frames_of_earlier_contents_do_not_come_back(catalog: Catalog) -> None:
    source_id = _source(catalog)
    catalog.add_frames(source_id, [_frame(0)])
    assert catalog.supersede_frames(source_id) == 1
    catalog.add_frames(source_id, [_frame(1)])
    assert catalog.hide_frames(source_id) == 1
    assert catalog.revivable() == {source_id}
    assert catalog.revive_frames(source_id) == 1
    assert catalog.removed_frames() == [0]
    catalog.hide_frames(source_id)
    assert catalog.give_up_hidden(but=[0]) == 1
    assert catalog.revivable() == set()
    catalog.forget_removed()
    assert len(catalog.frame_ids()) == 0
