"""The plan against its obvious twin: every window with a frame gets one, and nothing needed is left out."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_media_search.media.packet_plan import PacketPlan, window_of


@dataclass(frozen=True)
class FakePacket:
    at: int
    time: float
    is_keyframe: bool
    is_discard: bool = False
    size: int = 1000


def run(packets: list[FakePacket], fps: float = 1.0, **options: int):
    plan: PacketPlan[FakePacket] = PacketPlan(fps, **options)
    feeds = [feed for packet in packets for feed in plan.add(packet, packet.time)]
    return feeds + list(plan.finish(max((packet.time for packet in packets), default=0) + 1e-3))


def stream(keys: list[bool], rate: float = 10.0) -> list[FakePacket]:
    return [FakePacket(at, at / rate, key) for at, key in enumerate(keys)]


def test_frequent_key_frames_are_all_that_is_decoded() -> None:
    feeds = run(stream([at % 10 == 0 for at in range(100)]))
    assert [feed.packet.at for feed in feeds] == list(range(0, 100, 10))


def test_where_every_frame_is_a_key_frame_only_the_nearest_are_decoded() -> None:
    feeds = run(stream([True] * 35))
    assert [feed.packet.at for feed in feeds] == [0, 10, 20, 30]


def test_a_long_group_is_decoded_up_to_the_last_frame_wanted() -> None:
    feeds = run(stream([at % 50 == 0 for at in range(100)]))
    assert [feed.packet.at for feed in feeds] == [*range(41), *range(50, 91)]
    assert [feed.packet.at for feed in feeds if feed.wanted] == list(range(0, 100, 10))


def test_what_is_held_back_is_bounded() -> None:
    feeds = run(stream([at == 0 for at in range(100)]), max_held_bytes=5000)
    assert [feed.packet.at for feed in feeds] == list(range(100))
    plan: PacketPlan[FakePacket] = PacketPlan(0.001, max_held_bytes=5000)
    given_out = [len(plan.add(packet, packet.time)) for packet in stream([at == 0 for at in range(100)])]
    assert sum(given_out) >= 94


def test_packets_without_a_time_end_the_planning_of_their_group() -> None:
    packets = stream([at % 20 == 0 for at in range(60)])
    plan: PacketPlan[FakePacket] = PacketPlan(1.0)
    fed = []
    for packet in packets:
        fed += [feed.packet.at for feed in plan.add(packet, None if packet.at == 5 else packet.time)]
    fed += [feed.packet.at for feed in plan.finish(6.0)]
    assert fed == [*range(20), *range(20, 31), *range(40, 51)]


def test_pictures_shown_before_their_key_frame_are_left_out() -> None:
    packets = [
        FakePacket(0, 0.0, True),
        FakePacket(1, 0.2, False),
        FakePacket(2, 2.0, True),
        FakePacket(3, 1.6, False),
        FakePacket(4, 3.0, False),
    ]
    assert [feed.packet.at for feed in run(packets)] == [0, 2, 4]


def test_gaps_in_what_is_fed_are_told() -> None:
    feeds = run(stream([at % 50 == 0 for at in range(100)]))
    assert [feed.packet.at for feed in feeds if not feed.follows] == [50]


@pytest.mark.parametrize("fps", [0.3, 1.0, 2.5])
@given(
    steps=st.lists(st.tuples(st.floats(0.01, 1.5), st.booleans(), st.integers(0, 9)), max_size=60),
    cap=st.sampled_from([3000, 20_000, 10**9]),
)
def test_every_window_that_has_a_frame_is_served(
    fps: float, steps: list[tuple[float, bool, int]], cap: int
) -> None:
    time, packets = 0.0, []
    for at, (step, key, hidden) in enumerate(steps):
        time += step
        packets.append(FakePacket(at, time, key or at == 0, is_discard=hidden == 0 and at > 0))
    feeds = run(packets, fps, max_held_bytes=cap)
    order = [feed.packet.at for feed in feeds]
    assert order == sorted(set(order))
    shown = {window_of(packet.time, fps)[0] for packet in packets if not packet.is_discard}
    served = {
        window_of(feed.packet.time, fps)[0] for feed in feeds if feed.wanted and not feed.packet.is_discard
    }
    end = max((packet.time for packet in packets), default=0) + 1e-3
    assert {window for window in shown - served if window / fps < end} == set()
    fed = set(order)
    for feed in feeds:
        if not feed.packet.is_keyframe:
            start = max(packet.at for packet in packets[: feed.packet.at] if packet.is_keyframe)
            assert set(range(start, feed.packet.at)) <= fed | {
                packet.at for packet in packets if packet.is_keyframe and packet.is_discard
            }
