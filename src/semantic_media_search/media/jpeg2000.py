"""JPEG 2000 of more than 8 bits a sample, as archives and scanners write it.

Pillow rounds such samples to 8 bits without a bound, so that white becomes black. FFmpeg gives all of their bits.
"""

from typing import BinaryIO

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image

from semantic_media_search.errors import DecodeError, UnsupportedMediaError

# ISO/IEC 15444-1, A.5.1: the markers SOC and SIZ begin the codestream; the samples' depths end the SIZ segment.
_CODESTREAM = b"\xff\x4f\xff\x51"
_COUNT_AT, _DEPTHS_AT, _BYTES_EACH = 40, 42, 3
_HEADER_BYTES = 1 << 16
_LAYOUTS = frozenset({"gray16le", "ya16le", "rgb48le", "rgba64le"})


def true_samples(image: Image.Image, file: BinaryIO, name: str) -> Image.Image:
    """The picture that Pillow loaded from `file`, in 8 bits that are right.

    Raises UnsupportedMediaError where the file's colours are none that can be had so, DecodeError where it is damaged.
    """
    if image.mode == "I;16":
        return image  # of one deep grey alone Pillow keeps all bits
    file.seek(0)
    data = file.read(_HEADER_BYTES)
    if _CODESTREAM not in data:
        data += file.read()
    depth = _depth(data)
    if depth <= 8:
        return image
    frame = _decoded(data + file.read(), name)
    layout = frame.format.name
    size = (frame.width, frame.height)
    samples = frame.to_ndarray().astype(np.uint32) if layout in _LAYOUTS and size == image.size else None
    if samples is None or depth > 16 or samples.size != image.width * image.height * len(image.getbands()):
        raise UnsupportedMediaError(
            f"{name} is a JPEG 2000 picture of {depth} bits a sample in a layout ({layout}) that is not supported: "
            "save it with 8 bits a sample"
        )
    white = (1 << 16) - (1 << (16 - depth))  # the samples lie in the upper bits of 16
    levels = np.minimum((samples * 255 + white // 2) // white, 255).astype(np.uint8)
    mended = Image.frombytes(image.mode, image.size, levels.tobytes())
    mended.info = image.info
    return mended


def _depth(data: bytes) -> int:
    """Bits of the deepest sample; 0 where there is no codestream."""
    start = data.find(_CODESTREAM)
    if start < 0:
        return 0
    count = int.from_bytes(data[start + _COUNT_AT : start + _DEPTHS_AT])
    first = start + _DEPTHS_AT
    return max(
        ((depth & 127) + 1 for depth in data[first : first + _BYTES_EACH * count : _BYTES_EACH]), default=0
    )


def _decoded(data: bytes, name: str) -> av.VideoFrame:
    context = av.CodecContext.create("jpeg2000", "r")
    assert isinstance(context, av.VideoCodecContext)
    try:
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        raise DecodeError(
            f"{name} is damaged or of a kind of JPEG 2000 of more than 8 bits a sample that is not supported"
        ) from error
    if not frames:
        raise DecodeError(f"{name} is damaged (JPEG 2000: no picture)")
    return frames[0]
