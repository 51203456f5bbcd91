"""Which packets of a video stream must be decoded to see one frame for every instant asked for.

Decoding costs far more than reading. A frame can be decoded once the key frame before it and the frames that
it refers to are; so for each group of pictures the plan is: nothing, the key frame alone, or everything that
others refer to up to the last frame wanted. Where key frames come often enough only they are decoded.

The stream is cut into windows: window k holds the instants nearer to k / fps than to any other sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Generic, Protocol, TypeVar

MAX_HELD_BYTES = 64 * 2**20
"""Packets of one group of pictures held back before the rest of the group is simply decoded whole."""


class Timed(Protocol):
    """What the plan needs to know of a packet (an `av.Packet`)."""

    @property
    def is_keyframe(self) -> bool: ...
    @property
    def is_discard(self) -> bool: ...
    @property
    def size(self) -> int: ...


P = TypeVar("P", bound=Timed)


@dataclass(frozen=True, slots=True)
class Feed(Generic[P]):
    """A packet to decode now; `wanted` is False if no picture of it is needed, only what refers to it.

    `follows` is False where packets before it in the file were left out.
    """

    packet: P
    wanted: bool
    follows: bool = True


@dataclass(frozen=True, slots=True)
class _Entry(Generic[P]):
    packet: P
    at: int
    time: float
    window: int
    distance: float


def window_of(time: float, fps: float) -> tuple[int, float]:
    """The window of an instant (seconds) and its distance in seconds from that window's sample."""
    window = floor(time * fps + 0.5)
    return window, abs(time - window / fps)


class PacketPlan(Generic[P]):
    """Takes the packets of one stream in file order; gives those to decode, in decoding order.

    Packets are held back until it is known whether they are needed: at most one group of pictures, and at
    most `max_held_bytes`.
    """

    def __init__(self, fps: float, max_held_bytes: int = MAX_HELD_BYTES) -> None:
        self._fps = fps
        self._max_held_bytes = max_held_bytes
        self._taken = 0
        self._last_fed = -1
        # The key frame nearest to its window's sample, the latest key frame, and what follows that one.
        self._best_key: _Entry[P] | None = None
        self._key: _Entry[P] | None = None
        self._group: list[_Entry[P]] = []
        self._held_bytes = 0
        self._streaming = False

    def add(self, packet: P, time: float | None) -> Sequence[Feed[P]]:
        """Take the next packet, presented at `time` seconds; None where the file does not say."""
        known = 0.0 if time is None else time
        entry = _Entry(packet, self._taken, known, *window_of(known, self._fps))
        self._taken += 1
        if time is None:
            return [*self._stream_on(), self._feed(entry)]
        if self._key is None and not self._streaming:
            self._key = self._best_key = entry
            return ()
        if packet.is_keyframe and not packet.is_discard:
            return self._next_group(entry)
        if self._streaming:
            return [self._feed(entry)]
        # A picture shown before the key frame that it follows needs the group before: perhaps not decoded.
        if self._key is not None and time < self._key.time:
            return ()
        self._group.append(entry)
        self._held_bytes += packet.size
        return self._stream_on() if self._held_bytes > self._max_held_bytes else ()

    def finish(self, end: float) -> Sequence[Feed[P]]:
        """What remains to be decoded at the end of the stream, for instants before `end` seconds."""
        feeds = self._resolve(ceil(end * self._fps))
        self._key = self._best_key = None
        return feeds

    def _next_group(self, key: _Entry[P]) -> Sequence[Feed[P]]:
        feeds = self._resolve(key.window)
        best = self._best_key
        if best is None or key.window != best.window or key.distance < best.distance:
            self._best_key = key
        self._key, self._group, self._held_bytes, self._streaming = key, [], 0, False
        return feeds

    def _resolve(self, next_window: int) -> list[Feed[P]]:
        """What the windows before `next_window` need of the group that ends and of earlier key frames."""
        key, best = self._key, self._best_key
        if key is None:
            return []
        nearest: dict[int, _Entry[P]] = {}
        for entry in self._group:
            if key.window < entry.window < next_window and not entry.packet.is_discard:
                rival = nearest.get(entry.window)
                if rival is None or entry.distance < rival.distance:
                    nearest[entry.window] = entry
        chosen = {entry.at for entry in nearest.values()}
        feeds: list[Feed[P]] = []
        if best is not None and next_window != key.window and not (best is key and chosen):
            feeds.append(self._feed(best))
            self._best_key = None
        if chosen:
            feeds.append(self._feed(key))
            last = max(at for at, entry in enumerate(self._group) if entry.at in chosen)
            feeds += [self._feed(entry, entry.at in chosen) for entry in self._group[: last + 1]]
            self._best_key = None
        return feeds

    def _stream_on(self) -> list[Feed[P]]:
        """Give up planning for the rest of this group: decode all of it."""
        keys = [key for key in (self._best_key, self._key) if key is not None]
        held = {entry.at: entry for entry in [*keys, *self._group]}
        self._best_key = self._key = None
        self._group, self._held_bytes, self._streaming = [], 0, True
        return [self._feed(entry) for entry in held.values()]

    def _feed(self, entry: _Entry[P], wanted: bool = True) -> Feed[P]:
        follows = entry.at == self._last_fed + 1
        self._last_fed = entry.at
        return Feed(entry.packet, wanted, follows)
