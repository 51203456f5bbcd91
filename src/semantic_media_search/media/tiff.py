"""TIFF where Pillow would show something else than is stored, as other programs' readings of the same files tell.

Pillow takes 16-bit samples of separate planes for 8-bit ones, 12-bit greys for 16-bit ones, unsigned numbers for signed
ones, deep greys of which zero is white for their negative, and compressed big-endian ones for little-endian.
"""

import threading
from typing import BinaryIO, cast

import numpy as np
from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import TiffImageFile

from semantic_media_search.errors import UnsupportedMediaError

_BITS, _PHOTOMETRIC, _PLANES, _SAMPLE_FORMAT = 258, 262, 284, 339
_WHITE_IS_ZERO, _SEPARATE, _UNSIGNED = 0, 2, 1
_MIXED_UP = frozenset({"LA", "La", "PA", "LAB"})
"""Of separate planes of these Pillow makes one of the others."""

# libtiff gives samples in the machine's own order, which Pillow remembers for 16-bit unsigned ones only.
_AS_LIBTIFF_GIVES = {
    "F;32F": "F;32NF", "F;32BF": "F;32NF", "I;32S": "I;32NS", "I;32BS": "I;32NS", "I;16S": "I;16NS", "I;16BS": "I;16NS",
}  # fmt: skip
_switching = threading.Lock()


def reopen_rightly(image: TiffImageFile, file: BinaryIO, name: str) -> TiffImageFile:
    """The picture, opened but not loaded, in a way that Pillow reads rightly: itself, or `file` opened once more.

    Raises UnsupportedMediaError where there is none.
    """
    if image.tag_v2.get(_PLANES) == _SEPARATE:
        if image.mode in _MIXED_UP:
            raise UnsupportedMediaError(
                f"{name} is a TIFF that keeps grey and transparency, or L*a*b* colours, in separate planes, which is "
                "not supported: save it with interleaved samples"
            )
        if image.info.get("compression") == "raw":
            image = _open_by_libtiff(file)
    tile = image.tile[0]
    if tile.codec_name == "libtiff" and isinstance(tile.args, tuple) and tile.args[0] in _AS_LIBTIFF_GIVES:
        image.tile = [tile._replace(args=(_AS_LIBTIFF_GIVES[tile.args[0]], *tile.args[1:]))]
    return image


def true_levels(image: TiffImageFile) -> Image.Image:
    """The loaded picture with its deep greys as they are meant: 16 bits at their full range, zero the darkest."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;"):
        return image
    tags, values = image.tag_v2, np.asarray(image)
    whole = values.dtype.itemsize == 2
    if whole and tags[_BITS][0] == 12:
        values = values << 4 | values >> 8
    elif image.mode == "I" and tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED and values.min() < 0:
        values = values.view(np.uint32).astype(np.float32)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = 65535 - values if whole else -values
    mended = Image.fromarray(values)
    mended.info = image.info
    return mended


def _open_by_libtiff(file: BinaryIO) -> TiffImageFile:
    """Pillow's own reading of uncompressed strips knows only planes of 8 bits that need no change; libtiff's all."""
    file.seek(0)
    with _switching:  # the switch is Pillow's, and holds for all threads: to the others it does no harm
        TiffImagePlugin.READ_LIBTIFF = True
        try:
            return cast("TiffImageFile", Image.open(file, formats=("TIFF",)))
        finally:
            TiffImagePlugin.READ_LIBTIFF = False
