"""The hash finds edited copies and only those; suppression sees what a hash alone would miss."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from picture_makers import photo
from semantic_media_search.ingest.duplicates import (
    fingerprint,
    hash_distance,
    perceptual_hash,
    same_picture,
)
from semantic_media_search.search.moments import COPY_BITS


def recompressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def cropped(image: Image.Image) -> Image.Image:
    width, height = image.size
    edge = 0.025
    return image.crop(
        (int(width * edge), int(height * edge), int(width * (1 - edge)), int(height * (1 - edge)))
    )


EDITS = {
    "resized": lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC),
    "stretched": lambda image: image.resize((image.width, image.height * 3 // 4)),
    "recompressed": recompressed,
    "cropped 5 %": cropped,
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_copies_are_found(edit: str) -> None:
    pictures = [Image.fromarray(photo(seed=seed)) for seed in range(30)]
    near = [
        hash_distance(perceptual_hash(np.asarray(p)), perceptual_hash(np.asarray(EDITS[edit](p))))
        <= COPY_BITS
        for p in pictures
    ]
    assert np.mean(near) >= 0.93


def test_different_pictures_are_far_apart() -> None:
    hashes = [perceptual_hash(photo(seed=seed)) for seed in range(60)]
    distances = [hash_distance(a, b) for at, a in enumerate(hashes) for b in hashes[:at]]
    assert min(distances) > COPY_BITS
    assert 24 < np.mean(distances) < 40


def test_hashes_fill_64_bits_and_do_not_depend_on_shape() -> None:
    for shape in ((1, 1), (5, 400), (33, 31), (512, 512)):
        value = perceptual_hash(
            photo(shape[1], shape[0]) if min(shape) > 1 else np.zeros((*shape, 3), np.uint8)
        )
        assert 0 <= value < 2**64


def test_noise_and_slow_light_are_the_same_picture() -> None:
    still = photo()
    noisy = np.clip(still + np.random.default_rng(0).normal(2, 6, still.shape), 0, 255).astype(np.uint8)
    assert same_picture(fingerprint(still), fingerprint(noisy), 4)


def test_a_small_thing_that_moved_is_another_picture() -> None:
    before = photo()
    after = before.copy()
    before[40:70, 40:70] = (250, 250, 60)
    after[40:70, 90:120] = (250, 250, 60)
    assert hash_distance(fingerprint(before).phash, fingerprint(after).phash) <= 12
    assert not same_picture(fingerprint(before), fingerprint(after), 12)


def test_a_line_added_to_a_slide_is_another_picture() -> None:
    before = np.full((288, 512, 3), 245, np.uint8)
    before[40:60, 40:400] = 20
    after = before.copy()
    after[120:132, 40:300:6] = 20
    assert not same_picture(fingerprint(before), fingerprint(after), 4)


def test_flat_pictures_of_different_colours_differ() -> None:
    red, blue = (np.full((90, 160, 3), colour, np.uint8) for colour in ((180, 20, 20), (20, 20, 180)))
    assert not same_picture(fingerprint(red), fingerprint(blue), 64)
    assert same_picture(fingerprint(red), fingerprint(red), 1)


@pytest.mark.parametrize("colour", [(6, 6, 8), (245, 245, 240), (90, 120, 160)])
def test_flat_pictures_are_the_same_however_grainy(colour: tuple[int, int, int]) -> None:
    """A dark room, a white wall, the sky: a hash sees nothing there but noise."""
    noise = np.random.default_rng(3)
    frames = [
        np.clip(np.array(colour) + noise.normal(0, 6, (288, 512, 3)), 0, 255).astype(np.uint8)
        for _ in range(8)
    ]
    assert all(same_picture(fingerprint(frames[0]), fingerprint(frame), 4) for frame in frames[1:])


def test_flat_pictures_of_different_colours_are_no_copies() -> None:
    colours = [(0, 0, 0), (255, 255, 255), (180, 20, 20), (20, 20, 180), (20, 180, 20), (128, 128, 128)]
    hashes = [perceptual_hash(np.full((90, 160, 3), colour, np.uint8)) for colour in colours]
    distances = [hash_distance(a, b) for at, a in enumerate(hashes) for b in hashes[:at]]
    assert min(distances) > COPY_BITS


def test_a_threshold_of_zero_turns_it_off() -> None:
    here = fingerprint(photo())
    assert not same_picture(here, here, 0)
