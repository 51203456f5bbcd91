"""Frames as plain numbered files, for the plan's functions that work without a catalogue."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from semantic_media_search.ingest.discovery import Candidate
from semantic_media_search.ingest.prepared import PreparedFrame, SourceFacts
from semantic_media_search.records import FrameRecord


class RecordWriter(Protocol):
    """Takes the records of frames: a `metadata_store.MetadataWriter`, or anything like it."""

    def add_record(self, record: Mapping[str, Any], /) -> None:
        """Append one record."""
        ...


class FrameFiles:
    """Writes `<frame_id>.jpg` files into a folder, going on from the highest id that is there."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        ids = (int(file.stem) for file in self._folder.glob("*.jpg") if file.stem.isdecimal())
        self.next_id = max(ids, default=-1) + 1

    def store(self, frame: PreparedFrame, source: Candidate, video_id: str | None) -> FrameRecord:
        """Write the frame beside its place, move it there, and give its record, still without facts."""
        path = self._folder / f"{self.next_id}.jpg"
        beside = path.with_suffix(".part")
        beside.write_bytes(frame.jpeg)
        beside.replace(path)
        record = FrameRecord(
            frame_id=self.next_id,
            video_id=video_id,
            frame_path=str(path),
            timestamp=frame.timestamp,
            width=frame.width,
            height=frame.height,
            source_path=source.path,
            kind=source.kind,
            interval=frame.interval,
        )
        self.next_id += 1
        return record


def with_facts(record: FrameRecord, facts: SourceFacts) -> FrameRecord:
    """The record with what became known of its file at the file's end."""
    return replace(
        record,
        captured_at=facts.captured_at,
        duration=facts.duration,
        source_width=facts.width,
        source_height=facts.height,
        camera=facts.camera,
        gps=facts.gps,
    )
