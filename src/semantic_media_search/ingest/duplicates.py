"""Which pictures a person would call the same.

A perceptual hash (pHash: the signs of the lowest frequencies of a 32 x 32 cosine transform against their median,
after C. Zauner, 2010) finds candidates; a small picture in colour then has to agree everywhere, since a hash is blind
to what is small: a ball that has moved, a new line on a slide.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from semantic_media_search.media.standardise import cell_means
from semantic_media_search.records import F32, U8

_SIDE, _LOW = 32, 8
_LIGHT_LEVELS, _MEAN_LEVELS, _CELL_LEVELS = 12.0, 4.0, 24.0
"""Bounds, in levels of 255, between two small pictures of one scene: how much all of it may be lighter or darker,
and what may remain on the average and in any one cell."""


NOISE = 40.0
"""A coefficient of the transform this near to the median has its sign by chance: 0.16 levels of amplitude."""

# The lowest rows of the type-II cosine transform of _SIDE samples.
_ROWS, _SAMPLES = np.mgrid[0:_LOW, 0:_SIDE]
_TRANSFORM: F32 = np.cos(np.pi * (_SAMPLES + 0.5) * _ROWS / _SIDE).astype(np.float32)
_BITS = np.left_shift(np.uint64(1), np.arange(_LOW * _LOW, dtype=np.uint64))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A 64-bit hash and the small picture that it was made of: float32 RGB [32, 32, 3], levels of 255.

    `by_chance` are the bits of the hash that noise decides.
    """

    phash: int
    small: F32
    by_chance: int = 0


def fingerprint(pixels: U8, noise: float = NOISE) -> Fingerprint:
    """The fingerprint of a picture, uint8 RGB [H, W, 3]. About half a millisecond at 512 pixels.

    `noise` says how near to the median a coefficient has its sign by chance.
    """
    small = cell_means(pixels, _SIDE).astype(np.float32)
    grey = small @ np.array([0.299, 0.587, 0.114], np.float32)
    spectrum = (_TRANSFORM @ grey @ _TRANSFORM.T).ravel()
    above = spectrum - np.median(spectrum[1:])
    by_chance = int(_BITS[np.abs(above) < noise].sum())
    if np.abs(above[1:]).max() < noise:  # nothing but one colour, which then is all that there is to tell
        return Fingerprint(_hash_of_colour(small), small, by_chance)
    return Fingerprint(int(_BITS[above > 0].sum()), small, by_chance)


def _hash_of_colour(small: F32) -> int:
    """64 bits that differ in about half for colours that differ by more than a few levels."""
    colour = np.round(small.mean(axis=(0, 1)) / _LIGHT_LEVELS).astype(np.uint8)
    return int.from_bytes(hashlib.blake2b(colour.tobytes(), digest_size=8).digest(), "little")


def perceptual_hash(pixels: U8) -> int:
    """The 64-bit hash of a picture, uint8 RGB [H, W, 3]: few bits differ between versions of one picture."""
    return fingerprint(pixels).phash


def hash_distance(first: int, second: int) -> int:
    """In how many of 64 bits two hashes differ."""
    return (first ^ second).bit_count()


def same_picture(first: Fingerprint, second: Fingerprint, threshold: int) -> bool:
    """Whether two frames hardly differ: hashes at most `threshold` bits apart, and no place that changed.

    Bits that noise decides in either do not count: a dark room is one picture, however grainy.

    A threshold of 0 turns the check off: nothing is the same.
    """
    by_chance = first.by_chance | second.by_chance
    if threshold <= 0 or hash_distance(first.phash & ~by_chance, second.phash & ~by_chance) > threshold:
        return False
    difference = first.small - second.small
    light = np.median(difference, axis=(0, 1))
    rest = np.abs(difference - light)
    return bool(
        np.abs(light).max() <= _LIGHT_LEVELS and rest.mean() <= _MEAN_LEVELS and rest.max() <= _CELL_LEVELS
    )
