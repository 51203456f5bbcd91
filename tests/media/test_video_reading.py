"""Clocks, turns, odd shapes and damage: what real videos do to a reader that trusts them."""

import os
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from picture_makers import RED, assert_quadrants, encoded, quadrants
from semantic_media_search.errors import DecodeError, MediaUnreadableError, UnsupportedMediaError
from semantic_media_search.media.video import VideoReader, probe_video, sample_frames
from video_makers import number_in, numbered, still_quadrants, write_video

LOSSY_SCENES = {"x264-params": "keyint=250:scenecut=0:bframes=3:log-level=error"}


def test_variable_frame_rate_keeps_each_frames_own_time(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    times = [0.0, *np.cumsum(random.choice([0.017, 0.033, 0.1, 0.4], 120)).round(3).tolist()]
    for options in ({}, LOSSY_SCENES):
        path = write_video(tmp_path / "vfr.mkv", times=times, options=options, gop=40)
        frames = list(sample_frames(path, 1.0))
        assert len(frames) in (int(times[-1]) + 1, round(times[-1]) + 1)
        for instant, frame in enumerate(frames):
            assert abs(frame.timestamp - instant) <= 0.5
            assert times[number_in(frame.pixels)] == pytest.approx(frame.timestamp, abs=0.002)


def test_a_picture_held_for_long_gives_one_frame_and_no_false_times(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slides.mkv", times=[0.0, 0.04, 7.0, 7.04, 7.08])
    assert [round(frame.timestamp, 2) for frame in sample_frames(path, 1.0)] == [0.0, 7.0]


def test_long_groups_of_pictures_are_sampled_at_the_nearest_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", frames=200, gop=250, options=LOSSY_SCENES)
    frames = list(sample_frames(path, 1.0))
    assert [number_in(frame.pixels) for frame in frames] == [0, 25, 50, 75, 100, 125, 150, 175]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270, -90])
