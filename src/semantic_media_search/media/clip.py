"""An exact piece of any video, as a small MP4 that every browser plays: H.264 4:2:0, AAC, index in front."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace

from semantic_media_search.errors import DecodeError, QueryError
from semantic_media_search.media.container import (
    TIMES_COUNTED,
    choose_video_stream,
    clock_origin,
    open_container,
)
from semantic_media_search.media.continued_clock import FORMATS, AnyPacket, packets_from
from semantic_media_search.media.opening import describe_source
from semantic_media_search.media.video_info import declared_duration
from semantic_media_search.media.video_pixels import FrameConverter

_CLOCK = Fraction(1, 90_000)
_AUDIO_RATE = 48_000
_DURATIONS_APART = 0.5
"""Seconds: half of the least by which a clock that starts again goes back."""
_SEEK_MARGINS = (0.0, 5.0, 30.0)
"""Seconds before the start to seek to, one after the other, until the picture shown at the start is reached."""


def write_clip(
    source: str | Path,
    start: float,
    end: float,
    out_path: str | Path,
    *,
    max_height: int = 720,
    duration: float | None = None,
) -> None:
    """Write what `source` shows and sounds from `start` to `end` (seconds of its clock) as an MP4 file.

    The clip begins with the picture that is on the screen at `start`, whether or not a new one begins there, and
    lasts until `end` or the end of the video. Pictures are turned upright, made square-pixelled and scaled down
    to `max_height`; sound becomes 48 kHz stereo. The file appears whole or not at all. `duration` is what
    `VideoReader` found: where the file says another, its clock starts again in the middle.

    Raises QueryError for times that make no piece of the video, and the MediaErrors of `media.video`.
    """
    if not 0 <= start < end:
        raise QueryError(
            f"no clip goes from {start} to {end} seconds: the start must lie before the end, from 0 on"
        )
    out = Path(out_path)
    beside = out.with_name(out.name + ".part")
    try:
        origin, name = _origin(source), describe_source(source)
        with open_container(source) as container:
            video = choose_video_stream(container, name)
            audio = next(iter(container.streams.audio), None)
            if _starts_again(container, video, duration):
                packets = packets_from(container, video, audio, origin + start)
            else:
                seek_to = _key_frame_before(source, origin, start)
                if seek_to is not None:
                    container.seek(seek_to)
                packets = container.demux(*(stream for stream in (video, audio) if stream is not None))
            _cut(packets, video, audio, name, origin, start, end, beside, max_height)
        beside.replace(out)
    except (FFmpegError, IndexError) as error:  # IndexError: see `VideoReader`
        raise DecodeError(f"{describe_source(source)} cannot be cut: {error}") from error
    finally:
        beside.unlink(missing_ok=True)


def _starts_again(
    container: av.container.InputContainer, video: av.VideoStream, duration: float | None
) -> bool:
    """Whether the file's clock starts again in the middle: then its times lead nowhere, and it is read from the start.

    To find that out by reading would take as long as reading all of the file does.
    """
    declared = declared_duration(container, video)
    if container.format.name not in FORMATS or duration is None or declared is None:
        return False
    return abs(declared - duration) > _DURATIONS_APART


def _cut(
    packets: Iterable[AnyPacket],
    stream: av.VideoStream,
    audio: av.AudioStream | None,
    name: str,
    origin: float,
    start: float,
    end: float,
    out: Path,
    max_height: int,
) -> None:
    aspect = stream.sample_aspect_ratio
    with _ClipWriter(
        out, stream, float(aspect) if aspect else 1.0, max_height, with_sound=audio is not None
    ) as writer:
        shown: tuple[float, av.VideoFrame] | None = None
        video_done = audio_done = False
        for frame in _frames(packets):
            if frame.pts is None or frame.time_base is None:
                continue
            time = float(frame.pts * frame.time_base) - origin
            if isinstance(frame, av.AudioFrame):
                audio_done = time >= end
                writer.add_sound(frame, time - start, end - start)
            elif time < end:
                if shown is not None and time > start:
                    writer.add_picture(shown[1], max(shown[0], start) - start, time - start)
                shown = (time, frame)
            else:
                video_done = True
            if video_done and (audio is None or audio_done or time > end + 2):
                break
        if shown is None or (not video_done and shown[0] + _one_frame(stream) <= start):
            raise QueryError(f"{name} shows nothing from {start} to {end} seconds: it ends before")
        until = end if video_done else min(end, shown[0] + _one_frame(stream))
        writer.add_picture(shown[1], max(shown[0], start) - start, until - start)


def _origin(source: str | Path) -> float:
    """Zero of the file's clock; where FFmpeg makes the times up, that of the first frame (see `VideoReader`)."""
    with open_container(source) as container:
        if container.format.name in TIMES_COUNTED:
            return _first_packet(container, choose_video_stream(container, describe_source(source)))[0]
        return clock_origin(container)


