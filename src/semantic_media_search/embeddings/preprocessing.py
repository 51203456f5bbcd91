"""Turns decoded pictures into a vision model's input, as its `preprocessor_config.json` says.

The pixels are those of transformers' `CLIPImageProcessor` (its Pillow form) to within one level of 255:
resize on uint8, crop from the centre, scale, normalise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from semantic_media_search.errors import DecodeError, ModelLayoutError
from semantic_media_search.records import F32, U8

# Decoding at reduced scale stays invisible (mean difference 0.2 of 255) down to twice the model's input.
DECODE_HEADROOM = 2

_BICUBIC = 3
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class ImagePreprocessor:
    """What is done to a picture before the vision model sees it.

    `shortest_edge` (pixels, aspect kept) or `size` (height, width) say how it is resized, `crop` (height,
    width) what is cut from the centre; None where a step is left out. The model's input is
    `pixel * scale[c] + offset[c]` for each channel c.
    """

    shortest_edge: int | None
    size: tuple[int, int] | None
    crop: tuple[int, int] | None
    resample: int
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "ImagePreprocessor":
        """Read a `preprocessor_config.json`. Raises ModelLayoutError for values it cannot follow."""
        try:
            shortest_edge, size = (None, None)
            if config.get("do_resize", True):
                shortest_edge, size = _parse_size(config.get("size", {"shortest_edge": 224}))
            crop = None
            if config.get("do_center_crop", True):
                crop = _parse_crop(config.get("crop_size", 224))
            factor = float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0
            normalise = config.get("do_normalize", True)
            mean = [float(m) for m in config.get("image_mean", _CLIP_MEAN)] if normalise else [0.0] * 3
            std = [float(s) for s in config.get("image_std", _CLIP_STD)] if normalise else [1.0] * 3
            if len(mean) != 3 or len(std) != 3 or not all(std):
                raise ValueError(
                    f"image_mean {mean} and image_std {std} must hold three numbers each, std not 0"
                )
            resample = int(config.get("resample", _BICUBIC))
            if not 0 <= resample <= 5:
                raise ValueError(f"resample is {resample}; expected a Pillow filter, 0 to 5")
            if crop is None and size is None:
                raise ValueError("without a fixed size or a centre crop the model's input has no fixed shape")
        except (TypeError, ValueError, KeyError) as error:
            raise ModelLayoutError(f"preprocessor_config.json cannot be followed: {error}") from error
        scale = (factor / std[0], factor / std[1], factor / std[2])
        offset = (-mean[0] / std[0], -mean[1] / std[1], -mean[2] / std[2])
        return cls(shortest_edge, size, crop, resample, scale, offset)

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the model's input, in pixels."""
        size = self.crop or self.size
        assert size is not None, "from_config refuses a preprocessor without one"
        return size

    @property
    def decode_side(self) -> int:
        """The shorter side, in pixels, below which a picture must not be decoded at reduced scale."""
        return DECODE_HEADROOM * max(self.shortest_edge or 0, *(self.size or (0,)), *self.output_size)

    def __call__(self, images: Sequence[U8]) -> F32:
        """Upright RGB pictures, each uint8 [H, W, 3], as one batch: float32 [B, 3, height, width].

        Raises DecodeError for an array of another shape or dtype.
        """
        batch = np.empty((len(images), 3, *self.output_size), dtype=np.float32)
        for row, image in zip(batch, images, strict=True):
            self._fill(row, image)
        return batch

    def _fill(self, row: F32, image: U8) -> None:
        """Write the model's input for one picture into `row`, float32 [3, height, width]."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise DecodeError(
                f"a picture is {image.dtype} of shape {image.shape}; expected uint8 [height, width, 3]"
            )
        pixels = self._resized(image)
        for channel in range(3):
            np.multiply(pixels[..., channel], np.float32(self.scale[channel]), out=row[channel])
            row[channel] += np.float32(self.offset[channel])

    def _resized(self, image: U8) -> U8:
        """The picture resized and cropped, uint8 [height, width, 3]; black where the crop reaches past it."""
        from semantic_media_search.media.resize import resize_and_crop

        full = self._full_size(image.shape[0], image.shape[1])
        out = self.crop or full
        top, left = (full[0] - out[0]) // 2, (full[1] - out[1]) // 2
        inner_top, inner_left = max(top, 0), max(left, 0)
        height = min(top + out[0], full[0]) - inner_top
        width = min(left + out[1], full[1]) - inner_left
        if full == image.shape[:2]:
            region = image[inner_top : inner_top + height, inner_left : inner_left + width]
        else:
            region = resize_and_crop(image, full, (inner_top, inner_left, height, width), self.resample)
        if (height, width) == out:
            return region
        padded = np.zeros((*out, 3), dtype=np.uint8)
        padded[inner_top - top : inner_top - top + height, inner_left - left : inner_left - left + width] = (
            region
        )
        return padded

    def _full_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that a picture of this size is resized to, before the crop."""
        if self.size is not None:
            return self.size
        if self.shortest_edge is None:
            return height, width
        edge = self.shortest_edge
        if width <= height:
            return int(edge * height / width), edge
        return edge, int(edge * width / height)


def _parse_size(size: Any) -> tuple[int | None, tuple[int, int] | None]:
    """Read `size`: a number or `shortest_edge` keep the aspect, `height` and `width` do not."""
    if isinstance(size, int):
        return _positive(size), None
    if set(size) == {"shortest_edge"}:
        return _positive(size["shortest_edge"]), None
    if set(size) == {"height", "width"}:
        return None, (_positive(size["height"]), _positive(size["width"]))
    raise ValueError(f"size is {size!r}; expected shortest_edge, or height and width")


def _parse_crop(crop: Any) -> tuple[int, int]:
    """Read `crop_size`: a number stands for a square."""
    if isinstance(crop, int):
        return _positive(crop), _positive(crop)
    return _positive(crop["height"]), _positive(crop["width"])


def _positive(value: Any) -> int:
    """The value as a whole number of pixels above 0."""
    if isinstance(value, bool) or int(value) != value or not 0 < value <= 8192:
        raise ValueError(f"{value!r} is no size in pixels")
    return int(value)
