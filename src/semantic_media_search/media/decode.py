"""Any picture file -> upright 8-bit sRGB pixels, and what its camera wrote beside them."""

import re
import struct
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pillow_heif
from PIL import (  # Pillow loads these plugins of its own accord only when it may try every format.
    AvifImagePlugin,  # noqa: F401
    Image,
    Jpeg2KImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)
from PIL.TiffImagePlugin import TiffImageFile

from semantic_media_search.errors import (
    DecodeError,
    MediaError,
    MediaTooLargeError,
    UnsupportedMediaError,
)
from semantic_media_search.media.capture import EXIF_FAULTS, CaptureData, capture_from_exif
from semantic_media_search.media.colour import to_rgb
from semantic_media_search.media.formats import HEADER_BYTES, sniff
from semantic_media_search.media.jpeg2000 import true_samples
from semantic_media_search.media.opening import describe_source, open_regular
from semantic_media_search.media.raw import RAW_EXTENSIONS, read_preview
from semantic_media_search.media.standardise import fit_image_within, fit_within
from semantic_media_search.media.tiff import reopen_rightly, true_levels
from semantic_media_search.media.watched_file import WatchedFile, not_enough_memory
from semantic_media_search.records import IMAGE, U8

MAX_PIXELS = 200_000_000
"""Pictures above this are refused before they are decoded: phone sensors go up to just under 200 MP."""

# A list of our own: Pillow also opens formats that run other programs (EPS) or that nobody keeps photos in.
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "TIFF", "BMP", "DIB", "JPEG2000", "PPM")
_SCALABLE_MODES = frozenset({"RGB", "L", "CMYK"})
_ORIENTATION = 0x0112
_BOXES_BYTES = 4096
"""As a rule HEIF and AVIF say within these how large a picture is."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SWAPPING = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)

pillow_heif.register_heif_opener()
# Pillow's own bound holds for the whole process, and only warns until twice its value is reached.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# Pillow warns of each oddity in metadata; here a file is either used or skipped with a reason.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True, slots=True)
class _Wanted:
    min_short_side: int | None
    min_long_side: int | None
    max_side: int | None
    max_pixels: int


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A decoded picture: `pixels` uint8 RGB [H, W, 3], upright, perhaps at reduced scale.

    `width` and `height` are those of the upright original, in pixels.
    """

    pixels: U8
    width: int
    height: int
    capture: CaptureData


