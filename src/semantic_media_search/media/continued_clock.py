"""A clock that goes on where a file's own starts again: chapters of a DVD, recordings joined end to end.

MPEG program and transport streams may do that anywhere (ISO/IEC 13818-1, 2.4.3.5), and by chance a leap far ahead:
FFmpeg takes a clock that starts again below its first value for one that has run over, 26 hours later.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import av

from semantic_media_search.media.packet_plan import MAX_HELD_BYTES

AnyPacket: TypeAlias = "av.Packet[Any]"
FORMATS = frozenset({"mpeg", "mpegts"})
"""FFmpeg's names of the containers whose clock may start again. In others such times are damage."""

_BACK, _AHEAD = 1.0, 10.0
"""Seconds between one packet and the next, in decoding order, beyond which the clock may have changed."""
_NO_PAUSE = 12 * 3600.0
"""Seconds ahead that no picture is held for."""
_SOUND_APART = 3.0
"""Seconds between sound and picture that lie side by side in a file."""


class ContinuedClock:
    """Moves the times of one video stream's packets so that they never start again.

    `restarts` counts the places where the clock started again. Where `continues` is False nothing is moved, and
    `first_loss` says where it first went back, in seconds of the stream's own clock.
    """

    def __init__(self, *, continues: bool) -> None:
        self.restarts = 0
        self.first_loss: float | None = None
        self._continues = continues
        self._held: AnyPacket | None = None
        self._unit = 0.0
        self._last: int | None = None
        self._step = self._end = 0
        self._shifts = (0, 0)

    @property
    def end(self) -> float:
        """Until when pictures were given out, in seconds of the stream's own clock, as it goes on."""
        return self._end * self._unit

    @property
    def shifts(self) -> tuple[float, float]:
        """By how many seconds packets are moved now, and were before the last restart."""
        return self._shifts[0] * self._unit, self._shifts[1] * self._unit

    def add(self, packet: AnyPacket) -> list[AnyPacket]:
        """Take the stream's next packet in file order; gives those, moved, of which it is clear where they belong.

        One whose time alone is out of line, as damage makes it, loses its time: what refers to it can still be decoded.
        """
        self._unit = self._unit or float(packet.time_base or 0)
        given = []
        if self._held is not None:
            if self._jumps_to(packet):
                given += self.finish()
            else:
                self._held.pts = self._held.dts = None
                given.append(self._held)
                self._held = None
        if self._jumps_to(packet):
            self._held = packet
        else:
            given.append(self._moved(packet))
        return given

    def finish(self) -> list[AnyPacket]:
        """What is still held back."""
        packet, self._held = self._held, None
        if packet is None:
            return []
        self._take_up(packet)
        return [self._moved(packet)]

    def _jumps_to(self, packet: AnyPacket) -> bool:
        # Of all times that in which packets are decoded never goes back by itself.
        if packet.dts is None or self._last is None:
            return False
        step = (packet.dts - self._last) * self._unit
        return step < -_BACK or step > _AHEAD

    def _take_up(self, packet: AnyPacket) -> None:
        """Go on from this packet, whose time jumps: over a pause, or by a clock that starts again."""
        assert packet.dts is not None
        assert self._last is not None
        step = (packet.dts - self._last) * self._unit
        self._last = packet.dts
        if step > 0 and not (self._continues and step > _NO_PAUSE):
            return
        if self._continues:
            self.restarts += 1
            self._shifts = (self._end - (packet.dts if packet.pts is None else packet.pts), self._shifts[0])
        elif self.first_loss is None:
            self.first_loss = self.end

    def _moved(self, packet: AnyPacket) -> AnyPacket:
        if packet.dts is not None:
            if self._last is not None and packet.dts > self._last:
                self._step = packet.dts - self._last
            self._last = packet.dts
            packet.dts += self._shifts[0]
        if packet.pts is not None:
            packet.pts += self._shifts[0]
            self._end = max(self._end, packet.pts + (packet.duration or self._step))
        return packet


def packets_from(
    container: av.container.InputContainer, video: av.VideoStream, audio: av.AudioStream | None, at: float
) -> Iterator[AnyPacket]:
    """The packets of a file whose clock starts again, moved, from the last key frame at or before `at` on.

    `at` is in seconds of the continued clock, without the origin taken off. Reads the file from its start, but holds
    back one group of pictures at most.
    """
    packets = _moved_packets(container, video, audio)
    held: list[AnyPacket] = []
    size = 0
    for packet in packets:
        if packet.stream_index == video.index and packet.time_base is not None:
            if packet.is_keyframe and packet.pts is not None and packet.pts * packet.time_base <= at:
                held, size = [], 0
            if packet.dts is not None and packet.dts * packet.time_base > at:
                held.append(packet)
                break
        held.append(packet)
        size += packet.size
        if size > MAX_HELD_BYTES:
            break
    yield from held
    yield from packets


def _moved_packets(
    container: av.container.InputContainer, video: av.VideoStream, audio: av.AudioStream | None
) -> Iterator[AnyPacket]:
    clock = ContinuedClock(continues=True)
    for packet in container.demux(*(stream for stream in (video, audio) if stream is not None)):
        if packet.stream_index != video.index:
            if _move_beside(packet, clock):
                yield packet
        elif not packet.size:
            yield from clock.finish()
            yield packet
        elif not packet.is_corrupt:
            yield from clock.add(packet)


def _move_beside(packet: AnyPacket, clock: ContinuedClock) -> bool:
    """Move sound to the pictures that it lies beside, in the file's part before the last restart or in that after it.

    False where it belongs to neither: it comes a moment before the part's first picture.
    """
    if packet.pts is None or packet.time_base is None:
        return not packet.size
    time, end = float(packet.pts * packet.time_base), clock.end
    shift = min(clock.shifts, key=lambda shift: abs(time + shift - end))
    if abs(time + shift - end) > _SOUND_APART:
        return False
    packet.pts += round(shift / packet.time_base)
    packet.dts = None if packet.dts is None else packet.dts + round(shift / packet.time_base)
    return True
