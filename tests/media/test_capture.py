"""What the camera wrote is read where it makes sense, and only there."""

from pathlib import Path

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from picture_makers import quadrants, save
from semantic_media_search.media.capture import CaptureData, camera_name, checked_position, parse_exif_time
from semantic_media_search.media.decode import decode_image


def full_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "Canon", "Canon EOS 5D", "2020:01:01 00:00:00"
    exif[0x8769] = {0x9003: "2019:07:14 12:30:05", 0x9011: "+02:00"}
    exif[0x8825] = {1: "S", 2: (33.0, 51.0, 24.5), 3: "E", 4: (151.0, 12.0, 40.0)}
    return exif


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif", "heic"])
def test_capture_data_of_each_format_that_has_it(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", quadrants(), exif=full_exif().tobytes())
    capture = decode_image(path).capture
    assert capture == CaptureData(
        "2019:07:14T12:30:05+02:00".replace(":", "-", 2), "Canon EOS 5D", capture.gps
    )
    assert capture.gps == pytest.approx((-33.856806, 151.211111), abs=1e-5)


def test_a_picture_without_exif_says_nothing(tmp_path: Path) -> None:
    assert decode_image(save(tmp_path / "a.jpg", quadrants())).capture == CaptureData()


@pytest.mark.parametrize(
    ("written", "zone", "read"),
    [
        ("2019:07:14 12:30:05", None, "2019-07-14T12:30:05"),
        ("2019:07:14 12:30:05\0", "-08:00\0", "2019-07-14T12:30:05-08:00"),
        (b"2019:07:14 12:30:05.123", "Z", "2019-07-14T12:30:05Z"),
        ("2019:07:14 12:30:05", "nonsense", "2019-07-14T12:30:05"),
        ("0000:00:00 00:00:00", None, None),
        ("    :  :     :  :  ", None, None),
        ("2019:02:30 12:00:00", None, None),
        ("0001:01:01 00:00:00", None, None),
        (20190714, None, None),
        (None, None, None),
    ],
)
def test_exif_times(written: object, zone: object, read: str | None) -> None:
    assert parse_exif_time(written, zone) == read


def test_the_digitizing_and_change_times_stand_in(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2020:01:01 00:00:00"
    exif[0x8769] = {0x9003: "0000:00:00 00:00:00"}
    assert (
        decode_image(save(tmp_path / "a.jpg", quadrants(), exif=exif)).capture.captured_at
        == "2020-01-01T00:00:00"
    )
    exif[0x8769] = {0x9004: "2018:05:05 10:00:00"}
    assert (
        decode_image(save(tmp_path / "b.jpg", quadrants(), exif=exif)).capture.captured_at
        == "2018-05-05T10:00:00"
    )


def test_camera_names() -> None:
    assert camera_name("Apple", "iPhone 12") == "Apple iPhone 12"
    assert camera_name("NIKON CORPORATION", "NIKON D90") == "NIKON D90"
    assert camera_name(None, "X100") == "X100"
    assert camera_name("Leica\0\0", "  ") == "Leica"
    assert camera_name(b"\xff\xfe", 3) == "\ufffd\ufffd"
    assert camera_name(None, None) is None


def test_positions_off_the_globe_are_no_positions() -> None:
    assert checked_position(51.5, -0.12) == (51.5, -0.12)
    assert checked_position(90.0, 180.0) == (90.0, 180.0)
    for latitude, longitude in ((0, 0), (91, 0), (0, 181), (float("nan"), 1), (1, float("inf"))):
        assert checked_position(latitude, longitude) is None


@pytest.mark.parametrize("latitude", [(IFDRational(33, 0), 0.0, 0.0), (33.0, 51.0), (133.0, 0.0, 0.0)])
def test_damaged_positions_are_no_positions(tmp_path: Path, latitude: tuple[float, ...]) -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: latitude, 3: "E", 4: (151.0, 12.0, 40.0)}
    assert decode_image(save(tmp_path / "a.jpg", quadrants(), exif=exif)).capture.gps is None


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_exif_costs_the_data_and_not_the_picture(tmp_path: Path) -> None:
    whole = full_exif().tobytes()
    for cut in range(7, len(whole), 5):
        path = save(tmp_path / "a.jpg", quadrants(), exif=whole[:cut])
        assert decode_image(path).pixels.shape == (64, 96, 3)
