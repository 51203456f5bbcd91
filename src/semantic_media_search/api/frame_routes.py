"""Stored frames, and the originals that they were made from. Addresses name ids, never paths."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter

from semantic_media_search.api.byte_ranges import file_response
from semantic_media_search.api.errors import NotHereError
from semantic_media_search.api.serving import Serving, serving_of
from semantic_media_search.ingest.discovery import text_to_path
from semantic_media_search.media.formats import HEADER_BYTES, sniff
from semantic_media_search.media.opening import open_regular
from semantic_media_search.records import FrameRecord

router = APIRouter()

FrameId = Annotated[int, PathParameter(ge=0)]
_SHOWN_AS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WebP": "image/webp",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
_REVALIDATE = "private, no-cache"


def find_frame(serving: Serving, frame_id: int) -> FrameRecord:
    """The record of a live frame. Raises NotHereError."""
    frame = serving.view().frame(frame_id) if frame_id < 2**62 else None
    if frame is None:
        raise NotHereError(
            f"the library holds no frame {frame_id}",
            "frame ids come from /search; this one may have been removed",
        )
    return frame


@router.head("/frame/{frame_id}", include_in_schema=False)
@router.get("/frame/{frame_id}")
async def frame(request: Request, frame_id: FrameId) -> Response:
    """The stored JPEG of a frame."""
    serving = serving_of(request)

    def read() -> Response:
        find_frame(serving, frame_id)
        path = serving.library.paths.frame(frame_id)
        return file_response(request, path, "image/jpeg", cache=_REVALIDATE)

    return await serving.run(read)


@router.head("/original/{frame_id}", include_in_schema=False)
@router.get("/original/{frame_id}")
async def original(request: Request, frame_id: FrameId, *, save: bool = False) -> Response:
    """The photo or video that a frame was made from; `save` has the browser store it."""
    serving = serving_of(request)

    def read() -> Response:
        found = find_frame(serving, frame_id)
        path = Path(text_to_path(found.source_path))
        with open_regular(path) as file:
            kind = sniff(file.read(HEADER_BYTES))
        shown = _SHOWN_AS.get(kind.format if kind else "")
        name = path.name if save or shown is None else None
        return file_response(
            request, path, shown or "application/octet-stream", cache=_REVALIDATE, filename=name
        )

    return await serving.run(read)
