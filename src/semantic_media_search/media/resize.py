"""Resampling of decoded pictures: Pillow's filters on uint8, as the models' own preprocessing uses them."""

import numpy as np
from PIL import Image

from semantic_media_search.records import U8

# 224 pixels by 71,000. Only pictures of more extreme shapes go past it.
_WHOLE_PIXELS = 16_000_000


def resize_and_crop(image: U8, size: tuple[int, int], region: tuple[int, int, int, int], resample: int) -> U8:
    """Resize `image` uint8 [H, W, 3] to `size` (height, width) and return a region of the result.

    `region` is (top, left, height, width) in pixels of the resized picture and lies within it. `resample` is
    Pillow's number of the filter (0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming). Memory is
    bounded: of a strip of 20,000 x 10 whose shorter side becomes 224, only the region is computed.
    """
    top, left, height, width = region
    picture = Image.fromarray(np.ascontiguousarray(image))
    filter_ = Image.Resampling(resample)
    if size[0] * size[1] <= _WHOLE_PIXELS:
        # Pillow rounds to uint8 between its two passes and picks their order by the shape of the call, so
        # that a resized part can be ten levels off the same part of the resized whole.
        resized = picture.resize((size[1], size[0]), filter_)
        return np.asarray(resized, dtype=np.uint8)[top : top + height, left : left + width]
    row_scale, column_scale = picture.height / size[0], picture.width / size[1]
    columns = _within((left * column_scale, 0, (left + width) * column_scale, picture.height), picture)
    picture = picture.resize((width, picture.height), filter_, box=columns)
    rows = _within((0, top * row_scale, width, (top + height) * row_scale), picture)
    return np.asarray(picture.resize((width, height), filter_, box=rows), dtype=np.uint8)


def _within(
    box: tuple[float, float, float, float], picture: Image.Image
) -> tuple[float, float, float, float]:
    """The box without what rounding pushed past the picture's edge, which Pillow refuses."""
    return box[0], box[1], min(box[2], float(picture.width)), min(box[3], float(picture.height))