def test_rotation_is_applied(tmp_path: Path, rotation: int) -> None:
    turned = np.ascontiguousarray(np.rot90(quadrants(192, 128), -rotation // 90))
    path = write_video(
        tmp_path / "turned.mp4",
        pictures=(turned for _ in range(5)),
        size=(turned.shape[1], turned.shape[0]),
        rotation=rotation,
    )
    (frame,) = sample_frames(path, 1.0)
    assert_quadrants(frame.pixels, tolerance=14)
    assert frame.pixels.shape == (128, 192, 3)
    info = probe_video(path)
    assert (info.width, info.height, info.rotation) == (192, 128, rotation % 360)


@pytest.mark.parametrize("height", [128, 720])
def test_colours_of_standard_and_high_definition_are_right(tmp_path: Path, height: int) -> None:
    matrix = "bt709" if height >= 720 else "smpte170m"
    pictures = still_quadrants(3, 2 * height, height)
    path = write_video(
        tmp_path / "colours.mp4",
        pictures=_as_matrix(pictures, matrix),
        size=(2 * height, height),
        options={"x264-params": "log-level=error"},
    )
    (frame,) = sample_frames(path, 1.0, max_side=256)
    assert_quadrants(frame.pixels, tolerance=14)


def _as_matrix(pictures, matrix):
    """PyAV encodes RGB with the BT.601 matrix; to store BT.709 the colours are moved beforehand."""
    if matrix == "smpte170m":
        yield from pictures
        return
    to_709 = np.array([[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]])
    from_601 = np.linalg.inv(
        np.array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
    )
    for picture in pictures:
        moved = picture.astype(float) @ to_709.T @ from_601.T
        yield np.clip(moved, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("size", [(322, 182), (17, 31), (2, 2), (640, 2)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    pictures = (np.full((size[1], size[0], 3), RED, np.uint8) for _ in range(3))
    path = write_video(tmp_path / "odd.mkv", "ffv1", pictures=pictures, size=size, pix_fmt="yuv444p")
    (frame,) = sample_frames(path, 1.0)
    assert frame.pixels.shape == (size[1], size[0], 3)
    assert np.abs(frame.pixels.astype(int) - RED).max() <= 6


def test_frames_are_scaled_down_and_never_up(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=3)
    assert next(sample_frames(path, 1.0, max_side=160)).pixels.shape == (90, 160, 3)
    assert next(sample_frames(path, 1.0, max_side=1000)).pixels.shape == (180, 320, 3)


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    options = {"x264-params": "sar=16/11:log-level=error"}
    path = write_video(tmp_path / "wide.mkv", frames=3, size=(352, 288), options=options)
    assert next(sample_frames(path, 1.0)).pixels.shape == (288, 512, 3)
    assert (probe_video(path).width, probe_video(path).height) == (512, 288)


def test_one_frame_videos(tmp_path: Path) -> None:
    for name, codec in (
        ("one.mp4", "libx264"),
        ("one.webm", "libvpx"),
        ("one.avi", "mpeg4"),
        ("one.ts", "libx264"),
    ):
        (frame,) = sample_frames(write_video(tmp_path / name, codec, frames=1), 1.0)
        assert number_in(frame.pixels) == 0
        assert frame.timestamp == pytest.approx(0.0, abs=0.05)


def test_files_without_duration_or_index(tmp_path: Path) -> None:
    live = write_video(tmp_path / "live.webm", "libvpx", container_options={"live": "1"})
    fragments = write_video(
        tmp_path / "fragments.mp4",
        container_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    )
    for path in (live, fragments):
        with VideoReader(path) as reader:
            assert [number_in(frame.pixels) for frame in reader.sample(1.0)] == [0, 25, 50]
            assert reader.info.duration == pytest.approx(3.0, abs=0.1)
            assert reader.problem is None


def test_an_avi_without_its_index(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", "mjpeg", pix_fmt="yuvj420p")
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"idx1")])
    frames = list(sample_frames(path, 1.0))
    assert [number_in(frame.pixels) for frame in frames] == [0, 25, 50]


def test_clocks_that_do_not_start_at_zero(tmp_path: Path) -> None:
    times = [3600 + number / 25 for number in range(75)]
    for name in ("late.mkv", "late.ts"):
        frames = list(sample_frames(write_video(tmp_path / name, times=times), 1.0))
        assert [round(frame.timestamp, 3) for frame in frames] == [0.0, 1.0, 2.0]


FLASH_HEADER = 13


def joined(folder: Path, name: str, codec: str, *, starts: int = 0) -> tuple[Path, list[int]]:
    """Three recordings end to end, each with a clock that starts at its beginning, and the number of every frame.

    The first one's clock begins at `starts` seconds.
    """
    parts: list[list[int]] = [list(range(100)), list(range(300, 450)), list(range(500, 575))]
    data = b""
    for at, numbers in enumerate(parts):
        times = [starts + place / 25 for place in range(len(numbers))] if starts and at == 0 else None
        pictures = (numbered(number, 160, 90) for number in numbers)
        part = folder / f"part_{at}_{name}"
        whole = write_video(part, codec, pictures=pictures, times=times, size=(160, 90)).read_bytes()
        data += whole[FLASH_HEADER:] if at and name.endswith("flv") else whole
    (folder / name).write_bytes(data)
    return folder / name, [number for part in parts for number in part]


@pytest.mark.parametrize(
    ("name", "codec", "starts"),
    [
        ("chapters.vob", "mpeg2video", 0),
        ("joined.mpg", "mpeg2video", 0),
        ("joined.ts", "libx264", 0),
        ("joined.m2ts", "libx264", 0),
        ("later_first.ts", "libx264", 3600),
    ],
)
@pytest.mark.parametrize("fps", [1.0, 10.0])
def test_a_clock_that_starts_again_goes_on(
    tmp_path: Path, name: str, codec: str, starts: int, fps: float
) -> None:
    path, numbers = joined(tmp_path, name, codec, starts=starts)
    with VideoReader(path) as reader:
        frames = list(reader.sample(fps))
        assert reader.info.duration == pytest.approx(13.0, abs=0.05)
    assert len(frames) == 13 * fps
    for instant, frame in enumerate(frames):
        assert abs(frame.timestamp - instant / fps) <= 0.5 / fps + 1e-6
        # Where transport streams are joined FFmpeg gives up the last frame of the part before.
        near = round(frame.timestamp * 25)
        assert number_in(frame.pixels) in numbers[max(0, near - 1) : near + 2]
    if not name.endswith("ts"):
        assert [number_in(frame.pixels) for frame in frames] == [
            numbers[round(f.timestamp * 25)] for f in frames
        ]
        assert reader.problem is None


def test_a_clock_that_goes_back_elsewhere_is_told(tmp_path: Path) -> None:
    """Flash files have one clock for all: players do not go on there."""
    path, _ = joined(tmp_path, "joined.flv", "flv")
    with VideoReader(path) as reader:
        assert len(list(reader.sample(1.0))) >= 6
    assert reader.problem is not None
    assert "its clock goes back at 4.0 seconds" in reader.problem


@pytest.mark.parametrize("name", ["slides.mkv", "slides.ts"])
def test_pictures_held_for_long_are_no_other_clock(tmp_path: Path, name: str) -> None:
    times = [0.0, 20.0, 40.0, 40.04, 75.0, 90.0]
    path = write_video(tmp_path / name, times=times, options={"bf": "2"})
    with VideoReader(path) as reader:
        assert [round(frame.timestamp, 2) for frame in reader.sample(1.0)][:4] == [0, 20, 40, 75]
    assert reader.problem is None


def test_edit_lists_move_the_clock(tmp_path: Path) -> None:
    """A trim, as phones store it: the file holds ten seconds, and plays five of them from 3.2 s on."""
    path = write_video(tmp_path / "edit.mp4", frames=250, gop=50, options={"bf": "2"})
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 12
    length, start = struct.unpack_from(">Ii", data, entry)
    assert length == 10_000
    struct.pack_into(">Ii", data, entry, 5_000, start + round(3.2 * 12_800))
    path.write_bytes(data)
    with VideoReader(path) as reader:
        frames = list(reader.sample(1.0))
    assert reader.info.duration == pytest.approx(5.0)
    assert reader.problem is None
    assert len(frames) == 5
    for instant, frame in enumerate(frames):
        assert abs(frame.timestamp - instant) <= 0.5
        assert number_in(frame.pixels) == round(frame.timestamp * 25) + 80


def test_sound_that_goes_on_after_the_pictures_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "long_sound.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"x264-params": "log-level=error"})
        video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"
        audio = container.add_stream("aac", rate=48_000, layout="mono")
        for number in range(50):
            container.mux(video.encode(av.VideoFrame.from_ndarray(numbered(number, 160, 90), format="rgb24")))
        for second in range(20):
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, 48_000), np.float32), format="fltp", layout="mono"
            )
            silence.sample_rate, silence.pts, silence.time_base = 48_000, second * 48_000, Fraction(1, 48_000)
            container.mux(audio.encode(silence))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    with VideoReader(path) as reader:
        assert len(list(reader.sample(1.0))) == 2
    assert reader.problem is None


