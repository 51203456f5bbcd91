"""Which pictures a person would call the same.

A perceptual hash (pHash: the signs of the lowest frequencies of a 32 x 32 cosine transform against their median,
after C. Zauner, 2010) finds candidates; a small picture in colour then has to agree everywhere, since a hash is blind
to what is small: a ball that has moved, a new line on a slide.
"""

from dataclasses import dataclass

import numpy as np

from semantic_media_search.media.standardise import cell_means
from semantic_media_search.records import F32, U8

_SIDE, _LOW = 32, 8
_LIGHT_LEVELS, _MEAN_LEVELS, _CELL_LEVELS = 12.0, 4.0, 24.0
"""Bounds, in levels of 255, between two small pictures of one scene: how much all of it may be lighter or darker,
and what may remain on the average and in any one cell."""


# The lowest rows of the type-II cosine transform of _SIDE samples.
_ROWS, _SAMPLES = np.mgrid[0:_LOW, 0:_SIDE]
_TRANSFORM: F32 = np.cos(np.pi * (_SAMPLES + 0.5) * _ROWS / _SIDE).astype(np.float32)
_BITS = np.left_shift(np.uint64(1), np.arange(_LOW * _LOW, dtype=np.uint64))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A 64-bit hash and the small picture that it was made of: float32 RGB [32, 32, 3], levels of 255."""

    phash: int
    small: F32


def fingerprint(pixels: U8) -> Fingerprint:
    """The fingerprint of a picture, uint8 RGB [H, W, 3]. About half a millisecond at 512 pixels."""
    small = cell_means(pixels, _SIDE).astype(np.float32)
    grey = small @ np.array([0.299, 0.587, 0.114], np.float32)
    spectrum = (_TRANSFORM @ grey @ _TRANSFORM.T).ravel()
    signs = spectrum > np.median(spectrum[1:])
    return Fingerprint(int(_BITS[signs].sum()), small)


def perceptual_hash(pixels: U8) -> int:
    """The 64-bit hash of a picture, uint8 RGB [H, W, 3]: few bits differ between versions of one picture."""
    return fingerprint(pixels).phash


def hash_distance(first: int, second: int) -> int:
    """In how many of 64 bits two hashes differ."""
    return (first ^ second).bit_count()


def same_picture(first: Fingerprint, second: Fingerprint, threshold: int) -> bool:
    """Whether two frames hardly differ: hashes at most `threshold` bits apart, and no place that changed.

    A threshold of 0 turns the check off: nothing is the same.
    """
    if threshold <= 0 or hash_distance(first.phash, second.phash) > threshold:
        return False
    difference = first.small - second.small
    light = np.median(difference, axis=(0, 1))
    rest = np.abs(difference - light)
    return bool(
        np.abs(light).max() <= _LIGHT_LEVELS and rest.mean() <= _MEAN_LEVELS and rest.max() <= _CELL_LEVELS
    )
