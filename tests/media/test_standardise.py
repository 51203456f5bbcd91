import io

import numpy as np
import pytest
from PIL import Image

from picture_makers import photo, quadrants
from semantic_media_search.media.standardise import encode_jpeg, fit_within


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((1600, 1200), (512, 384)),
        ((1200, 1600), (384, 512)),
        ((513, 513), (512, 512)),
        ((512, 100), (512, 100)),
        ((10, 10), (10, 10)),
        ((5000, 3), (512, 1)),
    ],
)
def test_the_longest_side_is_bounded_and_never_raised(size: tuple[int, int], fitted: tuple[int, int]) -> None:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    assert fit_within(pixels, 512).shape == (fitted[1], fitted[0], 3)


def test_shrinking_averages_rather_than_picks() -> None:
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    shrunk = fit_within(stripes, 100)
    assert np.abs(shrunk[10:-10, 10:-10].astype(int) - 127).max() <= 3


def test_the_shortcut_is_close_to_the_exact_filter() -> None:
    pixels = photo(1600, 1200)
    exact = np.asarray(Image.fromarray(pixels).resize((512, 384), Image.Resampling.BICUBIC))
    assert np.abs(fit_within(pixels, 512).astype(int) - exact).mean() < 0.5


def test_jpeg_bytes_decode_to_the_picture() -> None:
    pixels = photo()
    data = encode_jpeg(pixels, 90)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert np.abs(np.asarray(image).astype(int) - pixels).mean() < 3
    assert len(encode_jpeg(pixels, 50)) < len(data)
    assert encode_jpeg(quadrants()) == encode_jpeg(quadrants())
