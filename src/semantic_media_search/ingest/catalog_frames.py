"""The frames of the catalogue: what there is to find, by number.

A frame is live (1), gone with its file and ready to come back with it (0), or gone for good until `compact` clears
it away (-1): its file has other contents now, the vectors that serve were made without it, or its picture is damaged.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semantic_media_search.ingest.catalog_rows import FrameRow
from semantic_media_search.records import I64, FrameRecord, Instant

_IDS_A_QUERY = 1_000

_FRAME_COLUMNS = """
    f.frame_id, s.video_id, f.timestamp, f.width, f.height, s.path, s.kind, f.interval_start, f.interval_end,
    s.captured_at, s.duration, s.width, s.height, s.camera, s.latitude, s.longitude
"""

_INSTANT_COLUMNS = "frame_id, source_id, timestamp, interval_start, interval_end, phash"


class FrameTable:
    """Reads and writes the frames; the half of `Catalog` that is about them."""

    def __init__(self, connection: sqlite3.Connection, frames_dir: Path):
        self._db = connection
        self._frames_dir = frames_dir

    def add_frames(self, source_id: int, frames: Iterable[FrameRow]) -> None:
        """Store new frames of a source."""
        self._db.executemany(
            "INSERT INTO frames (frame_id, source_id, timestamp, interval_start, interval_end, width, height, phash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    f.frame_id,
                    source_id,
                    f.timestamp,
                    *(f.interval or (None, None)),
                    f.width,
                    f.height,
                    _signed(f.phash),
                )
                for f in frames
            ),
        )

    def hide_frames(self, source_id: int) -> int:
        """Take a source's frames out of the results until it comes back; returns how many."""
        return self._set_live("live = 0 WHERE live = 1 AND source_id = ?", (source_id,))

    def revive_frames(self, source_id: int) -> int:
        """Bring back the frames that went with a source; returns how many."""
        return self._set_live("live = 1 WHERE live = 0 AND source_id = ?", (source_id,))

    def supersede_frames(self, source_id: int) -> int:
        """Take a source's frames out for good: it has other contents now. Returns how many were still live."""
        live = self.hide_frames(source_id)
        self._set_live("live = -1 WHERE source_id = ?", (source_id,))
        return live

    def give_up_frames(self, frame_ids: Iterable[int]) -> None:
        """Take single frames out for good."""
        self._db.executemany("UPDATE frames SET live = -1 WHERE frame_id = ?", ((one,) for one in frame_ids))

    def give_up_hidden(self, but: Iterable[int]) -> int:
        """Let no hidden frame come back `but` these; returns how many that concerns."""
        kept = set(but)
        lost = [(frame_id,) for (frame_id,) in self._db.execute("SELECT frame_id FROM frames WHERE live = 0")]
        lost = [row for row in lost if row[0] not in kept]
        self._db.executemany("UPDATE frames SET live = -1 WHERE frame_id = ?", lost)
        return len(lost)

    def revivable(self) -> set[int]:
        """The source_ids with frames that can come back."""
        rows = self._db.execute("SELECT DISTINCT source_id FROM frames WHERE live = 0")
        return {int(source_id) for (source_id,) in rows}

    def _set_live(self, change: str, values: tuple[int, ...]) -> int:
        return self._db.execute(f"UPDATE frames SET {change}", values).rowcount  # noqa: S608 - ours, above

    def frame(self, frame_id: int) -> FrameRecord | None:
        """A live frame by its id, or None."""
        found = self.frames([frame_id])
        return found[0] if found else None

    def frames(self, frame_ids: Sequence[int]) -> list[FrameRecord]:
        """Live frames by id, in the order asked for; ids that are not there are left out."""
        by_id: dict[int, FrameRecord] = {}
        for start in range(0, len(frame_ids), _IDS_A_QUERY):
            some = list(frame_ids[start : start + _IDS_A_QUERY])
            rows = self._db.execute(
                f"SELECT {_FRAME_COLUMNS} FROM frames f JOIN sources s USING (source_id)"  # noqa: S608
                f" WHERE f.live = 1 AND f.frame_id IN ({','.join('?' * len(some))})",
                some,
            )
            by_id |= {row[0]: self._record(row) for row in rows}
        return [by_id[frame_id] for frame_id in frame_ids if frame_id in by_id]

    def live_frames(self, start: int = 0, stop: int | None = None) -> Iterator[FrameRecord]:
        """Live frames with start <= frame_id < stop, in frame_id order."""
        return self._frames_with(1, start, 2**62 if stop is None else stop)

    def hidden_frames(self) -> Iterator[FrameRecord]:
        """The frames that went with their files and can come back, in frame_id order."""
        return self._frames_with(0, 0, 2**62)

    def _frames_with(self, live: int, start: int, stop: int) -> Iterator[FrameRecord]:
        rows = self._db.execute(
            f"SELECT {_FRAME_COLUMNS} FROM frames f JOIN sources s USING (source_id)"  # noqa: S608
            " WHERE f.live = ? AND f.frame_id >= ? AND f.frame_id < ? ORDER BY f.frame_id",
            (live, start, stop),
        )
        for row in rows:
            yield self._record(row)

    def live_owners(self) -> tuple[I64, I64]:
        """The live frames, ascending, and the source_id of each: int64 [L] both."""
        rows = self._db.execute("SELECT frame_id, source_id FROM frames WHERE live = 1 ORDER BY frame_id")
        # Row by row: a list of them is ten times as large.
        pairs: npt.NDArray[Any] = np.fromiter(rows, dtype=np.dtype((np.int64, 2)))
        return pairs[:, 0], pairs[:, 1]

    def filed_sources(self) -> list[tuple[int, str, str, str | None, int]]:
        """source_id, path, kind, capture time and mtime_ns of every source."""
        return self._db.execute("SELECT source_id, path, kind, captured_at, mtime_ns FROM sources").fetchall()

    def instants(self, frame_ids: Sequence[int]) -> dict[int, Instant]:
        """What groups these live frames, by frame_id; read without their files' records."""
        found: dict[int, Instant] = {}
        for start in range(0, len(frame_ids), _IDS_A_QUERY):
            some = list(frame_ids[start : start + _IDS_A_QUERY])
            rows = self._db.execute(
                f"SELECT {_INSTANT_COLUMNS} FROM frames"  # noqa: S608
                f" WHERE live = 1 AND frame_id IN ({','.join('?' * len(some))})",
                some,
            )
            for frame_id, source_id, timestamp, since, until, bits in rows:
                interval = None if since is None else (since, until)
                found[frame_id] = Instant(frame_id, source_id, timestamp, interval, bits % (1 << 64))
        return found

    def frames_of(self, source_id: int) -> list[int]:
        """The ids of a source's frames, removed ones too, in order."""
        rows = self._db.execute(
            "SELECT frame_id FROM frames WHERE source_id = ? ORDER BY frame_id", (source_id,)
        )
        return [int(frame_id) for (frame_id,) in rows]

    def frame_ids(self) -> I64:
        """The ids of all frames, live or not, in order: int64 [F]."""
        rows = self._db.execute("SELECT frame_id FROM frames ORDER BY frame_id")
        return np.fromiter((frame_id for (frame_id,) in rows), dtype=np.int64)

    def frame_count(self, start: int = 0) -> int:
        """How many live frames there are, from this frame_id on."""
        (total,) = self._db.execute("SELECT count(*) FROM frames WHERE frame_id >= ?", (start,)).fetchone()
        (removed,) = self._db.execute(
            "SELECT count(*) FROM frames WHERE live < 1 AND frame_id >= ?", (start,)
        ).fetchone()
        return int(total) - int(removed)

    def removed_frames(self) -> list[int]:
        """The ids of the frames that have left the results, in order."""
        return [
            int(row[0])
            for row in self._db.execute("SELECT frame_id FROM frames WHERE live < 1 ORDER BY frame_id")
        ]

    def _record(self, row: tuple[object, ...]) -> FrameRecord:
        (frame_id, video_id, timestamp, width, height, path, kind, start, end, *facts) = row
        captured_at, duration, source_width, source_height, camera, latitude, longitude = facts
        return FrameRecord(  # the columns' types are the schema's
            frame_id=frame_id,  # type: ignore[arg-type]
            video_id=video_id,  # type: ignore[arg-type]
            frame_path=(self._frames_dir / f"{frame_id}.jpg").as_posix(),
            timestamp=timestamp,  # type: ignore[arg-type]
            width=width,  # type: ignore[arg-type]
            height=height,  # type: ignore[arg-type]
            source_path=path,  # type: ignore[arg-type]
            kind=kind,  # type: ignore[arg-type]
            interval=None if start is None else (start, end),  # type: ignore[arg-type]
            captured_at=captured_at,  # type: ignore[arg-type]
            duration=duration,  # type: ignore[arg-type]
            source_width=source_width,  # type: ignore[arg-type]
            source_height=source_height,  # type: ignore[arg-type]
            camera=camera,  # type: ignore[arg-type]
            gps=None if latitude is None else (latitude, longitude),  # type: ignore[arg-type]
        )


def _signed(bits: int) -> int:
    """64 unsigned bits as the signed number that SQLite can hold."""
    return bits - (1 << 64) if bits >= 1 << 63 else bits
