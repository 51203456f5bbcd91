"""The pixels that a model sees are those of transformers' CLIPImageProcessor, to within one level of 255."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from semantic_media_search.embeddings.preprocessing import ImagePreprocessor
from semantic_media_search.errors import ModelLayoutError
from semantic_media_search.records import U8

CLIP: dict[str, Any] = {
    "do_resize": True,
    "size": {"shortest_edge": 224},
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
FIXED_SIZES = [
    (224, 224), (223, 500), (225, 224), (1, 1), (1, 300), (2, 3), (3, 3), (3000, 40), (40, 3000), (5, 1000),
    (1080, 1920), (1920, 1080), (512, 341), (341, 512), (448, 448), (449, 1001), (3001, 7),
]  # fmt: skip
OTHER_CONFIGS = {
    "the older form, numbers for sizes": {"size": 224, "crop_size": 224},
    "squashed": {"size": {"height": 260, "width": 200}, "do_center_crop": False},
    "squashed, bilinear, other mean": {
        "size": {"height": 260, "width": 260},
        "do_center_crop": False,
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.25, 0.5, 1.0],
    },
    "a crop larger than the picture": {
        "size": {"shortest_edge": 100},
        "crop_size": {"height": 151, "width": 300},
    },
    "cropped at its own size": {"do_resize": False},
    "an odd crop": {"size": {"shortest_edge": 231}, "crop_size": {"height": 200, "width": 177}},
    "Lanczos": {"resample": 1},
    "nearest": {"resample": 0},
    "not normalised": {"do_normalize": False},
    "levels": {"do_normalize": False, "do_rescale": False},
}


def picture(rng: np.random.Generator, height: int, width: int) -> U8:
    """Coarse shapes under fine noise: hard edges, flat areas and texture."""
    small = rng.integers(0, 256, size=(4, 5, 3), dtype=np.uint8)
    coarse = np.asarray(
        Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST), dtype=np.int16
    )
    noise = rng.integers(-40, 41, size=coarse.shape)
    return np.clip(coarse + noise, 0, 255).astype(np.uint8)


def largest_difference(config: dict[str, Any], image: U8) -> float:
    """Between our input of the model and transformers', in levels of 255."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    ours = ImagePreprocessor.from_config(config)([image])
    theirs = CLIPImageProcessorPil(**config)(Image.fromarray(image), return_tensors="np")["pixel_values"]
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    std = np.float32(config["image_std"]) if config["do_normalize"] else np.ones(3)
    levels = 255 if config["do_rescale"] else 1
    return float((np.abs(ours - theirs) * std.reshape(3, 1, 1)).max() * levels)


def test_many_sizes_and_aspect_ratios() -> None:
    rng = np.random.default_rng(3)
    sizes = FIXED_SIZES + [(int(h), int(w)) for h, w in rng.integers(1, 700, size=(60, 2))]
    differences = {size: largest_difference(CLIP, picture(rng, *size)) for size in sizes}
    assert max(differences.values()) <= 1.001, differences


@pytest.mark.parametrize("change", OTHER_CONFIGS.values(), ids=OTHER_CONFIGS.keys())
def test_other_settings_are_followed(change: dict[str, Any]) -> None:
    rng = np.random.default_rng(4)
    for size in [(224, 224), (300, 401), (401, 300), (90, 333), (500, 60)]:
        assert largest_difference(CLIP | change, picture(rng, *size)) <= 1.001, size


def test_a_strip_is_cropped_from_its_middle_without_being_enlarged_whole() -> None:
    """Enlarged whole, it would take 300 MB; a gradient along it shows which part was taken."""
    image = np.repeat(np.linspace(0, 255, 20_000).astype(np.uint8)[:, None, None], 10, axis=1).repeat(
        3, axis=2
    )
    config = CLIP | {"do_normalize": False, "do_rescale": False}
    pixels = ImagePreprocessor.from_config(config)([image])[0]
    assert pixels.shape == (3, 224, 224)
    assert abs(pixels.mean() - 127.5) < 1


def test_the_decoder_is_told_what_the_model_needs() -> None:
    assert ImagePreprocessor.from_config(CLIP).decode_side == 448
    squashed = CLIP | {"size": {"height": 260, "width": 260}, "do_center_crop": False}
    assert ImagePreprocessor.from_config(squashed).decode_side == 520


@pytest.mark.parametrize(
    "change",
    [
        {"size": {"longest_edge": 224}},
        {"size": {"shortest_edge": 0}},
        {"size": {"shortest_edge": -5}},
        {"size": {"shortest_edge": 224.5}},
        {"size": "large"},
        {"size": True},
        {"crop_size": {"height": 224}},
        {"image_mean": [0.5]},
        {"image_std": [0.5, 0.0, 0.5]},
        {"image_std": None},
        {"resample": 9},
        {"rescale_factor": "x"},
        {"do_center_crop": False},
        {"do_center_crop": False, "do_resize": False},
    ],
    ids=str,
)
def test_settings_that_cannot_be_followed_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ModelLayoutError, match=r"preprocessor_config\.json"):
        ImagePreprocessor.from_config(CLIP | change)
