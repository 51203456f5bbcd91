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


def write_tiff(
    path: Path,
    samples: np.ndarray,
    photometric: int,
    *,
    bits: int | None = None,
    separate: bool = False,
    deflated: bool = False,
    extra: dict[int, tuple[int, ...]] | None = None,
) -> Path:
    """A TIFF of these samples [H, W] or [H, W, C], or rows of packed bytes, in the byte order of their type.

    `extra` are more tags, all of 16-bit numbers.
    """
    order = ">" if samples.dtype.byteorder == ">" else "<"
    planes = np.moveaxis(np.atleast_3d(samples), 2, 0) if separate else [samples]
    data = [zlib.compress(part.tobytes()) if deflated else part.tobytes() for part in planes]
    height, count = samples.shape[0], samples.shape[2] if samples.ndim == 3 else 1
    width = samples.shape[1] * 8 * samples.itemsize // bits if bits else samples.shape[1]
    starts = [8 + sum(len(part) for part in data[:at]) for at in range(len(data))]
    tags: dict[int, tuple[int, ...]] = {
        256: (width,), 257: (height,), 258: (bits or 8 * samples.itemsize,) * count, 259: (8 if deflated else 1,),
        262: (photometric,), 277: (count,), 278: (height,), 284: (2 if separate else 1,),
        339: ({"u": 1, "i": 2, "f": 3}[samples.dtype.kind],) * count,
    }  # fmt: skip
    longs = {273: tuple(starts), 279: tuple(len(part) for part in data)}
    every = sorted((tags | longs | (extra or {})).items())
    directory = sum(map(len, data), start=8)
    beyond = directory + 2 + 12 * len(every) + 4
    table, values = struct.pack(order + "H", len(every)), b""
    for tag, numbers in every:
        packed = struct.pack(order + ("I" if tag in longs else "H") * len(numbers), *numbers)
        table += struct.pack(order + "HHI", tag, 4 if tag in longs else 3, len(numbers))
        if len(packed) <= 4:
            table += packed.ljust(4, b"\0")
        else:
            table += struct.pack(order + "I", beyond + len(values))
            values += packed
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", directory)
    path.write_bytes(head + b"".join(data) + table + bytes(4) + values)
    return path


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
