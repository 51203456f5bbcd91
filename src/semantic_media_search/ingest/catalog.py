"""The catalogue: the library's record of truth.

Sources, frames, generations of vectors, and the commits that say what counts. One process writes at a time
(the library's lock sees to it); any number read.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from sys import intern
from typing import Any

from semantic_media_search.errors import LibraryCorruptError, LibraryNotFoundError
from semantic_media_search.ingest import schema
from semantic_media_search.ingest.catalog_frames import FrameTable
from semantic_media_search.ingest.catalog_rows import (
    OK,
    REMOVED,
    SKIPPED,
    UNAVAILABLE,
    Commit,
    FrameRow,
    Generation,
    Root,
    Source,
)
from semantic_media_search.records import ModelInfo

__all__ = [
    "CATALOG_NAME",
    "OK",
    "REMOVED",
    "SKIPPED",
    "UNAVAILABLE",
    "Catalog",
    "Commit",
    "FrameRow",
    "Generation",
    "Root",
    "Source",
]

CATALOG_NAME = "catalog.sqlite"
_SOURCE_COLUMNS = """
    source_id, root_id, path, kind, size, mtime_ns, content_hash, state, reason, video_id, captured_at, width, height,
    duration, camera, latitude, longitude
"""
_SHARED = (3, 7, 14)
"""The places of kind, state and camera among them."""
_LEFT = "nothing"
"""What a folder is read for that was taken out: removed sources still name it, until they are cleared away."""


class Catalog(FrameTable):
    """The SQLite file of one library. Not to be shared between threads: open one each.

    `Catalog.create` for the writer, `Catalog.open` for readers.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, frames_dir: Path):
        super().__init__(connection, frames_dir)
        self.path = path

    @classmethod
    def create(cls, library: Path, frames_dir: Path) -> "Catalog":
        """Open for writing, making the catalogue where there is none."""
        path = library / CATALOG_NAME
        connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        schema.create_or_check(connection, str(path), create=True)
        schema.add_missing(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return cls(connection, path, frames_dir)

    @classmethod
    def open(cls, library: Path, frames_dir: Path) -> "Catalog":
        """Open for reading. Raises LibraryNotFoundError where there is no catalogue."""
        path = library / CATALOG_NAME
        if not path.is_file() or path.stat().st_size == 0:
            raise LibraryNotFoundError(
                f"there is no library in {library.absolute()}; make one with `media-search update YOUR_FOLDER`"
            )
        connection = sqlite3.connect(
            _to_read(path), uri=True, timeout=30, isolation_level=None, check_same_thread=False
        )
        try:
            schema.create_or_check(connection, str(path), create=False)
        except BaseException:
            connection.close()
            raise
        return cls(connection, path, frames_dir)

    def close(self) -> None:
        """Close the file; the object cannot be used afterwards."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what is written inside is stored together when the block ends without an error."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk may have ended it already, and is what is to be told
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Everything read inside the block is of one instant."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def changes_made(self) -> int:
        """How many rows this object has written so far: equal before and after something that wrote nothing."""
        return self._db.total_changes

    # commits and generations

    def last_commit(self) -> Commit:
        """The newest commit, or an empty one in a new catalogue."""
        row = self._db.execute(
            # All columns of a generation: the last is missing from catalogues that no writer has opened since.
            "SELECT commit_id, next_frame, created_at, c.generation, g.*"
            " FROM commits c LEFT JOIN generations g ON g.generation = c.generation"
            " ORDER BY commit_id DESC LIMIT 1"
        ).fetchone()
        if row is None:
            return Commit()
        commit_id, next_frame, created_at, named, *held = row
        if named is not None and held[0] is None:
            raise LibraryCorruptError(
                f"{self.path} names generation {named} of vectors but does not hold it; "
                "run `media-search index --rebuild`"
            )
        return Commit(commit_id, next_frame, None if named is None else _generation(held), created_at)

    def add_commit(self, next_frame: int, generation: int | None) -> int:
        """Store a commit, within a transaction, and return its id; earlier ones are dropped."""
        (commit_id,) = self._db.execute(
            "INSERT INTO commits (created_at, next_frame, generation) VALUES (?, ?, ?) RETURNING commit_id",
            (datetime.now(UTC).isoformat(), next_frame, generation),
        ).fetchone()
        self._db.execute("DELETE FROM commits WHERE commit_id < ?", (commit_id,))
        return int(commit_id)

    def add_generation(self, model: ModelInfo) -> Generation:
        """Begin a generation of vectors by this model."""
        (number,) = self._db.execute(
            "INSERT INTO generations (model, version, fingerprint, dim) VALUES (?, ?, ?, ?) RETURNING generation",
            (model.name, model.version, model.fingerprint, model.dim),
        ).fetchone()
        return Generation(int(number), model)

    def generations(self) -> list[Generation]:
        """Every generation, oldest first."""
        rows = self._db.execute("SELECT * FROM generations ORDER BY generation")
        return [_generation(row) for row in rows]

    def put_generation(self, generation: Generation) -> None:
        """Store how far a generation has come."""
        self._db.execute(
            "UPDATE generations SET rows = ?, index_file = ?, indexed_rows = ?, ef_search = ?, recall = ?,"
            " target_recall = ? WHERE generation = ?",
            (
                generation.rows,
                generation.index_file,
                generation.indexed_rows,
                generation.ef_search,
                generation.recall,
                generation.target_recall,
                generation.generation,
            ),
        )

    def drop_generation(self, number: int) -> None:
        """Forget a generation that no commit names."""
        self._db.execute("DELETE FROM generations WHERE generation = ?", (number,))

    def take_video_number(self) -> int:
        """A number for a video_id (`vid_01`, `vid_02`, ...) that none ever had, also none that was cleared away."""
        (free,) = self._db.execute(
            # The highest there is counts too: a program that knows of no numbers may have written in between.
            "SELECT max(ifnull((SELECT next FROM numbers WHERE name = 'video'), 1),"
            " 1 + ifnull((SELECT max(CAST(substr(video_id, 5) AS INTEGER)) FROM sources), 0))"
        ).fetchone()
        self._db.execute("INSERT OR REPLACE INTO numbers (name, next) VALUES ('video', ?)", (free + 1,))
        return int(free)

    # roots and sources

    def add_root(self, path: str, only_kind: str | None) -> int:
        """Add a folder to the library (or find it there); returns its id.

        One that is there for one kind only is from now on read for both, if both are asked for.
        """
        self._db.execute(
            "INSERT INTO roots (path, only_kind) VALUES (?, ?) ON CONFLICT (path)"
            " DO UPDATE SET only_kind = excluded.only_kind, reachable = 1"
            " WHERE roots.only_kind = ? OR (roots.only_kind IS NOT NULL AND excluded.only_kind IS NULL)",
            (path, only_kind, _LEFT),
        )
        (root_id,) = self._db.execute("SELECT root_id FROM roots WHERE path = ?", (path,)).fetchone()
        return int(root_id)

    def roots(self) -> list[Root]:
        """The folders of the library, in the order in which they were added."""
        rows = self._db.execute(
            "SELECT root_id, path, only_kind, reachable FROM roots WHERE only_kind IS NOT ? ORDER BY root_id",
            (_LEFT,),
        )
        return [
            Root(root_id, path, only_kind, bool(reachable)) for root_id, path, only_kind, reachable in rows
        ]

    def leave_root(self, root_id: int) -> None:
        """Take a folder out of the library. What becomes of its sources is for the caller to say."""
        self._db.execute("UPDATE roots SET only_kind = ? WHERE root_id = ?", (_LEFT, root_id))

    def set_reachable(self, root_id: int, *, reachable: bool) -> None:
        """Note whether a folder could be read."""
        self._db.execute(
            "UPDATE roots SET reachable = ? WHERE root_id = ? AND reachable IS NOT ?",
            (reachable, root_id, reachable),
        )

    def mounts(self) -> set[str]:
        """The folders inside roots at which another disk began when they were last scanned."""
        try:
            return {str(path) for (path,) in self._db.execute("SELECT path FROM mounts")}
        except sqlite3.OperationalError:  # read only, and no writer has opened it since there is this table
            return set()

    def set_mounts(self, paths: set[str]) -> None:
        """Note where other disks begin."""
        held = self.mounts()
        self._db.executemany("DELETE FROM mounts WHERE path = ?", ((path,) for path in held - paths))
        self._db.executemany("INSERT INTO mounts (path) VALUES (?)", ((path,) for path in paths - held))

    def sources(self) -> dict[str, Source]:
        """Every source known, removed ones too, by path."""
        rows = self._db.execute(f"SELECT {_SOURCE_COLUMNS} FROM sources ORDER BY source_id")  # noqa: S608 - ours
        return {row[2]: _source(row) for row in rows}

    def source_at(self, path: str) -> Source | None:
        """The source of this path, or None."""
        return self._source_where("path", path)

    def _source_where(self, column: str, value: str) -> Source | None:
        row = self._db.execute(
            f"SELECT {_SOURCE_COLUMNS} FROM sources WHERE {column} = ?",  # noqa: S608 - ours
            (value,),
        ).fetchone()
        return Source(*row) if row else None

    def put_source(self, source: Source) -> int:
        """Store a source, new or changed, under its path; returns its id."""
        (source_id,) = self._db.execute(
            "INSERT INTO sources (source_id, root_id, path, kind, size, mtime_ns, content_hash, state, reason,"
            " video_id, captured_at, width, height, duration, camera, latitude, longitude)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (source_id) DO UPDATE SET root_id = excluded.root_id, path = excluded.path,"
            " kind = excluded.kind, size = excluded.size, mtime_ns = excluded.mtime_ns,"
            " content_hash = excluded.content_hash, state = excluded.state, reason = excluded.reason,"
            " video_id = excluded.video_id, captured_at = excluded.captured_at, width = excluded.width,"
            " height = excluded.height, duration = excluded.duration, camera = excluded.camera,"
            " latitude = excluded.latitude, longitude = excluded.longitude RETURNING source_id",
            (
                source.source_id,
                source.root_id,
                source.path,
                source.kind,
                source.size,
                source.mtime_ns,
                source.content_hash,
                source.state,
                source.reason,
                source.video_id,
                source.captured_at,
                source.width,
                source.height,
                source.duration,
                source.camera,
                source.latitude,
                source.longitude,
            ),
        ).fetchone()
        return int(source_id)

    def set_source_state(self, source_id: int, state: str) -> None:
        """Note what has become of a source."""
        self._db.execute("UPDATE sources SET state = ? WHERE source_id = ?", (state, source_id))

    def source_of_video(self, video_id: str) -> Source | None:
        """The source that a video_id names, or None."""
        return self._source_where("video_id", video_id)

    def counts_by(self, column: str) -> dict[str, int]:
        """How many sources there are by `state` or by `kind` (removed ones left out of the latter)."""
        queries = {
            "state": "SELECT state, count(*) FROM sources GROUP BY state",
            "kind": "SELECT kind, count(*) FROM sources WHERE state = 'ok' GROUP BY kind",
        }
        return {str(value): int(count) for value, count in self._db.execute(queries[column])}

    def kinds_by_root(self) -> dict[int, dict[str, int]]:
        """How many files of each kind can be found of each folder, those of an unplugged disk too, by root_id."""
        found: dict[int, dict[str, int]] = {}
        for root_id, kind, count in self._db.execute(
            "SELECT root_id, kind, count(*) FROM sources WHERE state IN ('ok', 'unavailable')"
            " GROUP BY root_id, kind ORDER BY root_id, kind"
        ):
            found.setdefault(int(root_id), {})[str(kind)] = int(count)
        return found

    def skipped(self) -> list[tuple[str, str]]:
        """(path, reason) of every source that could not be used, or not whole."""
        rows = self._db.execute(
            "SELECT path, reason FROM sources WHERE reason IS NOT NULL AND state IN ('ok', 'skipped') ORDER BY path"
        )
        return [(str(path), str(reason)) for path, reason in rows]

    def integrity_problems(self) -> list[str]:
        """What SQLite itself finds wrong with the file: damaged pages, rows that name rows that are not there."""
        try:
            found = [str(row[0]) for row in self._db.execute("PRAGMA integrity_check") if row[0] != "ok"]
            found += [
                f"{table} row {row} names a missing {to}"
                for table, row, to, _ in self._db.execute("PRAGMA foreign_key_check")
            ]
        except sqlite3.DatabaseError as error:
            return [str(error)]
        return found

    def forget_removed(self) -> None:
        """Drop removed frames, and the sources of which nothing is left, for good."""
        self._db.execute("DELETE FROM frames WHERE live < 1")
        self._db.execute(
            "DELETE FROM sources WHERE state = 'removed' AND source_id NOT IN (SELECT source_id FROM frames)"
        )
        self._db.execute(
            "DELETE FROM roots WHERE only_kind = ? AND root_id NOT IN (SELECT root_id FROM sources)", (_LEFT,)
        )


def _to_read(path: Path) -> str:
    """The address of a catalogue to be read only, wherever it lies.

    SQLite makes files beside one in WAL mode even to read it. On a disk that is mounted read-only none can be made,
    and nobody writes: there it is told so, unless a log was left that is to be heeded.
    """
    address = path.resolve().as_uri() + "?mode=ro"
    log = path.with_name(path.name + "-wal")
    return address if log.exists() or not _on_a_read_only_disk(path) else address + "&immutable=1"


def _on_a_read_only_disk(path: Path) -> bool:
    return os.name == "posix" and bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _source(row: Sequence[Any]) -> Source:
    """A source of very many: the words that they share are held once."""
    values = list(row)
    for shared in _SHARED:
        values[shared] = values[shared] and intern(values[shared])
    return Source(*values)


def _generation(row: Sequence[Any]) -> Generation:
    return Generation(row[0], ModelInfo(*row[1:5]), *row[5:])
