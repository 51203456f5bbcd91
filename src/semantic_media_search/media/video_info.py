"""What a video file says of itself: size, length, codec, when and where it was taken."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import av

from semantic_media_search.media.capture import CaptureData, camera_name, checked_position

_ISO_6709 = re.compile(r"([+-]\d{1,2}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)")
_CLOCK_TIME = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")
_TIME_KEYS = ("com.apple.quicktime.creationdate", "creation_time", "date", "DATE_RECORDED")
_PLACE_KEYS = ("com.apple.quicktime.location.ISO6709", "location", "location-eng")
_BARE_STREAMS = frozenset({"mpegvideo", "m4v", "h264", "hevc", "mjpeg"})
"""Formats without a container: where FFmpeg gives a length, it guessed it from a bit rate."""
_BROWSER_CODECS = {
    "mp4": ({"h264", "av1", "vp9"}, {None, "aac", "mp3", "opus", "flac"}),
    "webm": ({"vp8", "vp9", "av1"}, {None, "opus", "vorbis"}),
}


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts about a video. `width` and `height` are pixels as shown: turned upright, pixels made square.

    `duration` is seconds and `fps` the average frames a second; each is None where the file does not say.
    `codec`, `audio_codec` and `container` are FFmpeg's names; `rotation` is the turn counterclockwise, in
    degrees, that makes the stored picture upright.
    """

    width: int
    height: int
    duration: float | None
    fps: float | None
    codec: str
    pixel_format: str
    container: str
    audio_codec: str | None
    rotation: int
    capture: CaptureData

    @property
    def plays_in_browsers(self) -> bool:
        """Whether every current browser plays the file as it is: 8-bit 4:2:0 in an MP4, MOV or WebM."""
        family = "mp4" if "mp4" in self.container else "webm" if "webm" in self.container else ""
        video, audio = _BROWSER_CODECS.get(family, (set(), set()))
        plain = self.pixel_format in ("yuv420p", "yuvj420p")
        return plain and self.codec in video and self.audio_codec in audio


def capture_from_container(container: av.container.InputContainer) -> CaptureData:
    """When, with what and where, from the container's and the streams' metadata."""
    tags: dict[str, str] = {}
    for stream in container.streams:
        tags |= stream.metadata
    tags |= container.metadata
    return CaptureData(
        captured_at=next((time for key in _TIME_KEYS if (time := parse_container_time(tags.get(key)))), None),
        camera=camera_name(
            tags.get("com.apple.quicktime.make") or tags.get("com.android.manufacturer") or tags.get("make"),
            tags.get("com.apple.quicktime.model") or tags.get("com.android.model") or tags.get("model"),
        ),
        gps=_position(tags),
    )


def declared_duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """How many seconds the file says that the video is long; else, for the whole of it, how long the file is."""
    if container.format.name in _BARE_STREAMS:
        return None
    duration = declared_video_duration(container, stream)
    return duration or (container.duration / 1e6 if container.duration else None)


def declared_video_duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """How many seconds the file says that the video stream is long."""
    if container.format.name in _BARE_STREAMS:
        return None
    if stream.duration is not None and stream.time_base is not None:
        duration = float(stream.duration * stream.time_base)
        if container.format.name == "avi" and stream.average_rate:
            # FFmpeg shortens the duration of a truncated AVI, but not its count of frames.
            duration = max(duration, float(stream.frames / stream.average_rate))
        return duration
    if container.duration and len(container.streams) == 1:
        return float(container.duration) / 1e6
    return parse_matroska_duration(stream.metadata.get("DURATION"))


def parse_container_time(text: str | None) -> str | None:
    """ISO 8601 to the second, with the zone if there is one; the zero of a container's clock is no time."""
    try:
        time = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    zero = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    if zero.year < 1905 or (zero.year, zero.month, zero.day) in ((1970, 1, 1), (1969, 12, 31)):
        return None
    return time.isoformat(timespec="seconds")


def parse_matroska_duration(text: str | None) -> float | None:
    """Seconds of a stream's DURATION tag, `00:01:02.500000000`; None for anything else."""
    match = _CLOCK_TIME.fullmatch((text or "").strip())
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else None


def _position(tags: Mapping[str, str]) -> tuple[float, float] | None:
    for key in _PLACE_KEYS:
        match = _ISO_6709.match(tags.get(key, "").strip())
        if match:
            return checked_position(float(match[1]), float(match[2]))
    return None
