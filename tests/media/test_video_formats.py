"""Every container and codec of the promise, each as a small file made here, read to the very frame."""

from collections.abc import Callable
from pathlib import Path

import pytest

from picture_makers import encoded, quadrants
from semantic_media_search.errors import UnsupportedMediaError
from semantic_media_search.media.clip import write_clip
from semantic_media_search.media.formats import kind_by_name
from semantic_media_search.media.video import VideoReader, probe_video
from semantic_media_search.records import VIDEO
from video_makers import number_in, write_video

FORMATS = {
    "h264.mp4": ("libx264", {}),
    "h264.mov": ("libx264", {}),
    "h264.mkv": ("libx264", {}),
    "h264.ts": ("libx264", {}),
    "h264.avi": ("libx264", {"options": {"bf": "0"}}),
    "h264.3gp": ("libx264", {}),
    "h264.flv": ("libx264", {}),
    "open_gop.mp4": (
        "libx264",
        {"options": {"x264-params": "open-gop=1:bframes=3:scenecut=0:log-level=error"}},
    ),
    "ten_bit.mkv": ("libx264", {"pix_fmt": "yuv420p10le"}),
    "hevc.mp4": ("libx265", {}),
    "hevc.mkv": ("libx265", {"options": {"x265-params": "open-gop=1:bframes=4:scenecut=0:log-level=none"}}),
    "vp8.webm": ("libvpx", {}),
    "vp9.webm": ("libvpx-vp9", {}),
    "av1.mp4": ("libsvtav1", {}),
    "av1.webm": ("libsvtav1", {}),
    "mpeg2.ts": ("mpeg2video", {"options": {"bf": "2"}}),
    "mpeg2.mpg": ("mpeg2video", {"options": {"bf": "2"}}),
    "mpeg4.mp4": ("mpeg4", {"options": {"bf": "2"}}),
    "mpeg4.avi": ("mpeg4", {}),
    "mjpeg.avi": ("mjpeg", {"pix_fmt": "yuvj420p"}),
    "mjpeg.mov": ("mjpeg", {"pix_fmt": "yuvj420p"}),
    "prores.mov": ("prores_ks", {"pix_fmt": "yuv422p10le"}),
    "h263.3gp": ("h263", {"size": (352, 288)}),
    "wmv.wmv": ("wmv2", {}),
    "ffv1.mkv": ("ffv1", {}),
    "bare.mjpeg": ("mjpeg", {"pix_fmt": "yuvj420p", "container_format": "mjpeg"}),
    "bare.MJPG": ("mjpeg", {"pix_fmt": "yuvj420p", "container_format": "mjpeg"}),
    "h264.3gpp": ("libx264", {"container_format": "3gp"}),
    "mpeg4.mp4v": ("mpeg4", {"container_format": "mp4"}),
    "bare.mp4v": ("mpeg4", {"container_format": "m4v"}),
    "mpeg2.mpe": ("mpeg2video", {"container_format": "mpeg"}),
    "mpeg2.m2p": ("mpeg2video", {"container_format": "vob"}),
    "bare.m2v": ("mpeg2video", {"container_format": "mpeg2video"}),
}


def test_every_format_is_found_by_its_name() -> None:
    assert {name: kind_by_name(name) for name in [*FORMATS, "a.m1v"]} == dict.fromkeys(
        [*FORMATS, "a.m1v"], VIDEO
    )


@pytest.fixture(scope="module")
def sample_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Three seconds of numbered frames in the format of this name, encoded once."""
    folder = tmp_path_factory.mktemp("formats")

    def make(name: str) -> Path:
        codec, options = FORMATS[name]
        return folder / name if (folder / name).exists() else write_video(folder / name, codec, **options)

    return make


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("fps", [1.0, 2.0, 10.0])
def test_each_format_gives_the_right_pictures_at_the_right_times(
    sample_file: Callable[[str], Path], name: str, fps: float
) -> None:
    with VideoReader(sample_file(name)) as reader:
        frames = list(reader.sample(fps))
        info = reader.info
    assert reader.problem is None
    assert len(frames) == round(3 * fps)
    for instant, frame in enumerate(frames):
        assert abs(frame.timestamp - instant / fps) <= 0.5 / fps + 1e-6
        assert number_in(frame.pixels) == round(frame.timestamp * 25)
    assert info.duration == pytest.approx(3.0, abs=0.15)
    assert info.fps == pytest.approx(25, abs=0.1)
    assert (info.height, info.width) == frames[0].pixels.shape[:2]


@pytest.mark.parametrize(("name", "container"), [("a.mpe", "mpeg"), ("a.m1v", "mpeg1video")])
@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_mpeg_1_is_read_to_the_frame_or_the_next(
    tmp_path: Path, name: str, container: str, b_frames: str
) -> None:
    """Without a container it has no times, and FFmpeg's count of its frames is late by one after the first."""
    path = write_video(tmp_path / name, "mpeg1video", container_format=container, options={"bf": b_frames})
    with VideoReader(path) as reader:
        frames = list(reader.sample(1.0))
        assert reader.problem is None
        assert reader.seconds_read == pytest.approx(3.0, abs=0.05)
    assert len(frames) == 3 + (name == "a.m1v")
    for frame in frames:
        assert round(frame.timestamp * 25) - number_in(frame.pixels) in ({0} if name == "a.mpe" else {0, 1})


@pytest.mark.parametrize("name", ["bare.mjpeg", "bare.m2v", "mpeg4.mp4v"])
def test_clips_of_what_has_no_container(
    sample_file: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    write_clip(sample_file(name), 1.0, 2.0, tmp_path / "clip.mp4")
    with VideoReader(tmp_path / "clip.mp4") as reader:
        assert [number_in(frame.pixels) for frame in reader.sample(25.0)] == list(range(25, 50))


def test_a_single_jpeg_is_no_video_whatever_its_name(tmp_path: Path) -> None:
    for name in ("one.mjpeg", "one.mjpg", "one.avi"):
        (tmp_path / name).write_bytes(encoded(quadrants(), "JPEG"))
        with pytest.raises(UnsupportedMediaError, match=r"named like a video but holds a picture \(JPEG\)"):
            VideoReader(tmp_path / name)


@pytest.mark.parametrize("name", ["h264.mp4", "vp9.webm", "mpeg2.ts"])
def test_every_frame_can_be_had(sample_file: Callable[[str], Path], name: str) -> None:
    with VideoReader(sample_file(name)) as reader:
        assert [number_in(frame.pixels) for frame in reader.sample(25.0)] == list(range(75))


@pytest.mark.parametrize(
    ("name", "plays"),
    [
        ("h264.mp4", True),
        ("vp8.webm", True),
        ("av1.mp4", True),
        ("hevc.mp4", False),
        ("h264.avi", False),
        ("prores.mov", False),
        ("mpeg4.mp4", False),
    ],
)
def test_what_browsers_play_is_told_from_what_they_do_not(
    sample_file: Callable[[str], Path], name: str, plays: bool
) -> None:
    assert probe_video(sample_file(name)).plays_in_browsers is plays
