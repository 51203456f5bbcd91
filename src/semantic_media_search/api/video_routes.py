"""Videos: the original with byte ranges, and how well a search matches along it."""

import math
import mimetypes
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from semantic_media_search.api.byte_ranges import file_response
from semantic_media_search.api.errors import NotHereError
from semantic_media_search.api.search_request import Subject, subject
from semantic_media_search.api.serving import Serving, serving_of
from semantic_media_search.ingest.catalog import Source
from semantic_media_search.ingest.discovery import name_to_show, text_to_path

router = APIRouter()

_TYPES = {".mov": "video/mp4", ".m4v": "video/mp4", ".mkv": "video/x-matroska", ".mp4": "video/mp4"}
"""Browsers play a QuickTime file with MP4's codecs, but not under its own name."""


def find_video(serving: Serving, video_id: str) -> Source:
    """The source that a video_id names. Raises NotHereError."""
    source = serving.view().video(video_id)
    if source is None or source.state not in ("ok", "unavailable"):
        raise NotHereError(f"the library holds no video {video_id[:40]!r}", "video ids come from /search")
    return source


@router.head("/video/{video_id}", include_in_schema=False)
@router.get("/video/{video_id}")
async def video(request: Request, video_id: str) -> Response:
    """The original file, whole or in ranges."""
    serving = serving_of(request)

    def read() -> Response:
        path = Path(text_to_path(find_video(serving, video_id).path))
        guessed = _TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or ""
        kind = guessed if guessed.startswith("video/") else "application/octet-stream"
        return file_response(request, path, kind, cache="private, no-cache")

    return await serving.run(read)


@router.get("/video/{video_id}/timeline")
async def timeline(
    request: Request, video_id: str, what: Annotated[Subject, Depends(subject)]
) -> dict[str, Any]:
    """How similar each sampled second of a video is to what is searched for, in order of time."""
    serving = serving_of(request)

    def look() -> dict[str, Any]:
        source = find_video(serving, video_id)
        view = serving.view()
        vector = what.vector(view, serving.pictures)
        frames = [frame for frame in view.frames_of_video(video_id) if frame.timestamp is not None]
        cosines = view.similarities(vector, [frame.frame_id for frame in frames])
        background = view.background(vector)
        points = [
            {
                "frame_id": frame.frame_id,
                "timestamp": frame.timestamp,
                "similarity": min(1.0, max(0.0, float(cosine))),
                "strength": round(background.strength(float(cosine)), 4),
                "frame_url": f"/frame/{frame.frame_id}",
            }
            for frame, cosine in zip(frames, cosines, strict=True)
            if not math.isnan(cosine)
        ]
        last = frames[-1].timestamp if frames else 0.0
        return {"video_id": video_id, "duration": source.duration or last, "points": points}

    return await serving.run(look)


@router.head("/video/{video_id}/clip", include_in_schema=False)
@router.get("/video/{video_id}/clip")
async def clip(
    request: Request,
    video_id: str,
    start: Annotated[float, Query(ge=0, le=1e7, allow_inf_nan=False, description="seconds")],
    end: Annotated[float, Query(ge=0, le=1e7, allow_inf_nan=False, description="seconds")],
) -> Response:
    """What a video shows from `start` to `end`, as an MP4 that every browser plays; exact to the frame."""
    serving = serving_of(request)

    def cut() -> Response:
        source = find_video(serving, video_id)
        path = serving.clips.clip(source, start, end)
        name = f"{Path(name_to_show(source.path)).stem} {_minutes(start)}-{_minutes(end)}.mp4"
        return file_response(request, path, "video/mp4", cache="private, no-cache", filename=name)

    return await serving.run_long(cut)


def _minutes(seconds: float) -> str:
    """Seconds as a file name may hold them: 1m05s, or 1m05.5s."""
    minutes, rest = divmod(round(seconds * 10), 600)
    return f"{minutes}m{rest // 10:02d}" + (f".{rest % 10}s" if rest % 10 else "s")
