"""The catalogue's tables. SQLite in WAL mode: readers never wait for the writer, nor it for them."""

import sqlite3

from semantic_media_search.errors import LibraryCorruptError, LibraryError, LibraryNotFoundError

SCHEMA_VERSION = 1

_TABLES = """
CREATE TABLE roots (
    root_id   INTEGER PRIMARY KEY,
    path      TEXT NOT NULL UNIQUE,
    only_kind TEXT,                       -- 'image' or 'video' where it is read for one kind only; 'nothing': taken out
    reachable INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE sources (
    source_id    INTEGER PRIMARY KEY,
    root_id      INTEGER NOT NULL REFERENCES roots(root_id),
    path         TEXT NOT NULL UNIQUE,
    kind         TEXT NOT NULL,           -- 'image' or 'video'
    size         INTEGER NOT NULL,
    mtime_ns     INTEGER NOT NULL,
    content_hash TEXT,
    state        TEXT NOT NULL,           -- 'ok', 'skipped', 'unavailable' or 'removed'
    reason       TEXT,                    -- why it was skipped, or what is missing from it
    video_id     TEXT UNIQUE,
    captured_at  TEXT,
    width        INTEGER,
    height       INTEGER,
    duration     REAL,
    camera       TEXT,
    latitude     REAL,
    longitude    REAL
);
CREATE INDEX sources_by_content ON sources(content_hash);
CREATE TABLE frames (
    frame_id       INTEGER PRIMARY KEY,
    source_id      INTEGER NOT NULL REFERENCES sources(source_id),
    timestamp      REAL,
    interval_start REAL,
    interval_end   REAL,
    width          INTEGER NOT NULL,
    height         INTEGER NOT NULL,
    phash          INTEGER NOT NULL,      -- the 64 bits of the perceptual hash, as a signed number
    live           INTEGER NOT NULL DEFAULT 1  -- see catalog_frames
);
CREATE INDEX frames_by_source ON frames(source_id);
CREATE TABLE generations (
    generation   INTEGER PRIMARY KEY AUTOINCREMENT,
    model        TEXT NOT NULL,
    version      TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    dim          INTEGER NOT NULL,
    rows         INTEGER NOT NULL DEFAULT 0,  -- embedding rows that count
    index_file   TEXT,
    indexed_rows INTEGER NOT NULL DEFAULT 0,
    ef_search    INTEGER,                     -- what reached the recall asked for, and the recall measured with it
    recall       REAL,
    target_recall REAL                        -- the recall that was asked for
);
CREATE TABLE commits (
    commit_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at TEXT NOT NULL,
    next_frame INTEGER NOT NULL,              -- every frame_id below this one has been given away
    generation INTEGER REFERENCES generations(generation)  -- the one that serves
);
"""


_FRAMES_GONE = "CREATE INDEX IF NOT EXISTS frames_gone ON frames(frame_id) WHERE live < 1"
"""Catalogues made before have another index in its place."""
_NUMBERS = """
CREATE TABLE IF NOT EXISTS numbers (
    name TEXT PRIMARY KEY,
    next INTEGER NOT NULL                     -- the first that has never been given away
)
"""
_MOUNTS = "CREATE TABLE IF NOT EXISTS mounts (path TEXT PRIMARY KEY)"
"""Folders inside roots at which another disk begins."""


def add_missing(connection: sqlite3.Connection) -> None:
    """Run by every writer: what catalogues lack that were made by earlier programs, which can still read them."""
    connection.execute(_FRAMES_GONE)
    held = {name for _, name, *_ in connection.execute("PRAGMA table_info(generations)")}
    connection.execute(_NUMBERS)
    connection.execute(_MOUNTS)
    if "target_recall" not in held:
        connection.execute("ALTER TABLE generations ADD COLUMN target_recall REAL")


def create_or_check(connection: sqlite3.Connection, place: str, *, create: bool) -> None:
    """Make the tables in an empty catalogue; refuse one of a version that this program does not know.

    Raises LibraryNotFoundError where it is empty and not to be made, LibraryCorruptError where it is of a later
    version or no catalogue at all, LibraryError where it cannot be opened.
    """
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0 and not create:
            raise LibraryNotFoundError(
                f"{place} is empty: the library is just being made; try again in a moment"
            )
        if version == 0:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
            return
    except sqlite3.OperationalError as error:  # a matter of the disk or of rights, not of what the file holds
        raise LibraryError(
            f"cannot open the catalogue {place}: {error}; see that its folder may be read and written (SQLite needs "
            "to make files beside it, to read it as well) and that the disk is not full"
        ) from error
    except sqlite3.DatabaseError as error:
        raise LibraryCorruptError(
            f"{place} is no catalogue ({error}); restore it from a copy, or move the library folder away "
            "and ingest again"
        ) from error
    if version != SCHEMA_VERSION:
        raise LibraryCorruptError(
            f"{place} is of catalogue version {version}; this program reads version {SCHEMA_VERSION}: "
            "use the program that made the library, or a later one"
        )
