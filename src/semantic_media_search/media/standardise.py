"""Decoded pixels -> the frame that the library stores: longest side bounded, JPEG."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from semantic_media_search.records import U8


def fit_within(pixels: U8, max_side: int) -> U8:
    """Scale RGB pixels, uint8 [H, W, 3], down so that the longest side is at most `max_side`; never up.

    The aspect ratio is kept to the nearest pixel, and no side falls below 1. The filter is bicubic with
    antialiasing; a large picture is first averaged down by whole factors to three times its final size, which
    changes levels by less than JPEG does.
    """
    if max(pixels.shape[:2]) <= max_side:
        return pixels
    return np.asarray(fit_image_within(Image.fromarray(pixels), max_side))


def fit_image_within(image: Image.Image, max_side: int) -> Image.Image:
    """As `fit_within`, for a Pillow image of any mode without alpha."""
    longest = max(image.size)
    if longest <= max_side:
        return image
    width, height = (max(1, round(side * max_side / longest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def cell_means(pixels: U8, side: int) -> U8:
    """The mean colours of a `side` x `side` grid laid over RGB pixels, whatever their shape: uint8 [side, side, 3]."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX))


def encode_jpeg(pixels: U8, quality: int = 90) -> bytes:
    """RGB pixels, uint8 [H, W, 3], as a baseline JPEG file of this quality (1 to 100), 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def is_coarse(path: str | Path, quality: int = 30) -> bool:
    """Whether a JPEG was stored with less than this quality, by its own tables: little of the picture is left then."""
    with Image.open(path) as image:
        held = getattr(image, "quantization", {})
    probe = io.BytesIO(encode_jpeg(np.zeros((8, 8, 3), dtype=np.uint8), quality))
    with Image.open(probe) as image:
        bound = getattr(image, "quantization", {})
    return bool(sum(held.get(0, ())) > sum(bound[0]))
