"""Small pictures of known content, drawn for the tests."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 40), (30, 40, 210), (255, 255, 255)


def quadrants(width: int = 96, height: int = 64) -> np.ndarray:
    """Red, green, blue and white quarters: any turn, flip or mixed-up channel shows."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    pixels[height // 2 :, width // 2 :] = WHITE
    return pixels


def photo(width: int = 400, height: int = 300, seed: int = 0) -> np.ndarray:
    """Smooth random shapes with some fine texture: statistics not unlike a photograph's."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3))
    for cells, weight in ((4, 1.0), (9, 0.6), (24, 0.3), (80, 0.12)):
        noise = random.uniform(0, 255, (cells, cells, 3)).astype(np.uint8)
        pixels += weight * np.asarray(
            Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        )
    pixels -= pixels.min()
    return (pixels * (255 / pixels.max())).astype(np.uint8)


def corners(pixels: np.ndarray) -> list[tuple[int, int, int]]:
    """The colours in the middle of the four quarters, in reading order."""
    height, width = pixels.shape[:2]
    places = ((1, 1), (1, 3), (3, 1), (3, 3))
    return [tuple(int(v) for v in pixels[height * y // 4, width * x // 4]) for y, x in places]


def assert_quadrants(pixels: np.ndarray, tolerance: int = 12) -> None:
    wanted = (RED, GREEN, BLUE, WHITE)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    difference = np.abs(np.array(corners(pixels)) - np.array(wanted)).max()
    assert difference <= tolerance, corners(pixels)


def save(path: Path, image: Image.Image | np.ndarray, **options: object) -> Path:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(path, **options)
    return path


def encoded(image: np.ndarray, name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, name, **options)
    return buffer.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims this size, with a few bytes of data: a bomb as seen from outside."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
