"""Frames of a video at regular instants of its own clock, decoding no more than they need."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.error import FFmpegError

from semantic_media_search.errors import DecodeError
from semantic_media_search.media.container import (
    TIMES_COUNTED,
    choose_video_stream,
    clock_origin,
    open_container,
)
from semantic_media_search.media.continued_clock import FORMATS, AnyPacket, ContinuedClock
from semantic_media_search.media.nal_units import starts_afresh
from semantic_media_search.media.opening import describe_source
from semantic_media_search.media.packet_plan import Feed, PacketPlan, window_of
from semantic_media_search.media.video_info import (
    VideoInfo,
    capture_from_container,
    declared_duration,
    declared_video_duration,
)
from semantic_media_search.media.video_pixels import FrameConverter, quarter_turns
from semantic_media_search.media.watched_file import not_enough_memory
from semantic_media_search.records import U8

_DENSE = 3
"""Sampling more than one frame in this many leaves nothing to plan: everything is decoded."""


_CLOCK_STEP = 0.002
"""Seconds: the coarsest step in which containers count, with room for rounding."""


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """One frame: `timestamp`, seconds of the file's clock; `pixels`, upright uint8 RGB [H, W, 3]."""

    timestamp: float
    pixels: U8


class VideoReader:
    """Reads one video file once, from start to end; use it in a `with` block.

    `problem` says, once `sample` has ended, what kept it from the whole of the file, in words for the person;
    None where all was well. `on_progress` is called for every packet read. Raises MediaUnreadableError,
    UnsupportedMediaError, DecodeError or MediaTooLargeError when the file is opened, and MediaUnreadableError where
    reading it fails later: that says nothing of what is in it.
    """

    def __init__(self, path: str | Path, on_progress: Callable[[], None] | None = None) -> None:
        self._on_progress = on_progress
        self._name = describe_source(path)
        with ExitStack() as opened:
            self._container = opened.enter_context(open_container(path))
            self._stream = choose_video_stream(self._container, self._name)
            self._opened = opened.pop_all()
        self._rotation: int | None = None
        self._last_seen: float | None = None
        self._damaged = 0
        self._kept = 0
        self.problem: str | None = None
        self._origin = clock_origin(self._container)
        self._counts_frames = self._container.format.name in TIMES_COUNTED
        self._clock = ContinuedClock(continues=self._container.format.name in FORMATS)
        sample_aspect = self._stream.sample_aspect_ratio
        self._shape = float(sample_aspect) if sample_aspect else 1.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    @property
    def seconds_read(self) -> float:
        """How far into the video, by its own clock, reading has come."""
        return self._last_seen or 0.0

    @property
    def info(self) -> VideoInfo:
        """Facts about the file. The rotation, and where the file does not say it the duration, are known only
        once frames were read.
        """
        context = self._stream.codec_context
        converter = FrameConverter(self._shape, None)
        width, height = converter.displayed_size(context.width, context.height, self._rotation or 0)
        audio = self._container.streams.audio
        duration = None if self._clock.restarts else declared_duration(self._container, self._stream)
        return VideoInfo(
            width=width,
            height=height,
            duration=duration if duration is not None else self._last_seen,
            fps=float(self._stream.average_rate) if self._stream.average_rate else None,
            codec=context.codec.canonical_name,
            pixel_format=context.pix_fmt or "",
            container=self._container.format.name,
            audio_codec=audio[0].codec_context.codec.canonical_name if audio else None,
            rotation=self._rotation or 0,
            capture=capture_from_container(self._container),
        )

    def sample(self, fps: float, max_side: int | None = None) -> Iterator[TimedFrame]:
        """The frame nearest to each of 0, 1/fps, 2/fps ... seconds, in order, scaled down to `max_side`.

        The clock's zero is where the file's earliest stream starts; where the clock of an MPEG stream starts again in
        the middle, it goes on. Each frame carries its own presentation time, at most half an interval from the instant
        asked for; where key frames lie that near, they are taken. Instants without a frame that near (a picture held
        for long) give none. What is damaged is left out; see `problem`.

        Raises DecodeError if not one frame can be read.
        """
        converter = FrameConverter(self._shape, max_side)
        best: tuple[int, float, float, av.VideoFrame] | None = None
        for time, frame in self._decoded(fps):
            window, distance = window_of(time, fps)
            if best is not None and window > best[0]:
                yield self._emit(best[2], best[3], converter)
                best = None
            if best is None or (window == best[0] and distance < best[1]):
                best = (window, distance, time, frame)
        # The last window's own instant may lie beyond the end of the video: then nobody asked for it.
        if best is not None and (best[0] / fps < (self._last_seen or 0.0) - _CLOCK_STEP or not self._kept):
            yield self._emit(best[2], best[3], converter)
        self._conclude()

    def _emit(self, time: float, frame: av.VideoFrame, converter: FrameConverter) -> TimedFrame:
        self._kept += 1
        return TimedFrame(round(time, 6), converter.to_rgb(frame))

    def _decoded(self, fps: float) -> Iterator[tuple[float, av.VideoFrame]]:
        """The decoded frames that matter, in order of presentation, with their times in seconds."""
        rate = float(self._stream.average_rate or 0)
        plan: PacketPlan[AnyPacket] | None = PacketPlan(fps) if rate > fps * _DENSE or not rate else None
        for packet in self._continued():
            if self._counts_frames and self._last_seen is None:
                self._origin += self._time(packet) or 0.0
            time = self._time(packet)
            feeds = plan.add(packet, time) if plan is not None else [Feed(packet, wanted=True)]
            if time is not None and not packet.is_discard:
                length = float((packet.duration or 0) * (packet.time_base or 0))
                self._last_seen = max(self._last_seen or 0.0, time + length)
            for feed in feeds:
                yield from self._decode(feed)
        for feed in plan.finish(self._last_seen or 0.0) if plan is not None else ():
            yield from self._decode(feed)
        yield from self._decode(None)

    def _continued(self) -> Iterator[AnyPacket]:
        for packet in self._packets():
            yield from self._clock.add(packet)
        yield from self._clock.finish()

    def _packets(self) -> Iterator[AnyPacket]:
        try:
            for packet in self._container.demux(self._stream):
                if self._on_progress is not None:
                    self._on_progress()
                if packet.is_corrupt:
                    self._damaged += 1
                elif packet.size:
                    yield packet
        except FFmpegError as error:
            if isinstance(error, MemoryError):
                raise not_enough_memory(self._name) from error
            self.problem = f"reading stopped: {error.strerror}"
        except IndexError:  # PyAV's way with a stream that turns up only in the middle of a damaged file
            self.problem = "reading stopped: a stream that the file does not declare"

    def _decode(self, feed: Feed[AnyPacket] | None) -> Iterator[tuple[float, av.VideoFrame]]:
        context = self._stream.codec_context
        if feed is not None:
            context.skip_frame = "DEFAULT" if feed.wanted else "NONREF"
            if feed.packet.is_keyframe and not feed.follows and not self._starts_afresh(feed.packet):
                yield from self._decode(None)
                context.flush_buffers()
        try:
            frames = context.decode(feed.packet if feed is not None else None)
        except FFmpegError as error:
            if isinstance(error, MemoryError):
                raise not_enough_memory(self._name) from error
            self._damaged += 1
            return
        for frame in frames:
            time = self._time(frame)
            if frame.is_corrupt:
                self._damaged += 1
            elif time is not None and time >= 0:
                if self._rotation is None:
                    self._rotation = quarter_turns(frame.rotation) * 90
                yield time, frame

    def _starts_afresh(self, packet: AnyPacket) -> bool:
        context = self._stream.codec_context
        return starts_afresh(context.codec.canonical_name, memoryview(packet), context.extradata)

    def _time(self, timed: "AnyPacket | av.VideoFrame") -> float | None:
        # Frames that a decoder gives up only at the end of the stream carry no time base of their own.
        time_base = timed.time_base or self._stream.time_base
        if timed.pts is None or time_base is None:
            return None
        return float(timed.pts * time_base) - self._origin

    def _conclude(self) -> None:
        if not self._kept:
            raise DecodeError(f"{self._name} is damaged: not one frame of it can be decoded")
        declared, seen = declared_video_duration(self._container, self._stream), self._last_seen
        if self._clock.restarts:
            declared = None
        if (
            self.problem is None
            and declared
            and seen is not None
            and seen < declared - max(1.0, declared * 0.05)
        ):
            self.problem = f"the file ends after {seen:.1f} of {declared:.1f} seconds"
        if self.problem is None and self._clock.first_loss is not None:
            at = self._clock.first_loss - self._origin
            self.problem = f"its clock goes back at {at:.1f} seconds: some of what follows was left out"
        if self.problem is None and self._damaged:
            self.problem = f"{self._damaged} damaged places were left out"
        if self.problem is not None:
            self.problem = f"kept {self._kept} frames, then: {self.problem}"


def sample_frames(path: str | Path, fps: float, max_side: int | None = None) -> Iterator[TimedFrame]:
    """Frames of the video at `path` at 0, 1/fps, 2/fps ... seconds; see `VideoReader.sample`."""
    with VideoReader(path) as reader:
        yield from reader.sample(fps, max_side)


def probe_video(path: str | Path) -> VideoInfo:
    """Facts about a video, found by decoding one frame of it. Raises as `VideoReader` and its `sample` do."""
    with VideoReader(path) as reader:
        next(reader.sample(1.0, max_side=16), None)
        return reader.info
