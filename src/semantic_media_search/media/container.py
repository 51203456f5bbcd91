"""Opening video files: only real containers on this disk, only their real video stream, one clock."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import av
from av.error import FFmpegError
from av.stream import Disposition

from semantic_media_search.errors import (
    DecodeError,
    MediaTooLargeError,
    UnsupportedMediaError,
)
from semantic_media_search.media.decode import MAX_PIXELS
from semantic_media_search.media.formats import HEADER_BYTES, MOTION_JPEG_EXTENSIONS, Sniffed, sniff
from semantic_media_search.media.opening import describe_source, open_regular
from semantic_media_search.media.watched_file import WatchedFile, not_enough_memory
from semantic_media_search.records import IMAGE

# Lists of our own: among FFmpeg's formats are playlists that open other files and addresses.
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg,mxf,"
    "mjpeg,h264,hevc",
}

TIMES_COUNTED = frozenset({"avi", "mpegvideo"})
"""Formats without times: FFmpeg counts their frames, and starts late by the decoder's delay."""
_BUFFER_BYTES = 1 << 16


@contextmanager
def open_container(path: str | Path) -> Iterator[av.container.InputContainer]:
    """Open a video file for reading, for as long as the block lasts.

    Raises MediaUnreadableError, UnsupportedMediaError or DecodeError, naming the file. Within the block, whatever
    reads from the file raises MediaUnreadableError where the disk fails (errors of a file that PyAV reads through come
    out of the call that was reading).
    """
    with open_regular(path) as file:
        name = describe_source(path)
        # FFmpeg guesses formats that have no signature by the extension.
        motion_jpeg = Path(path).suffix.lower() in MOTION_JPEG_EXTENSIONS
        watched = WatchedFile(file, name, f"file:{path}")
        with closing(_open(watched, name, may_be_jpegs=motion_jpeg)) as container:
            yield container


def _open(file: WatchedFile, name: str, *, may_be_jpegs: bool) -> av.container.InputContainer:
    header = file.read(HEADER_BYTES)
    file.seek(0)
    if not header:
        raise DecodeError(f"{name} is empty (0 bytes)")
    found = sniff(header)
    picture = found is not None and found.kind == IMAGE
    if found is not None and picture and not (may_be_jpegs and found.format == "JPEG"):
        raise _holds_a_picture(name, found)
    try:
        return av.open(file, "r", options=_OPTIONS, metadata_errors="replace", buffer_size=_BUFFER_BYTES)
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise not_enough_memory(name) from error
        if found is None:
            raise UnsupportedMediaError(f"{name} holds no video of a known format") from error
        if picture:
            raise _holds_a_picture(name, found) from error
        raise DecodeError(f"{name} is damaged ({found.format}: {error.strerror})") from error


def _holds_a_picture(name: str, found: Sniffed) -> UnsupportedMediaError:
    return UnsupportedMediaError(
        f"{name} is named like a video but holds a picture ({found.format}): rename it"
    )


def choose_video_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """The first real video stream of the file `name` (a cover picture is none), made ready to decode.

    Raises UnsupportedMediaError or MediaTooLargeError.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise UnsupportedMediaError(f"{name} holds no video stream")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise UnsupportedMediaError(f"{name} uses a video codec that is not known")
    if context.width * context.height > MAX_PIXELS:
        raise MediaTooLargeError(
            f"{name} is refused: {context.width} x {context.height} pixels, more than {MAX_PIXELS}"
        )
    context.thread_type = "AUTO"
    return stream


def clock_origin(container: av.container.InputContainer) -> float:
    """Where on the file's clock, in seconds, time zero is: at the start of its earliest stream."""
    return max(0.0, (container.start_time or 0) / 1e6)
