"""Any pixel layout that Pillow can hold -> 8-bit sRGB.

Pillow's own `convert("RGB")` clips 16-bit grey to white, uncovers what alpha hides, and knows no profiles.
"""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_PROFILE_MODES = frozenset({"RGB", "L", "CMYK"})


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture as 8-bit sRGB: alpha laid on white, deep greys scaled, an ICC profile applied.

    16-bit samples are scaled by their full range; 32-bit integers and floats, whose white no format defines,
    by the range that occurs. A profile that is damaged or made for another layout is passed over.
    """
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        image = _scale_deep_grey(image)
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode == "LAB":
        return _apply_profile(image, None)
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return _lay_on_white(image.convert("RGBA"), profile)
    if image.mode not in _PROFILE_MODES:
        image = image.convert("RGB")
    return _apply_profile(image, profile)


def _lay_on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    alpha = image.getchannel("A")
    colours = _apply_profile(image.convert("RGB"), profile)
    white = Image.new("RGB", image.size, "white")
    white.paste(colours, mask=alpha)
    return white


def _scale_deep_grey(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return Image.fromarray(((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8))
    floats = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(floats.min()), float(floats.max())
    if values.dtype.kind in "iu" and low >= 0 and high <= 65535:
        # Pillow opens some 16-bit files as 32-bit ones.
        low, high = 0.0, 65535.0 if high > 255 else 255.0
    span = high - low if high > low else 1.0
    return Image.fromarray(((floats - low) * (255 / span) + 0.5).astype(np.uint8))


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    transform = _transform_to_srgb(profile, image.mode) if profile or image.mode == "LAB" else None
    if transform is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    converted = ImageCms.applyTransform(image, transform)
    return image.convert("RGB") if converted is None else converted


@lru_cache(maxsize=32)
def _transform_to_srgb(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The conversion from this profile, or None where it is sRGB already or cannot be used."""
    try:
        if profile is None:
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).lower():
                return None
        target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        return ImageCms.buildTransform(source, target, mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
