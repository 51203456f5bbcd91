"""Small videos whose every frame says its own number, so that a wrong picture or time cannot pass."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from picture_makers import quadrants

BITS = 10


def numbered(number: int, width: int = 320, height: int = 180) -> np.ndarray:
    """A picture of `number` in binary: a row of black and white columns over a grey ground."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    column = width // BITS
    for bit in range(BITS):
        pixels[: height // 2, bit * column : (bit + 1) * column] = 235 if number >> bit & 1 else 20
    return pixels


def number_in(pixels: np.ndarray) -> int:
    """The number that `numbered` drew, read from a decoded and perhaps scaled picture."""
    column = pixels.shape[1] / BITS
    row = pixels[pixels.shape[0] // 4].mean(axis=1)
    return sum(int(row[int((bit + 0.5) * column)] > 128) << bit for bit in range(BITS))


def write_video(
    path: Path,
    codec: str = "libx264",
    *,
    pictures: Iterable[np.ndarray] | None = None,
    frames: int = 75,
    rate: int = 25,
    size: tuple[int, int] = (320, 180),
    times: list[float] | None = None,
    gop: int = 25,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: int | None = None,
    metadata: dict[str, str] | None = None,
    container_format: str | None = None,
) -> Path:
    """Encode numbered frames, or `pictures`, at a constant rate or at `times` in seconds."""
    if pictures is None:
        pictures = (numbered(number, *size) for number in range(frames if times is None else len(times)))
    defaults = {
        "libx264": {"x264-params": "scenecut=0:log-level=error"},
        "libx265": {"x265-params": "scenecut=0:log-level=none"},
        "libsvtav1": {"preset": "9"},
        "libvpx": {"deadline": "realtime", "cpu-used": "8"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    }
    with av.open(
        str(path), "w", format=container_format, container_options=container_options or {}
    ) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, options=defaults.get(codec, {}) | (options or {}))
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = gop
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if times is not None:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def still_quadrants(count: int, width: int = 192, height: int = 128) -> Iterable[np.ndarray]:
    return (quadrants(width, height) for _ in range(count))
