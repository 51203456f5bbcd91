from pathlib import Path

import pytest

from semantic_media_search.errors import LibraryCorruptError
from semantic_media_search.ingest.metadata_store import MetadataWriter, load_metadata


def _record(frame_id: int) -> dict[str, object]:
    return {"frame_id": frame_id, "video_id": None, "frame_path": f"{frame_id}.jpg", "timestamp": None}


def test_records_come_back_by_frame_id(tmp_path: Path) -> None:
    path = tmp_path / "metadata.jsonl"
    writer = MetadataWriter(str(path))
    writer.add_record(_record(0))
    writer.close()
    with MetadataWriter(path) as again:
        again.add_record(_record(1) | {"source_path": "/a\nb/\U0001f600.jpg"})
    records = load_metadata(str(path))
    assert list(records) == [0, 1]
    assert records[1]["source_path"] == "/a\nb/\U0001f600.jpg"


def test_an_unfinished_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metadata.jsonl"
    with MetadataWriter(path) as writer:
        writer.add_record(_record(0))
    with path.open("a") as file:
        file.write('{"frame_id": 1, "vid')
    assert list(load_metadata(path)) == [0]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metadata.jsonl"
    path.write_text('{"frame_id": 0}\n{"frame": 1}\n')
    with pytest.raises(LibraryCorruptError, match="line 2"):
        load_metadata(path)
