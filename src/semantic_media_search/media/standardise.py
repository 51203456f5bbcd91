"""Decoded pixels -> the frame that the library stores: longest side bounded, JPEG."""

import io

import numpy as np
from PIL import Image

from semantic_media_search.records import U8


def fit_within(pixels: U8, max_side: int) -> U8:
    """Scale RGB pixels, uint8 [H, W, 3], down so that the longest side is at most `max_side`; never up.

    The aspect ratio is kept to the nearest pixel, and no side falls below 1. The filter is bicubic with
    antialiasing; a large picture is first averaged down by whole factors to three times its final size, which
    changes levels by less than JPEG does.
    """
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest <= max_side:
        return pixels
    size = (max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest)))
    image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(image)


def cell_means(pixels: U8, side: int) -> U8:
    """The mean colours of a `side` x `side` grid laid over RGB pixels, whatever their shape: uint8 [side, side, 3]."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX))


def encode_jpeg(pixels: U8, quality: int = 90) -> bytes:
    """RGB pixels, uint8 [H, W, 3], as a baseline JPEG file of this quality (1 to 100), 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()
