"""A clip shows exactly the asked piece, in a form that browsers play."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from picture_makers import assert_quadrants, quadrants
from semantic_media_search.errors import DecodeError, QueryError, UnsupportedMediaError
from semantic_media_search.media.clip import write_clip
from semantic_media_search.media.video import VideoReader, probe_video
from video_makers import number_in, numbered, write_video


def numbers_over_time(path: Path) -> list[tuple[float, int]]:
    with VideoReader(path) as reader:
        return [(frame.timestamp, number_in(frame.pixels)) for frame in reader.sample(100.0)]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("hevc.mkv", "libx265", {}),
        ("h264.mp4", "libx264", {"gop": 250}),
        ("mpeg2.ts", "mpeg2video", {"options": {"bf": "2"}}),
        ("mpeg4.avi", "mpeg4", {}),
        ("vp9.webm", "libvpx-vp9", {}),
        ("prores.mov", "prores_ks", {"pix_fmt": "yuv422p10le"}),
    ],
)
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (2.0, 3.5), (3.93, 5.0)])
def test_the_piece_is_exact(
    tmp_path: Path, name: str, codec: str, options: dict, start: float, end: float
) -> None:
    source = write_video(tmp_path / name, codec, frames=150, **options)
    clip = tmp_path / "clip.mp4"
    write_clip(source, start, end, clip)
    shown = numbers_over_time(clip)
    first, last = int(start * 25 + 1e-6), int(np.ceil(end * 25 - 1e-6)) - 1
    assert [number for _, number in shown] == list(range(first, last + 1))
    for time, number in shown[1:]:
        assert time == pytest.approx(number / 25 - start, abs=0.002)
    info = probe_video(clip)
    assert info.duration == pytest.approx(end - start, abs=0.01)
    assert info.plays_in_browsers


def test_the_index_comes_first_and_nothing_is_left_beside(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", frames=50)
    write_clip(source, 0.5, 1.5, tmp_path / "clip.mp4")
    data = (tmp_path / "clip.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "clip.mp4"]


def test_pictures_are_upright_even_and_bounded(tmp_path: Path) -> None:
    turned = np.ascontiguousarray(np.rot90(quadrants(500, 302), -1))
    source = write_video(
        tmp_path / "turned.mp4", pictures=(turned for _ in range(25)), size=(302, 500), rotation=90
    )
    for height, size in ((720, (302, 500)), (151, (152, 250))):
        write_clip(source, 0.0, 0.5, tmp_path / "clip.mp4", max_height=height)
        with VideoReader(tmp_path / "clip.mp4") as reader:
            (frame,) = reader.sample(1.0)
        assert_quadrants(frame.pixels, tolerance=20)
        assert frame.pixels.shape[:2] == size


def with_sound(path: Path, seconds: int, tone_from: float) -> Path:
    """Numbered frames, with silence until `tone_from` and then a loud tone."""
    rate = 44_100
    codecs = ("mpeg2video", "mp2") if path.suffix == ".mpg" else ("libx264", "aac")
    with av.open(str(path), "w") as container:
        video = container.add_stream(codecs[0], rate=25, options={"x264-params": "log-level=error"})
        video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"
        audio = container.add_stream(codecs[1], rate=rate, layout="mono")
        for number in range(seconds * 25):
            container.mux(video.encode(av.VideoFrame.from_ndarray(numbered(number, 160, 90), format="rgb24")))
            times = number / 25 + np.arange(rate // 25) / rate
            wave = np.where(times >= tone_from, 0.5 * np.sin(2 * np.pi * 440 * times), 0).astype(np.float32)
            sound = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = rate, number * (rate // 25), Fraction(1, rate)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def test_sound_stays_with_its_picture(tmp_path: Path) -> None:
    source = with_sound(tmp_path / "sound.mkv", 6, tone_from=3.2)
    clip = tmp_path / "clip.mp4"
    write_clip(source, 2.5, 4.5, clip)
    with av.open(str(clip)) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}
        pieces = [(f.time, f.to_ndarray()) for f in container.decode(audio=0)]
    loud = [
        time + np.argmax(np.abs(wave[0]) > 0.1) / 48_000 for time, wave in pieces if np.abs(wave).max() > 0.1
    ]
    assert loud[0] == pytest.approx(0.7, abs=0.03)
    assert pieces[-1][0] == pytest.approx(2.0, abs=0.06)
    assert numbers_over_time(clip)[0][1] == 62
    assert probe_video(clip).plays_in_browsers


def two_recordings(path: Path) -> Path:
    """Six seconds with a tone from 3.2 s on and eight with one from 5.5 s on, end to end; the clock starts again."""
    first = with_sound(path.with_stem("first"), 6, tone_from=3.2).read_bytes()
    path.write_bytes(first + with_sound(path.with_stem("second"), 8, tone_from=5.5).read_bytes())
    return path


@pytest.mark.parametrize("name", ["joined.mpg", "joined.ts"])
@pytest.mark.parametrize(("start", "tone"), [(2.5, 0.7), (5.0, None), (11.0, 0.5)])
def test_a_piece_of_a_video_whose_clock_starts_again(
    tmp_path: Path, name: str, start: float, tone: float | None
) -> None:
    source = two_recordings(tmp_path / name)
    with VideoReader(source) as reader:
        every = [(frame.timestamp, number_in(frame.pixels)) for frame in reader.sample(100.0)]
        duration = reader.info.duration
    assert duration == pytest.approx(14.0, abs=0.1)
    assert every[-1][1] == 199
    clip = tmp_path / "clip.mp4"
    write_clip(source, start, start + 2, clip, duration=duration)
    before = max(at for at, (time, _) in enumerate(every) if time <= start)
    wanted = [number for time, number in every[before:] if time < start + 2]
    with av.open(str(clip)) as container:
        shown = [number_in(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    assert shown == wanted
    assert probe_video(clip).duration == pytest.approx(2.0, abs=0.05)
    if tone is not None:
        with av.open(str(clip)) as container:
            pieces = [(f.time, f.to_ndarray()) for f in container.decode(audio=0)]
        loud = [
            time + np.argmax(np.abs(wave[0]) > 0.1) / 48_000
            for time, wave in pieces
            if np.abs(wave).max() > 0.1
        ]
        assert loud[0] == pytest.approx(tone, abs=0.06)


def test_a_clip_ends_with_its_video(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", frames=50)
    write_clip(source, 1.5, 10.0, tmp_path / "clip.mp4")
    assert probe_video(tmp_path / "clip.mp4").duration == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("start", "end"), [(1.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0), (50.0, 60.0)]
)
def test_times_that_make_no_piece_are_refused(tmp_path: Path, start: float, end: float) -> None:
    source = write_video(tmp_path / "a.mp4", frames=50)
    with pytest.raises(QueryError, match="seconds"):
        write_clip(source, start, end, tmp_path / "clip.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_what_is_no_video_makes_no_clip(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"words" * 100)
    with pytest.raises(UnsupportedMediaError):
        write_clip(tmp_path / "a.mp4", 0, 1, tmp_path / "clip.mp4")
    whole = write_video(tmp_path / "b.mp4", frames=50).read_bytes()
    (tmp_path / "b.mp4").write_bytes(whole[:1500])
    with pytest.raises(DecodeError):
        write_clip(tmp_path / "b.mp4", 0, 1, tmp_path / "clip.mp4")
    assert not (tmp_path / "clip.mp4").exists()
