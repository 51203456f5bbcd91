"""Resampling of decoded pictures: Pillow's filters on uint8, as the models' own preprocessing uses them."""

import numpy as np
from PIL import Image

from semantic_media_search.records import U8


def resize_region(
    image: U8,
    size: tuple[int, int],
    region: tuple[int, int, int, int],
    resample: int,
) -> U8:
    """Resize `image` uint8 [H, W, 3] to `size` (height, width) and return only a region of the result.

    `region` is (top, left, height, width) in pixels of the resized picture and lies within it. The pixels are
    those of resizing the whole and cropping, but only the region is computed, so that a picture of extreme
    shape (20,000 x 10, whose shorter side is to become 224) costs no more than any other. `resample` is
    Pillow's number of the filter (0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming).
    """
    height, width = size
    top, left, region_height, region_width = region
    row_scale, column_scale = image.shape[0] / height, image.shape[1] / width
    # Pillow refuses a box that rounding has pushed past the edge by the last bit.
    box = (
        left * column_scale,
        top * row_scale,
        min((left + region_width) * column_scale, float(image.shape[1])),
        min((top + region_height) * row_scale, float(image.shape[0])),
    )
    picture = Image.fromarray(np.ascontiguousarray(image))
    filter_ = Image.Resampling(resample)
    return np.asarray(picture.resize((region_width, region_height), filter_, box=box), dtype=np.uint8)