def test_capture_data_of_the_container(tmp_path: Path) -> None:
    metadata = {
        "creation_time": "2021-06-05T10:11:12.000000Z",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 12",
        "com.apple.quicktime.location.ISO6709": "+48.8577+002.2950+035.0/",
    }
    path = write_video(
        tmp_path / "a.mov", frames=3, metadata=metadata, container_options={"movflags": "use_metadata_tags"}
    )
    capture = probe_video(path).capture
    assert capture.captured_at == "2021-06-05T10:11:12+00:00"
    assert capture.camera == "Apple iPhone 12"
    assert capture.gps == (48.8577, 2.295)


@pytest.fixture(scope="module")
def ten_seconds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """Ten seconds of numbered frames with much noise, so that the bytes are spread evenly; encoded once."""
    made: dict[str, bytes] = {}
    noise = np.random.default_rng(0).integers(0, 255, (7, 45, 160, 3))

    def pictures() -> Iterator[np.ndarray]:
        for number in range(250):
            picture = numbered(number, 160, 90)
            picture[45:] = noise[number % 7]
            yield picture

    def make(name: str) -> bytes:
        if name not in made:
            path = write_video(
                tmp_path_factory.mktemp("whole") / name,
                "mpeg4" if name.endswith("avi") else "libx264",
                pictures=pictures(),
                size=(160, 90),
                options={"x264-params": "scenecut=0:keyint=25:log-level=error", "preset": "ultrafast"},
                container_options={"movflags": "faststart"} if name.endswith("mp4") else {},
            )
            made[name] = path.read_bytes()
        return made[name]

    return make


