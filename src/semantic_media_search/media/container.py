"""Opening video files: only real containers on this disk, only their real video stream, one clock."""

from pathlib import Path

import av
from av.error import FFmpegError
from av.stream import Disposition

from semantic_media_search.errors import DecodeError, MediaTooLargeError, UnsupportedMediaError
from semantic_media_search.media.decode import MAX_PIXELS, describe_source, open_regular
from semantic_media_search.media.formats import HEADER_BYTES, sniff
from semantic_media_search.records import IMAGE

# Lists of our own: among FFmpeg's formats are playlists that open other files and addresses.
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg,mxf,"
    "mjpeg,h264,hevc",
}


def open_container(path: str | Path) -> av.container.InputContainer:
    """Open a video file for reading.

    Raises MediaUnreadableError, UnsupportedMediaError or DecodeError, naming the file.
    """
    name = describe_source(path)
    with open_regular(path) as file:
        header = file.read(HEADER_BYTES)
    if not header:
        raise DecodeError(f"{name} is empty (0 bytes)")
    found = sniff(header)
    if found is not None and found.kind == IMAGE:
        raise UnsupportedMediaError(
            f"{name} is named like a video but holds a picture ({found.format}): rename it"
        )
    try:
        return av.open(f"file:{path}", options=_OPTIONS, metadata_errors="replace")
    except FFmpegError as error:
        if found is None:
            raise UnsupportedMediaError(f"{name} holds no video of a known format") from error
        raise DecodeError(f"{name} is damaged ({found.format}: {error.strerror})") from error


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
