"""The preview that a camera embeds in its RAW files. Raw sensor data are not developed.

LibRaw, through `rawpy`, knows where each maker puts it; it gives JPEG previews an EXIF block with orientation and
time where they lack one. `rawpy` is optional: without it RAW files are refused with a message that names it.
"""

import io
from dataclasses import dataclass
from typing import BinaryIO

from semantic_media_search.errors import DecodeError, UnsupportedMediaError
from semantic_media_search.records import U8

RAW_EXTENSIONS = frozenset(
    {".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".rw2", ".orf", ".pef", ".srw"}
)
_TURNED = (5, 6)


@dataclass(frozen=True, slots=True)
class RawPreview:
    """The embedded preview: a JPEG file, or bare pixels, uint8 RGB [H, W, 3], which are not turned upright yet.

    `width` and `height` are pixels of the upright full picture; `quarter_turns` counterclockwise make bare pixels
    upright.
    """

    jpeg: BinaryIO | None
    pixels: U8 | None
    width: int
    height: int
    quarter_turns: int


def read_preview(file: BinaryIO, name: str) -> RawPreview:
    """Read the preview out of an open RAW file.

    Raises UnsupportedMediaError if it has none, or is of a kind or a camera that LibRaw does not know, and
    DecodeError if it is damaged; OSError or MemoryError where the disk or the system fails.
    """
    try:
        import rawpy
    except ImportError as error:
        raise UnsupportedMediaError(
            f"{name} is a camera RAW file: `pip install rawpy` to have its preview read"
        ) from error
    try:
        with rawpy.imread(file) as raw:
            sizes = raw.sizes
            thumbnail = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError) as error:
        raise UnsupportedMediaError(f"{name} has no embedded preview; raw data are not developed") from error
    except rawpy.LibRawFileUnsupportedError as error:
        raise UnsupportedMediaError(f"{name} is no RAW file of a known camera") from error
    except rawpy.LibRawUnsufficientMemoryError as error:
        raise MemoryError from error
    except rawpy.LibRawError as error:
        raise DecodeError(f"{name} is damaged (RAW: {error})") from error
    size = (sizes.height, sizes.width) if sizes.flip in _TURNED else (sizes.width, sizes.height)
    turns = {3: 2, 5: 1, 6: 3}.get(sizes.flip, 0)
    if isinstance(thumbnail.data, bytes):
        return RawPreview(io.BytesIO(thumbnail.data), None, *size, turns)
    if thumbnail.format == rawpy.ThumbFormat.BITMAP:
        return RawPreview(None, thumbnail.data, *size, turns)
    raise UnsupportedMediaError(f"{name} has a preview of a kind that is not supported")
