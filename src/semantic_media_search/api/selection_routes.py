"""Several results at once, saved as a zip of their originals; and one original, shown in its folder."""

import io
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from semantic_media_search.api.byte_ranges import attachment
from semantic_media_search.api.errors import NotHereError, error_response
from semantic_media_search.api.frame_routes import FrameId, find_frame
from semantic_media_search.api.security import is_loopback
from semantic_media_search.api.serving import serving_of
from semantic_media_search.errors import MediaUnreadableError, QueryError
from semantic_media_search.ingest.discovery import text_to_path
from semantic_media_search.media.opening import open_regular

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MOST_FRAMES = 1_000
_MOST_FORM_BYTES = 64 << 10
_CHUNK = 1 << 20

router = APIRouter()


@router.post("/selection")
async def selection(request: Request) -> dict[str, Any]:
    """What a zip of these frames' originals would hold: files, bytes, and what cannot be read, with the reason."""
    paths = await _originals(request)

    def look() -> dict[str, Any]:
        sizes: list[int] = []
        missing: list[str] = []
        for path in paths:
            try:
                with open_regular(path) as file:
                    sizes.append(file.seek(0, io.SEEK_END))
            except MediaUnreadableError as error:
                missing.append(str(error))
        return {"files": len(sizes), "bytes": sum(sizes), "missing": missing}

    return await serving_of(request).run(look)


@router.post("/selection.zip")
async def selection_zip(request: Request) -> Response:
    """The originals of the frames named in the form's field `frames` (ids with commas between), as a zip."""
    paths = await _originals(request)
    headers = {"Content-Disposition": attachment("selection.zip"), "Cache-Control": "no-store"}
    return StreamingResponse(zip_of(paths), headers=headers, media_type="application/zip")


async def _originals(request: Request) -> list[Path]:
    """The files that the form's frames were made from, each once. Raises QueryError, NotHereError."""
    serving = serving_of(request)
    form = bytearray()
    async for chunk in request.stream():
        form += chunk
        if len(form) > _MOST_FORM_BYTES:
            raise QueryError(f"the selection is too long; save at most {MOST_FRAMES} results at a time")
    frame_ids = _ids(parse_qs(form.decode("ascii", "replace")).get("frames", [""])[0])

    def find() -> list[Path]:
        frames = serving.view().frames(frame_ids)
        return list(dict.fromkeys(Path(text_to_path(frame.source_path)) for frame in frames))

    paths = await serving.run(find)
    if not paths:
        raise NotHereError("none of these frames is in the library any more", "search anew")
    return paths


@router.post("/reveal/{frame_id}")
async def reveal(request: Request, frame_id: FrameId) -> Response:
    """Show the original in its folder, on the screen of the machine that serves: callers on that machine only."""
    serving = serving_of(request)
    if not _from_this_machine(request):
        return error_response(
            403,
            "not_this_machine",
            "folders are shown on the server's own machine only",
            "copy the path instead",
        )
    frame = await serving.run(find_frame, serving, frame_id)
    command = _reveal_command(Path(text_to_path(frame.source_path)))
    if not can_reveal(request):
        return error_response(
            501, "no_file_manager", "the server has no screen to show the folder on", "copy the path instead"
        )
    shower = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    # A file manager may stay open for hours: nobody waits for it but this thread, which sees it off.
    threading.Thread(target=shower.wait, daemon=True).start()
    return Response(status_code=204)


def can_reveal(request: Request) -> bool:
    """Whether the caller sits at this machine, and it has a screen and a file manager to show a folder with."""
    manager = _reveal_command(Path())[0]
    return _from_this_machine(request) and _has_screen() and shutil.which(manager) is not None


def _from_this_machine(request: Request) -> bool:
    host = serving_of(request).settings.host
    return is_loopback(host) and request.client is not None and is_loopback(request.client.host)


def zip_of(paths: Sequence[Path]) -> Iterator[bytes]:
    """A zip of these files, in pieces as they are read; what cannot be read is named in `not-saved.txt`.

    Files are stored as they are: pictures and videos do not get smaller.
    """
    sink = _Sink()
    missing: list[str] = []
    names: set[str] = set()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for path in paths:
            try:
                with open_regular(path) as file:
                    info = zipfile.ZipInfo.from_file(
                        path, _free_name(path.name, names), strict_timestamps=False
                    )
                    with archive.open(info, "w", force_zip64=True) as entry:
                        while chunk := file.read(_CHUNK):
                            entry.write(chunk)
                            yield sink.take()
            except MediaUnreadableError as error:
                missing.append(str(error))
            except OSError as error:  # in the middle of it: what was read of it is in the zip, and is said
                missing.append(f"{path.name} could be read in part only: {error.strerror or error}")
        if missing:
            archive.writestr("not-saved.txt", ("\n".join(missing) + "\n").encode("utf-8", "replace"))
    yield sink.take()


class _Sink(io.RawIOBase):
    """Where the zip is written to, to be taken away piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        self._held += data
        return memoryview(data).nbytes

    def take(self) -> bytes:
        taken, self._held = bytes(self._held), bytearray()
        return taken


def _free_name(name: str, taken: set[str]) -> str:
    """The name, or `name (2).jpg` and so on where another file of the zip has it; case is no difference."""
    name = name.encode("utf-8", "replace").decode()  # a name may hold bytes that are no text
    path, number, free = PurePath(name), 2, name
    while free.lower() in taken:
        free, number = f"{path.stem} ({number}){path.suffix}", number + 1
    taken.add(free.lower())
    return free


def _ids(text: str) -> list[int]:
    ids = [int(part) for part in text.split(",") if part.isascii() and part.isdigit() and len(part) < 19]
    if not 1 <= len(ids) <= MOST_FRAMES:
        raise QueryError(f"{len(ids)} frames are named; the field `frames` takes 1 to {MOST_FRAMES} ids")
    return ids


def _has_screen() -> bool:
    """Whether there is a desktop; on Linux its absence would be silent."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _reveal_command(path: Path) -> list[str]:
    if sys.platform == "darwin":
        return ["open", "-R", str(path)]
    if sys.platform == "win32":
        return ["explorer", f"/select,{path}"]
    return ["xdg-open", str(path.parent)]
