"""What the catalogue holds, row by row."""

from dataclasses import dataclass

from semantic_media_search.records import ModelInfo

OK, SKIPPED, UNAVAILABLE, REMOVED = "ok", "skipped", "unavailable", "removed"
"""The states of a source. `skipped`: it could not be used. `unavailable`: its disk is not there; its frames stay."""


@dataclass(frozen=True, slots=True)
class Generation:
    """The vectors of one model: how many rows count, and the graph over the first `indexed_rows` of them.

    `ef_search` reached `recall` where `target_recall` was asked for.
    """

    generation: int
    model: ModelInfo
    rows: int = 0
    index_file: str | None = None
    indexed_rows: int = 0
    ef_search: int | None = None
    recall: float | None = None
    target_recall: float | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """What counts, as of one instant: all else on the disk is ignored, and cut back by the next writer.

    `created_at` is ISO 8601 in UTC.
    """

    commit_id: int = 0
    next_frame: int = 0
    generation: Generation | None = None
    created_at: str | None = None

    def is_same_as(self, other: "Commit") -> bool:
        """Whether it is this very commit: in a library that was made anew the numbers begin again."""
        return (self.commit_id, self.created_at) == (other.commit_id, other.created_at)


@dataclass(frozen=True, slots=True)
class Root:
    """A folder whose media belong to the library."""

    root_id: int
    path: str
    only_kind: str | None
    reachable: bool


@dataclass(frozen=True, slots=True)
class Source:
    """One media file that the library knows. `source_id` is None until it is stored."""

    source_id: int | None
    root_id: int
    path: str
    kind: str
    size: int
    mtime_ns: int
    content_hash: str | None = None
    state: str = OK
    reason: str | None = None
    video_id: str | None = None
    captured_at: str | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One frame as the catalogue keeps it."""

    frame_id: int
    timestamp: float | None
    interval: tuple[float, float] | None
    width: int
    height: int
    phash: int
