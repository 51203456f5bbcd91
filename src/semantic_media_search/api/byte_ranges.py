"""Byte ranges of files, as RFC 9110 (section 14) has them: what a video player needs to seek."""

import os
import re
from collections.abc import Iterator
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from semantic_media_search.media.opening import open_regular

_CHUNK = 256 << 10
_RANGE = re.compile(r"bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)", re.IGNORECASE)


class UnsatisfiableRangeError(ValueError):
    """A well-formed range that lies beyond the file: 416."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """(first, last) byte of a Range header, both included, for a file of `size` bytes; None: send all of it.

    Malformed headers, other units and several ranges are answered with the whole file, as section 14.2 allows.
    Raises UnsatisfiableRangeError.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        suffix = _number(match[2])
        if suffix == 0 or size == 0:
            raise UnsatisfiableRangeError(header)
        return max(0, size - suffix), size - 1
    first = _number(match[1])
    last = _number(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise UnsatisfiableRangeError(header)
    return first, min(last, size - 1)


def _number(digits: str) -> int:
    """A number that may have any count of digits: beyond 18, it lies beyond every file."""
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else 10**18


class FileSpan(StreamingResponse):
    """Bytes `first` to `last` of an open file, which is closed however the answer ends."""

    def __init__(
        self, file: BinaryIO, first: int, last: int, status: int, headers: dict[str, str], kind: str
    ):
        super().__init__(_read(file, first, last), status, headers, kind)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def file_response(
    request: Request, path: Path, media_type: str, *, cache: str, filename: str | None = None
) -> Response:
    """A file with validators and ranges; `filename` makes the browser save it.

    Raises MediaUnreadableError where it is gone, or is no regular file.
    """
    file = open_regular(path)
    try:
        response = _answer(request, file, os.fstat(file.fileno()), media_type, cache, filename)
    except BaseException:
        file.close()
        raise
    if not isinstance(response, FileSpan):
        file.close()
    return response


def _answer(
    request: Request, file: BinaryIO, stat: os.stat_result, media_type: str, cache: str, filename: str | None
) -> Response:
    size = stat.st_size
    etag = f'"{stat.st_mtime_ns:x}-{size:x}"'
    modified = formatdate(stat.st_mtime, usegmt=True)
    headers = {"ETag": etag, "Last-Modified": modified, "Cache-Control": cache, "Accept-Ranges": "bytes"}
    if filename is not None:
        headers["Content-Disposition"] = attachment(filename)
    if _not_modified(request, etag, stat.st_mtime):
        return Response(status_code=304, headers=headers)
    try:
        span = parse_range(_wanted_range(request, etag, modified), size)
    except UnsatisfiableRangeError:
        return Response(
            status_code=416, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        )
    first, last = span or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if span is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    status = 206 if span is not None else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    if last - first < _CHUNK:
        return Response(b"".join(_read(file, first, last)), status, headers, media_type)
    return FileSpan(file, first, last, status, headers, media_type)


def attachment(filename: str) -> str:
    """A Content-Disposition that saves under this name (RFC 6266; the name in UTF-8 and in ASCII)."""
    filename = filename.encode("utf-8", "replace").decode()  # a name may hold bytes that are no text
    plain = re.sub(r'[^ -~]|["\\]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _wanted_range(request: Request, etag: str, modified: str) -> str | None:
    """The Range header, unless If-Range says that it was meant for another state of the file."""
    condition = request.headers.get("if-range")
    if condition is not None and condition.strip() not in (etag, modified):
        return None
    return request.headers.get("range") if request.method == "GET" else None


def _not_modified(request: Request, etag: str, mtime: float) -> bool:
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return int(mtime) <= parsedate_to_datetime(since).timestamp()
    except ValueError:
        return False


def _read(file: BinaryIO, first: int, last: int) -> Iterator[bytes]:
    file.seek(first)
    left = last - first + 1
    while left > 0 and (chunk := file.read(min(_CHUNK, left))):
        left -= len(chunk)
        yield chunk