def _key_frame_before(source: str | Path, origin: float, start: float) -> int | None:
    """Where to seek to, in microseconds, for a key frame from which the picture shown at `start` can be decoded.

    Seeking in files without an index may end up too late, or nowhere: what was found is looked at, each time
    further ahead. None means the file's beginning.
    """
    for margin in _SEEK_MARGINS:
        if start - margin <= 0:
            break
        target = int((origin + start - margin) * 1e6)
        try:
            with open_container(source) as container:
                stream = choose_video_stream(container, describe_source(source))
                container.seek(target)
                time, is_key = _first_packet(container, stream)
            if is_key and time <= origin + start:
                return target
        except FFmpegError:
            continue
    return None


def _first_packet(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[float, bool]:
    """Time of the next packet of the stream, and whether it is a key frame; infinity where there is none."""
    for packet in container.demux(stream):
        if packet.pts is not None and packet.time_base is not None:
            return float(packet.pts * packet.time_base), packet.is_keyframe
    return inf, False


def _frames(packets: Iterable[AnyPacket]) -> Iterator[av.VideoFrame | av.AudioFrame]:
    for packet in packets:
        try:
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame | av.AudioFrame):
                    if frame.time_base is None and packet.stream is not None:
                        frame.time_base = packet.stream.time_base or _CLOCK
                    yield frame
        except FFmpegError:  # a damaged place: go on behind it
            continue


def _one_frame(stream: av.VideoStream) -> float:
    return float(1 / stream.average_rate) if stream.average_rate else 0.04


@dataclass(slots=True)
class _Sound:
    stream: av.AudioStream
    resampler: av.AudioResampler
    written: int = 0


class _ClipWriter:
    """Encodes pictures and sound that come with times relative to the clip's start, in seconds."""

    def __init__(
        self, out: Path, source: av.VideoStream, aspect: float, max_height: int, *, with_sound: bool
    ) -> None:
        self._container = av.open(str(out), "w", format="mp4", container_options={"movflags": "+faststart"})
        self._source = source
        self._aspect = aspect
        self._max_height = max_height
        self._converter: FrameConverter | None = None
        self._video: av.VideoStream | None = None
        self._sound: _Sound | None = None
        self._early_sound: list[tuple[av.AudioFrame, float, float]] = []
        if with_sound:
            stream = self._container.add_stream("aac", rate=_AUDIO_RATE, layout="stereo")
            self._sound = _Sound(stream, av.AudioResampler("fltp", "stereo", _AUDIO_RATE))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                for stream in (self._video, self._sound.stream if self._sound else None):
                    if stream is not None:
                        self._container.mux(stream.encode(None))
        finally:
            self._container.close()

    def add_picture(self, frame: av.VideoFrame, start: float, end: float) -> None:
        """Show this frame from `start` to `end`."""
        picture = self._upright(frame)
        if self._video is None:
            self._video = self._add_video(picture.width, picture.height)
            for early in self._early_sound:
                self.add_sound(*early)
            self._early_sound.clear()
        if (picture.width, picture.height) != (self._video.width, self._video.height):
            return  # a stream that changes its size in the middle
        picture.time_base = _CLOCK
        picture.pts = round(start / _CLOCK)
        picture.duration = max(1, round(end / _CLOCK) - picture.pts)
        self._container.mux(self._video.encode(picture))

    def add_sound(self, frame: av.AudioFrame, start: float, length: float) -> None:
        """Take in sound that begins at `start`; what lies before 0 or after `length` is cut off to the sample."""
        if self._sound is None:
            return
        if self._video is None:
            # The file's header, written before its first packet, has to name the video stream too.
            self._early_sound.append((frame, start, length))
            return
        frame.pts = None
        for part in self._sound.resampler.resample(frame):
            samples = np.asarray(part.to_ndarray(), np.float32)
            first = round(start * _AUDIO_RATE)
            start += samples.shape[1] / _AUDIO_RATE
            skip = max(0, self._sound.written - first)
            stop = round(length * _AUDIO_RATE) - first
            samples = samples[:, skip : max(stop, 0)]
            if samples.shape[1]:
                kept = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(samples), format="fltp", layout="stereo"
                )
                kept.sample_rate = _AUDIO_RATE
                kept.time_base = Fraction(1, _AUDIO_RATE)
                kept.pts = first + skip
                self._sound.written = kept.pts + samples.shape[1]
                self._container.mux(self._sound.stream.encode(kept))

    def _upright(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self._converter is None:
            width, height = FrameConverter(self._aspect, None).displayed_size(
                frame.width, frame.height, round(frame.rotation)
            )
            scale = min(1.0, self._max_height / height)
            self._converter = FrameConverter(self._aspect, max(2, round(max(width, height) * scale)))
        return self._converter.to_yuv420(frame)

    def _add_video(self, width: int, height: int) -> av.VideoStream:
        stream = self._container.add_stream(
            "libx264",
            rate=self._source.average_rate or 25,
            # Without B-frames, since reordered uneven times would give the file a wrong length.
            options={"preset": "veryfast", "crf": "23", "x264-params": "bframes=0:log-level=error"},
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.flags |= Flags.frame_duration
        stream.codec_context.time_base = stream.time_base = _CLOCK
        stream.codec_context.colorspace = Colorspace.ITU709
        stream.codec_context.color_range = ColorRange.MPEG
        return stream
