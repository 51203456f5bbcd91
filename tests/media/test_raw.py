"""Camera RAW files are shown by the preview that the camera put into them."""

import sys
from pathlib import Path

import pytest

from picture_makers import assert_quadrants, encoded, quadrants
from raw_makers import write_dng
from semantic_media_search.errors import DecodeError, MediaError, UnsupportedMediaError
from semantic_media_search.ingest.image_ingest import read_image
from semantic_media_search.media.decode import decode_image
from semantic_media_search.media.formats import kind_by_name
from semantic_media_search.records import IMAGE

PREVIEW = encoded(quadrants(192, 144), "JPEG", quality=95)


def test_the_preview_is_decoded_and_the_camera_told(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    path = write_dng(tmp_path / "a.dng", PREVIEW, (192, 144))
    decoded = decode_image(path)
    assert_quadrants(decoded.pixels)
    assert decoded.pixels.shape == (144, 192, 3)
    assert (decoded.width, decoded.height) == (256, 192)
    assert decoded.capture.captured_at == "2022-03-04T05:06:07"
    assert decoded.capture.camera == "Maker R1"


def test_a_turned_camera_gives_an_upright_picture(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    decoded = decode_image(write_dng(tmp_path / "a.DNG", PREVIEW, (192, 144), orientation=6))
    assert decoded.pixels.shape == (192, 144, 3)
    assert (decoded.width, decoded.height) == (192, 256)
    assert tuple(decoded.pixels[48, 108]) == pytest.approx((220, 30, 30), abs=12)


def test_raw_files_are_ingested_as_images(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    assert kind_by_name("IMG_1.CR3") == kind_by_name("a.nef") == IMAGE
    (frame,) = read_image(write_dng(tmp_path / "a.dng", PREVIEW, (192, 144)), max_side=96)
    assert (frame.width, frame.height) == (96, 72)


def test_what_gives_no_preview_is_refused_by_name(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(UnsupportedMediaError, match=r"bare\.dng has no embedded preview"):
        decode_image(write_dng(tmp_path / "bare.dng", None, (0, 0)))
    (tmp_path / "text.nef").write_bytes(b"words" * 1000)
    with pytest.raises(UnsupportedMediaError, match=r"text\.nef is no RAW file"):
        decode_image(tmp_path / "text.nef")
    (tmp_path / "empty.cr2").write_bytes(b"")
    with pytest.raises(DecodeError, match=r"empty\.cr2 is empty"):
        decode_image(tmp_path / "empty.cr2")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95, 0.995])
def test_truncated_raw_files_are_refused_or_read(tmp_path: Path, share: float) -> None:
    pytest.importorskip("rawpy")
    path = write_dng(tmp_path / "a.dng", PREVIEW, (192, 144))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(MediaError, match=r"a\.dng"):
        decode_image(path)


def test_without_the_library_the_message_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(UnsupportedMediaError, match="pip install rawpy"):
        decode_image(write_dng(tmp_path / "a.dng", PREVIEW, (192, 144)))