@pytest.mark.parametrize("name", ["cut.mkv", "cut.ts", "cut.avi", "cut.mp4"])
@pytest.mark.parametrize("share", [0.4, 0.75])
def test_truncated_files_give_what_can_be_read_and_say_so(
    tmp_path: Path, ten_seconds: Callable[[str], bytes], name: str, share: float
) -> None:
    path, whole = tmp_path / name, ten_seconds(name)
    path.write_bytes(whole[: int(len(whole) * share)])
    with VideoReader(path) as reader:
        frames = list(reader.sample(1.0))
    assert abs(len(frames) - 10 * share) <= 1.5
    for frame in frames:
        assert number_in(frame.pixels) == round(frame.timestamp * 25)
    if name != "cut.ts":
        assert reader.problem is not None
        assert reader.problem.startswith(f"kept {len(frames)} frames, then: ")


def test_damage_in_the_middle_costs_only_its_place(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", frames=250)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    path.write_bytes(data)
    frames = list(sample_frames(path, 1.0))
    assert len(frames) >= 8
    assert {0, 9} <= {round(frame.timestamp) for frame in frames}


def test_a_movie_without_its_header_is_damaged(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DecodeError, match=r"a\.mp4 is damaged"):
        VideoReader(path)


def test_what_is_no_video_says_what_it_is(tmp_path: Path) -> None:
    cases = {
        "empty.mp4": (b"", DecodeError, "empty"),
        "text.mp4": (
            b"no video at all, only words. " * 50,
            UnsupportedMediaError,
            "no video of a known format",
        ),
        "picture.mp4": (encoded(quadrants(), "PNG"), UnsupportedMediaError, "holds a picture"),
        "list.mp4": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", UnsupportedMediaError, "no video"),
        "concat.mp4": (b"ffconcat version 1.0\nfile other.mp4\n", UnsupportedMediaError, "no video"),
    }
    for name, (data, error, words) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(error, match=words):
            VideoReader(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MediaUnreadableError, match="no regular file"):
        VideoReader(tmp_path / "pipe.mp4")


def test_names_that_are_odd_are_opened(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", frames=3).read_bytes()
    for name in (b"concat:a|b.mp4", b"%03d.mp4", b"a\nb.mp4", b"\xff\xfe.mp4", "🎬.mp4".encode(), b"-i.mp4"):
        path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
        Path(path).write_bytes(whole)
        assert number_in(next(sample_frames(path, 1.0)).pixels) == 0


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"x264-params": "open-gop=1:keyint=25:bframes=3:b-pyramid=normal:log-level=error"}),
        ("libx265", {"x265-params": "open-gop=1:keyint=25:bframes=4:scenecut=0:log-level=none"}),
    ],
)
def test_long_videos_with_open_groups_of_pictures(
    tmp_path: Path, codec: str, options: dict[str, str]
) -> None:
    for name in ("open.mp4", "open.ts"):
        path = write_video(tmp_path / name, codec, frames=1000, size=(160, 90), options=options)
        frames = list(sample_frames(path, 1.0))
        assert [number_in(frame.pixels) for frame in frames] == [round(f.timestamp * 25) for f in frames]
        assert [round(frame.timestamp) for frame in frames] == list(range(40))