def load_image(
    source: str | Path | BinaryIO,
    *,
    min_short_side: int | None = None,
    min_long_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> U8:
    """Decode a picture to upright RGB: uint8 [H, W, 3]. See `decode_image`."""
    return decode_image(
        source, min_short_side=min_short_side, min_long_side=min_long_side, max_pixels=max_pixels
    ).pixels


def decode_image(
    source: str | Path | BinaryIO,
    *,
    min_short_side: int | None = None,
    min_long_side: int | None = None,
    max_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> DecodedImage:
    """Decode a picture file, or an open binary file, to upright 8-bit sRGB.

    EXIF orientation and ICC profile are applied, alpha is laid on white, and of several pages or frames the
    first is taken. Given `min_short_side` or `min_long_side` (pixels), a JPEG may be decoded at a reduced
    scale at which no given side is shorter than asked for, unless the original is. Given `max_side`, the picture
    is scaled down to it by the filter of `standardise.fit_within`. `max_pixels` can only lower the bound that
    holds for the whole process, MAX_PIXELS. Of a camera's RAW file the embedded preview is decoded.

    Raises MediaUnreadableError (which says nothing of what is in the file: another time it may be read),
    UnsupportedMediaError, DecodeError or MediaTooLargeError, naming the file.
    """
    name = describe_source(source)
    wanted = _Wanted(min_short_side, min_long_side, max_side, max_pixels)
    with open_regular(source) if isinstance(source, str | Path) else nullcontext(source) as opened:
        file = WatchedFile(opened, name)
        try:
            if isinstance(source, str | Path) and Path(source).suffix.lower() in RAW_EXTENSIONS:
                return _decode_raw(file, name, wanted)
            return _decode(file, name, wanted)
        except MemoryError as error:
            raise not_enough_memory(name) from error
        except MediaError:
            if file.failure is not None:
                raise file.failure from None
            raise


def _read_header(file: WatchedFile, name: str) -> bytes:
    header = file.read(HEADER_BYTES)
    file.seek(0)
    if not header:
        raise DecodeError(f"{name} is empty (0 bytes)")
    return header


def _decode(file: WatchedFile, name: str, wanted: _Wanted) -> DecodedImage:
    header = _read_header(file, name)
    try:
        with _opened(cast("BinaryIO", file), name) as image:
            width, height = image.size
            if width * height > wanted.max_pixels:
                raise MediaTooLargeError(
                    f"{name} is refused: {width} x {height} pixels are more than the bound of {wanted.max_pixels}"
                )
            _allow_scaling(image, wanted)
            loaded = _loaded(image, cast("BinaryIO", file), name)
            exif = _exif(image)
            turn = _UPRIGHT.get(_orientation(exif))
            upright = _standard_colours(loaded, wanted.max_side)
            if turn is not None:
                upright = upright.transpose(turn)
            if turn in _SWAPPING:
                width, height = height, width
            return DecodedImage(np.array(upright), width, height, capture_from_exif(exif))
    except (MediaError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise _unidentified(name, file) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaTooLargeError(f"{name} is refused: {error}") from error
    except Exception as error:
        found = sniff(header)
        raise DecodeError(f"{name} is damaged ({found.format if found else 'picture'}: {error})") from error


def _decode_raw(file: WatchedFile, name: str, wanted: _Wanted) -> DecodedImage:
    _read_header(file, name)
    preview = read_preview(cast("BinaryIO", file), name)
    if preview.jpeg is not None:
        decoded = _decode(WatchedFile(preview.jpeg, name), name, wanted)
        return replace(decoded, width=preview.width, height=preview.height)
    assert preview.pixels is not None
    pixels = np.ascontiguousarray(np.rot90(preview.pixels, preview.quarter_turns))
    if wanted.max_side is not None:
        pixels = fit_within(pixels, wanted.max_side)
    return DecodedImage(pixels, preview.width, preview.height, CaptureData())


def _opened(file: BinaryIO, name: str) -> Image.Image:
    image = Image.open(file, formats=_FORMATS)
    return reopen_rightly(image, file, name) if isinstance(image, TiffImageFile) else image


def _loaded(image: Image.Image, file: BinaryIO, name: str) -> Image.Image:
    """The picture with its pixels in memory, mended where Pillow gets a format's deep samples wrong."""
    image.load()
    if isinstance(image, TiffImageFile):
        return true_levels(image)
    return true_samples(image, file, name) if image.format == "JPEG2000" else image


def _allow_scaling(image: Image.Image, wanted: _Wanted) -> None:
    """Let libjpeg decode at 1/2, 1/4 or 1/8, so far as no side asked for falls below its bound."""
    if wanted.min_short_side is None and wanted.min_long_side is None:
        return
    needed = max(
        (wanted.min_short_side or 1) / min(image.size), (wanted.min_long_side or 1) / max(image.size)
    )
    if needed < 1:
        image.draft(None, (ceil(image.width * needed), ceil(image.height * needed)))


def _standard_colours(image: Image.Image, max_side: int | None) -> Image.Image:
    """sRGB, scaled down: first where that is exact, since colours cost in proportion to pixels."""
    if max_side is None:
        return to_rgb(image)
    if image.mode in _SCALABLE_MODES and "transparency" not in image.info:
        image = fit_image_within(image, max_side)
    return fit_image_within(to_rgb(image), max_side)


def _exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except EXIF_FAULTS:
        return Image.Exif()


def _orientation(exif: Image.Exif) -> int:
    value = exif.get(_ORIENTATION)
    return value if isinstance(value, int) else 1


def _unidentified(name: str, file: WatchedFile) -> MediaError:
    file.seek(0)
    header = file.read(_BOXES_BYTES)
    found = sniff(header[:HEADER_BYTES])
    # The decoders of HEIF and AVIF refuse what is too large without saying so.
    claimed = re.search(rb"ispe....(.{8})", header, re.DOTALL)
    if found is not None and found.kind == IMAGE and claimed is not None:
        width, height = struct.unpack(">II", claimed[1])
        if width * height > MAX_PIXELS:
            return MediaTooLargeError(
                f"{name} is refused: {width} x {height} pixels are more than the bound of {MAX_PIXELS}"
            )
    if found is None:
        return UnsupportedMediaError(f"{name} holds no picture of a known format")
    if found.kind == IMAGE:
        return DecodeError(f"{name} is damaged or of a kind of {found.format} that is not supported")
    return UnsupportedMediaError(
        f"{name} is named like a picture but holds a video ({found.format}): rename it"
    )
