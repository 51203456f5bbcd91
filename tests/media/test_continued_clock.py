"""A clock that starts again is told from one packet out of line, and from a picture that is held."""

from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import pytest

from semantic_media_search.media.continued_clock import AnyPacket, ContinuedClock


@dataclass
class FakePacket:
    """Times in tenths of a second."""

    dts: int | None
    pts: int | None
    duration: int | None = 1
    time_base: Fraction = Fraction(1, 10)


def times_after(
    packets: list[FakePacket], *, continues: bool = True
) -> tuple[list[int | None], ContinuedClock]:
    clock = ContinuedClock(continues=continues)
    given = [moved for packet in packets for moved in clock.add(cast("AnyPacket", packet))] + clock.finish()
    assert [id(packet) for packet in given] == [id(packet) for packet in packets]
    return [packet.pts for packet in given], clock


def stream(*times: int) -> list[FakePacket]:
    return [FakePacket(time, time) for time in times]


def test_times_in_order_stay_as_they_are() -> None:
    for times in ([5, 6, 7], [0, 1, 5000, 5001], [0, 200, 400, 600, 601], [0, 1, -5, 2]):
        found, clock = times_after(stream(*times))
        assert found == times
        assert clock.restarts == 0


def test_a_clock_that_starts_again_goes_on_from_the_end() -> None:
    found, clock = times_after(stream(7, 8, 9, *range(100, 200), 0, 1, 2, 3, 50, 51, 30, 31))
    assert found == [7, 8, 9, *range(100, 200), 200, 201, 202, 203, 250, 251, 252, 253]
    assert clock.restarts == 2
    assert clock.end == pytest.approx(25.4)


def test_a_leap_too_far_for_a_pause_is_a_restart() -> None:
    day = 24 * 36_000
    found, clock = times_after(stream(0, 1, 2, day, day + 1))
    assert found == [0, 1, 2, 3, 4]
    assert clock.restarts == 1


def test_one_packet_out_of_line_loses_its_time() -> None:
    for wrong in (0, 90_000, 10**9):
        found, clock = times_after(stream(500, 501, wrong, 503, 504))
        assert found == [500, 501, None, 503, 504]
        assert clock.restarts == 0


def test_pictures_out_of_order_go_on_together() -> None:
    """Key frame, and two pictures that are shown before the one they lean on; without lengths."""
    packets = [FakePacket(0, 1), FakePacket(1, 4), FakePacket(2, 2), FakePacket(3, 3)]
    again = [FakePacket(packet.dts, packet.pts) for packet in packets]
    first = [FakePacket(100 + place, 100 + place) for place in range(3)]
    for packet in first + packets + again:
        packet.duration = None
    found, _ = times_after(first + packets)
    assert found == [100, 101, 102, 103, 106, 104, 105]


def test_elsewhere_times_stay_and_the_loss_is_told() -> None:
    found, clock = times_after(stream(100, 101, 0, 1, 50), continues=False)
    assert found == [100, 101, 0, 1, 50]
    assert clock.first_loss == pytest.approx(10.2)
    _, clock = times_after(stream(0, 1, 10**7, 10**7 + 1), continues=False)
    assert clock.first_loss is None


def test_packets_without_times_pass() -> None:
    packets = [FakePacket(None, 3), FakePacket(None, None), FakePacket(4, 4), FakePacket(None, None)]
    assert times_after(packets)[0] == [3, None, 4, None]
