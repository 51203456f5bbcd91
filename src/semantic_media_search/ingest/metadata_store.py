"""`metadata.jsonl`: one line a frame, in frame_id order.

The file is derived from the catalogue for people and other programs to read; the catalogue is the truth.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from semantic_media_search.errors import LibraryCorruptError
from semantic_media_search.records import FrameRecord


class MetadataWriter:
    """Appends records to a JSONL file; each line is complete or absent once `close` or `flush` returned."""

    def __init__(self, path: str | Path):
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - closed by close()

    def add_record(self, record: Mapping[str, Any]) -> None:
        """Append one frame's line. `record` has at least the plan's fields (see FrameRecord.to_json)."""
        self._file.write(json.dumps(record, ensure_ascii=True, separators=(", ", ": ")) + "\n")

    def flush(self) -> None:
        """Bring what was added to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close; the writer cannot be used afterwards, also where the disk takes no more."""
        if not self._file.closed:
            with self._file:
                self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load_metadata(path: str | Path) -> dict[int, dict[str, Any]]:
    """Read a metadata file: {frame_id: record}.

    Raises LibraryCorruptError naming the line that is no record. A last line without its newline is one
    that a writer did not finish: it is left out.
    """
    return dict(read_records(path))


def read_records(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """As `load_metadata`, one (frame_id, record) after the other: memory does not grow with the file."""
    # What is no text is told with its line, by what reads the line.
    with Path(path).open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith("\n"):
                break
            try:
                record = json.loads(line.encode("utf-8", "surrogateescape"))
                yield int(record["frame_id"]), record
            except (ValueError, KeyError, TypeError) as error:
                raise LibraryCorruptError(
                    f"{path}, line {number} is not a frame's record ({error}); "
                    "run `media-search doctor` to write the file anew"
                ) from error


def write_metadata(path: Path, frames: Iterable[FrameRecord]) -> None:
    """Write the whole file anew, atomically: readers see the old one or the new one."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with MetadataWriter(beside) as writer:
        for frame in frames:
            writer.add_record(frame.to_json())
    beside.replace(path)
