"""What flows between the rooms: plain, immutable records and the array types that they share."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

F32: TypeAlias = npt.NDArray[np.float32]
U8: TypeAlias = npt.NDArray[np.uint8]
I64: TypeAlias = npt.NDArray[np.int64]
BoolMask: TypeAlias = npt.NDArray[np.bool_]

IMAGE = "image"
VIDEO = "video"


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One stored frame: an image, or one sampled instant of a video.

    `frame_id` counts from 0 in ingestion order and is never reused. `video_id` and `timestamp` (seconds from
    the start of the video, by the stream's own clock) are None for images. `frame_path` is the stored JPEG,
    `width` and `height` its size in pixels. `interval` is the span of the video, in seconds, that the frame
    stands for.
    """

    frame_id: int
    video_id: str | None
    frame_path: str
    timestamp: float | None
    width: int
    height: int
    source_path: str
    kind: str = IMAGE
    interval: tuple[float, float] | None = None
    captured_at: str | None = None
    duration: float | None = None
    source_width: int | None = None
    source_height: int | None = None
    camera: str | None = None
    gps: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """The line of this frame in `metadata.jsonl`: the plan's fields first, then ours where they are known."""
        line: dict[str, Any] = {
            "frame_id": self.frame_id,
            "video_id": self.video_id,
            "frame_path": self.frame_path,
            "timestamp": self.timestamp,
            "width": self.width,
            "height": self.height,
            "source_path": self.source_path,
            "kind": self.kind,
        }
        extras = {
            "interval": list(self.interval) if self.interval else None,
            "captured_at": self.captured_at,
            "duration": self.duration,
            "source_width": self.source_width,
            "source_height": self.source_height,
            "camera": self.camera,
            "gps": list(self.gps) if self.gps else None,
        }
        return line | {key: value for key, value in extras.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Instant:
    """What tells which frames are one result: whose they are, when in a video, and what they look like.

    `timestamp` and `interval` are as FrameRecord's; `phash` is the perceptual hash, 64 bits without a sign.
    """

    frame_id: int
    source_id: int
    timestamp: float | None
    interval: tuple[float, float] | None
    phash: int


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One frame found, with its raw cosine similarity to the query (clamped to [0, 1] only at the edge)."""

    frame: FrameRecord
    similarity: float

    def to_json(self) -> dict[str, Any]:
        """The hit as the API and `media-search search --json` give it: the plan's fields first, then ours."""
        frame = self.frame.to_json()
        first = {
            "frame_id": frame.pop("frame_id"),
            "video_id": frame.pop("video_id"),
            "timestamp": frame.pop("timestamp"),
            "similarity": min(1.0, max(0.0, self.similarity)),
            "frame_url": f"/frame/{self.frame.frame_id}",
        }
        return first | frame


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A source file that could not be used, and why, in words for the person."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model made a generation's vectors. Vectors of two fingerprints are never compared."""

    name: str
    version: str
    fingerprint: str
    dim: int
