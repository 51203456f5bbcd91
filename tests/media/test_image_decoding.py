"""Every still format of the promise, each as a file made here, decoded to what was drawn."""

import os
import socket
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from picture_makers import (
    assert_quadrants,
    corners,
    encoded,
    photo,
    png_claiming,
    quadrants,
    save,
    write_tiff,
)
from semantic_media_search.errors import (
    DecodeError,
    MediaTooLargeError,
    MediaUnreadableError,
    UnsupportedMediaError,
)
from semantic_media_search.media.decode import decode_image, load_image
from semantic_media_search.media.formats import kind_by_name
from semantic_media_search.media.standardise import fit_within
from semantic_media_search.records import IMAGE

FORMATS = {
    "baseline.jpg": {"quality": 95},
    "progressive.jpg": {"quality": 95, "progressive": True},
    "photo.png": {},
    "lossy.webp": {"quality": 90},
    "lossless.webp": {"lossless": True},
    "photo.avif": {"quality": 90},
    "photo.heic": {"quality": 90},
    "photo.tif": {},
    "deflate.tiff": {"compression": "tiff_adobe_deflate"},
    "lzw.tiff": {"compression": "tiff_lzw"},
    "photo.bmp": {},
    "photo.jp2": {},
    "photo.j2c": {"no_jp2": True},
    "photo.jpc": {"no_jp2": True},
    "photo.ppm": {},
    "photo.gif": {},
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_decoded_to_what_was_drawn(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name, quadrants(), **FORMATS[name])
    decoded = decode_image(path)
    assert_quadrants(decoded.pixels)
    assert decoded.pixels.shape == (64, 96, 3)
    assert (decoded.width, decoded.height) == (96, 64)
    assert kind_by_name(name) == IMAGE


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif", "heic"])
def test_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = Image.fromarray(quadrants())
    if orientation in undo:
        image = image.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_image(save(tmp_path / f"turned.{suffix}", image, exif=exif.tobytes()))
    assert_quadrants(decoded.pixels)
    assert decoded.pixels.shape == (64, 96, 3)
    assert (decoded.width, decoded.height) == (96, 64)


def test_alpha_is_laid_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[..., 0] = 255
    pixels[:, :20, 3] = 255
    pixels[:, 20:30, 3] = 128
    for suffix in ("png", "webp", "tif", "avif"):
        options = {"lossless": True} if suffix == "webp" else {}
        decoded = load_image(save(tmp_path / f"alpha.{suffix}", pixels, **options))
        assert np.abs(decoded[20, 5].astype(int) - (255, 0, 0)).max() <= 6
        assert np.abs(decoded[20, 25].astype(int) - (255, 127, 127)).max() <= 8
        assert np.abs(decoded[20, 35].astype(int) - (255, 255, 255)).max() <= 6


def test_grey_with_alpha_and_transparent_palettes(tmp_path: Path) -> None:
    grey = Image.merge("LA", [Image.new("L", (8, 8), 10), Image.new("L", (8, 8), 0)])
    assert (load_image(save(tmp_path / "la.png", grey)) == 255).all()
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([200, 10, 10, 10, 200, 10])
    assert (load_image(save(tmp_path / "p.png", palette)) == (10, 200, 10)).all()
    assert (load_image(save(tmp_path / "clear.png", palette, transparency=1)) == 255).all()
    assert (load_image(save(tmp_path / "bytes.png", palette, transparency=b"\xff\x00")) == 255).all()
    assert (load_image(save(tmp_path / "clear.gif", palette, transparency=1)) == 255).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_keeps_its_levels(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    decoded = load_image(save(tmp_path / f"deep.{suffix}", np.tile(ramp, (4, 1))))
    assert np.abs(decoded[0, :, 0].astype(int) - np.arange(256)).max() <= 1
    assert (decoded[..., 0] == decoded[..., 2]).all()


def test_sixteen_bit_colour_png_keeps_its_levels(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    colour = np.stack(
        [np.tile(ramp, (4, 1)), np.zeros((4, 256), np.uint16), np.tile(ramp[::-1], (4, 1))], axis=2
    )
    for suffix in ("png", "tif"):
        cv2.imwrite(str(tmp_path / f"deep.{suffix}"), colour[..., ::-1])
        decoded = load_image(tmp_path / f"deep.{suffix}")
        assert np.abs(decoded[0, :, 0].astype(int) - np.arange(256)).max() <= 1
        assert (decoded[..., 1] == 0).all()


GREY, COLOURS, INKS, LAB, WHITE_IS_ZERO = 1, 2, 5, 8, 0
DEEP = quadrants().astype(np.uint16) * 257


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_sixteen_bit_planes_of_a_tiff_are_told_apart(tmp_path: Path, order: str, deflated: bool) -> None:
    opaque = np.full((64, 96, 1), 65535, np.uint16)
    cases = [
        (COLOURS, DEEP, {}),
        (COLOURS, np.concatenate([DEEP, opaque], axis=2), {338: (2,)}),
        (INKS, np.concatenate([65535 - DEEP, 0 * opaque], axis=2), {}),
    ]
    for photometric, samples, extra in cases:
        stored = samples.astype(order + "u2")
        path = write_tiff(
            tmp_path / "a.tif", stored, photometric, separate=True, deflated=deflated, extra=extra
        )
        assert_quadrants(load_image(path))


def test_a_turned_tiff_in_planes_is_turned_once(tmp_path: Path) -> None:
    lying = np.rot90(DEEP)
    path = write_tiff(tmp_path / "a.tif", lying, COLOURS, separate=True, extra={274: (6,)})
    decoded = decode_image(path)
    assert_quadrants(decoded.pixels)
    assert (decoded.width, decoded.height) == (96, 64)


@pytest.mark.parametrize("deflated", [False, True])
def test_deep_greys_of_a_tiff_are_shown_as_they_are_meant(tmp_path: Path, deflated: bool) -> None:
    """Zero as white, unsigned numbers beyond the signed ones, samples of 12 bits, numbers in either byte order."""
    ramp = np.tile(np.arange(256), (4, 1))
    twelve = (ramp * 4095 // 255).reshape(4, 128, 2)
    left, right = twelve[..., 0], twelve[..., 1]
    packed = np.stack([left >> 4, (left & 15) << 4 | right >> 8, right & 255], axis=2).reshape(4, 384)
    cases: list[tuple[int, np.ndarray, int | None]] = [
        (WHITE_IS_ZERO, (65535 - ramp * 257).astype("<u2"), None),
        (WHITE_IS_ZERO, (255 - ramp).astype("<f4"), None),
        (WHITE_IS_ZERO, (255 - ramp).astype(">f4"), None),
        (GREY, (ramp * 257 * 65537).astype("<u4"), None),
        (GREY, packed.astype(np.uint8), 12),
        *((GREY, (ramp * 257).astype(kind), None) for kind in ("<u2", ">u2")),
        *((GREY, (ramp - 128).astype(kind), None) for kind in ("<i2", ">i2", "<i4", ">i4", "<f4", ">f4")),
    ]
    for photometric, samples, bits in cases:
        for separate in (False, True):
            path = write_tiff(
                tmp_path / "a.tif", samples, photometric, bits=bits, separate=separate, deflated=deflated
            )
            decoded = load_image(path)
            assert np.abs(decoded[0, :, 0].astype(int) - np.arange(256)).max() <= 1, (samples.dtype, separate)


@pytest.mark.parametrize("deflated", [False, True])
def test_planes_that_would_be_mixed_up_are_refused(tmp_path: Path, deflated: bool) -> None:
    for photometric, count, extra in ((GREY, 2, {338: (2,)}), (LAB, 3, {})):
        samples = np.zeros((8, 8, count), np.uint8)
        path = write_tiff(
            tmp_path / "a.tif", samples, photometric, separate=True, deflated=deflated, extra=extra
        )
        with pytest.raises(UnsupportedMediaError, match=r"a\.tif .*separate planes.*save it"):
            load_image(path)


def test_sixteen_bit_colour_jpeg_2000_keeps_its_levels(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (64, 1))
    colour = np.stack([ramp, np.full_like(ramp, 65535), ramp[:, ::-1]], axis=2)
    clear = np.concatenate([colour, np.full((64, 256, 1), 65535, np.uint16)], axis=2)
    lossless = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    for samples in (colour[..., ::-1], clear[..., [2, 1, 0, 3]]):
        cv2.imwrite(str(tmp_path / "deep.jp2"), samples, lossless)
        decoded = load_image(tmp_path / "deep.jp2")
        assert np.abs(decoded[0, :, 0].astype(int) - np.arange(256)).max() <= 1
        assert (decoded[..., 1] == 255).all()
    # Twelve bits: samples lie around the middle of their range in the file, and the header says how wide that is.
    cv2.imwrite(str(tmp_path / "wide.jp2"), colour[..., ::-1] // 16 + (32768 - 2048), lossless)
    data = (tmp_path / "wide.jp2").read_bytes()
    assert data.count(b"\x0f\x01\x01" * 3) == 1
    (tmp_path / "twelve.jp2").write_bytes(data.replace(b"\x0f\x01\x01" * 3, b"\x0b\x01\x01" * 3))
    decoded = load_image(tmp_path / "twelve.jp2")
    assert np.abs(decoded[0, :, 0].astype(int) - np.arange(256)).max() <= 1
    assert (decoded[..., 1] == 255).all()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_deep_jpeg_2000_is_damaged(tmp_path: Path, share: float) -> None:
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "cut.jp2"
    cv2.imwrite(str(path), photo().astype(np.uint16) * 257)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DecodeError, match=r"cut\.jp2"):
        load_image(path)


def test_a_deep_jpeg_2000_whose_colours_cannot_be_had_is_refused(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(tmp_path / "deep.jp2"), DEEP)
    data = (tmp_path / "deep.jp2").read_bytes()
    srgb, luma_and_chroma = (b"colr\x01\0\0" + struct.pack(">I", kind) for kind in (16, 18))
    assert srgb in data
    (tmp_path / "deep.jp2").write_bytes(data.replace(srgb, luma_and_chroma))
    with pytest.raises(UnsupportedMediaError, match=r"deep\.jp2 is a JPEG 2000 picture of 16 bits .*save it"):
        load_image(tmp_path / "deep.jp2")


def test_one_bit_and_float_greys(tmp_path: Path) -> None:
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    assert load_image(save(tmp_path / "bits.png", bits))[..., 0].tolist() == [[0, 255], [255, 0]]
    floats = np.array([[0.0, 0.5], [1.0, np.nan]], np.float32)
    assert load_image(save(tmp_path / "floats.tif", floats))[..., 0].tolist() == [[0, 128], [255, 0]]


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_is_converted(tmp_path: Path, suffix: str) -> None:
    image = Image.fromarray(quadrants()).convert("CMYK")
    options = {"quality": 95} if suffix == "jpg" else {}
    assert_quadrants(load_image(save(tmp_path / f"cmyk.{suffix}", image, **options)))


def swapped_profile() -> bytes:
    """An sRGB profile with its red and green primaries exchanged, under another description."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132])
    tags = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile).replace(b"s\0R\0G\0B", b"t\0e\0s\0t").replace(b"sRGB", b"test")


def test_icc_profiles_are_applied(tmp_path: Path) -> None:
    pixels = np.full((16, 16, 3), (200, 40, 40), np.uint8)
    profile = swapped_profile()
    for suffix, tolerance in (("png", 2), ("jpg", 6), ("tif", 2)):
        decoded = load_image(save(tmp_path / f"icc.{suffix}", pixels, icc_profile=profile))
        assert np.abs(decoded[8, 8].astype(int) - (40, 200, 40)).max() <= tolerance


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "RGBA", "P", "L"])
def test_scaling_down_while_decoding_changes_no_colours(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(photo(800, 600)).convert(mode)
    options = {"icc_profile": swapped_profile()} if mode in ("RGB", "RGBA") else {}
    path = save(tmp_path / "a.tif", image, **options)
    whole, small = load_image(path), decode_image(path, max_side=200)
    assert small.pixels.shape == (150, 200, 3)
    assert (small.width, small.height) == (800, 600)
    assert np.abs(small.pixels.astype(int) - fit_within(whole, 200)).mean() < 1.5


def test_damaged_profiles_are_passed_over(tmp_path: Path) -> None:
    path = save(tmp_path / "icc.png", quadrants(), icc_profile=b"not a profile at all")
    assert_quadrants(load_image(path))


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp", "moving.png", "pages.tif"])
def test_the_first_frame_or_page_is_taken(tmp_path: Path, name: str) -> None:
    frames = [Image.fromarray(quadrants()), Image.new("RGB", (96, 64), "black")]
    path = tmp_path / name
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert_quadrants(load_image(path), tolerance=20)


def test_two_pictures_in_one_jpeg(tmp_path: Path) -> None:
    frames = [Image.fromarray(quadrants(800, 600)), Image.new("RGB", (800, 600), "black")]
    path = tmp_path / "pair.jpg"
    frames[0].save(path, "MPO", save_all=True, append_images=frames[1:])
    assert_quadrants(load_image(path))
    assert load_image(path, min_short_side=100).shape == (150, 200, 3)


def test_scaled_decoding_never_falls_below_what_was_asked(tmp_path: Path) -> None:
    path = save(tmp_path / "big.jpg", photo(1600, 1200), quality=92)
    assert load_image(path).shape == (1200, 1600, 3)
    assert load_image(path, min_short_side=300).shape == (300, 400, 3)
    assert load_image(path, min_short_side=301).shape == (600, 800, 3)
    assert load_image(path, min_short_side=150, min_long_side=512).shape == (600, 800, 3)
    assert load_image(path, min_long_side=200).shape == (150, 200, 3)
    assert load_image(path, min_short_side=5000).shape == (1200, 1600, 3)
    decoded = decode_image(path, min_short_side=300)
    assert (decoded.width, decoded.height) == (1600, 1200)


def test_scaled_decoding_of_a_turned_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(quadrants(1600, 1000)).transpose(Image.Transpose.ROTATE_90)
    decoded = decode_image(
        save(tmp_path / "turned.jpg", image, exif=exif), min_short_side=200, min_long_side=300
    )
    assert_quadrants(decoded.pixels)
    assert decoded.pixels.shape == (250, 400, 3)
    assert (decoded.width, decoded.height) == (1600, 1000)


def test_scaled_decoding_shows_the_same_picture(tmp_path: Path) -> None:
    path = save(tmp_path / "big.jpg", photo(1600, 1200), quality=92)
    half = load_image(path, min_short_side=600)
    exact = np.asarray(Image.fromarray(load_image(path)).reduce(2))
    assert np.abs(half.astype(int) - exact).mean() < 1


@pytest.mark.parametrize(
    "name", ["cut.jpg", "cut.png", "cut.webp", "cut.avif", "cut.heic", "cut.tif", "cut.jp2"]
)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files_are_damaged(tmp_path: Path, name: str, share: float) -> None:
    path = save(tmp_path / name, photo())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DecodeError, match=name):
        load_image(path)


def test_files_that_hold_no_picture_say_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(DecodeError, match="empty"):
        load_image(tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_bytes(b"This is no picture." * 20)
    with pytest.raises(UnsupportedMediaError, match="no picture of a known format"):
        load_image(tmp_path / "text.jpg")
    (tmp_path / "video.jpg").write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(50))
    with pytest.raises(UnsupportedMediaError, match="holds a video"):
        load_image(tmp_path / "video.jpg")
    (tmp_path / "figure.eps").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    )
    with pytest.raises(UnsupportedMediaError):
        load_image(tmp_path / "figure.eps")


def test_a_wrong_extension_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "really_png.jpg"
    path.write_bytes(encoded(quadrants(), "PNG"))
    assert_quadrants(load_image(path))


@pytest.mark.parametrize("side", [14_143, 20_500, 30_000, 65_000])
def test_bombs_are_refused_before_decoding(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_claiming(side, side))
    with pytest.raises(MediaTooLargeError, match=r"bomb\.png"):
        load_image(path)


def test_the_pixel_bound_can_be_lowered(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", quadrants())
    assert load_image(path, max_pixels=96 * 64).shape == (64, 96, 3)
    with pytest.raises(MediaTooLargeError, match="96 x 64"):
        load_image(path, max_pixels=96 * 64 - 1)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg")[:100])
    (tmp_path / "folder.jpg").mkdir()
    for name in ("pipe.jpg", "folder.jpg"):
        with pytest.raises(MediaUnreadableError, match="no regular file"):
            load_image(tmp_path / name)
    with pytest.raises(MediaUnreadableError, match="No such file"):
        load_image(tmp_path / "gone.jpg")


def test_names_that_cannot_be_printed_are_still_named(tmp_path: Path) -> None:
    with pytest.raises(MediaUnreadableError, match=r"a\\nb\\udcff\.jpg"):
        load_image(os.fsdecode(os.fsencode(tmp_path) + b"/a\nb\xff.jpg"))


def test_open_files_are_read_and_left_open(tmp_path: Path) -> None:
    with save(tmp_path / "a.png", quadrants()).open("rb") as file:
        assert_quadrants(load_image(file))
        assert not file.closed


def test_very_small_pictures(tmp_path: Path) -> None:
    for size in ((1, 1), (1, 9), (9, 1)):
        path = save(tmp_path / "small.jpg", Image.new("RGB", size, "white"))
        assert load_image(path, min_short_side=448, min_long_side=512).shape == (size[1], size[0], 3)
    assert corners(quadrants())[0] == (220, 30, 30)
