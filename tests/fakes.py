"""A tiny encoder that truly sees colours, and pictures for it: quick, exact, and wrong in no hidden way."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from semantic_media_search.library.progress import Silent
from semantic_media_search.records import F32, U8, ModelInfo

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 160, 40),
    "blue": (30, 60, 220),
    "yellow": (230, 220, 40),
    "white": (245, 245, 245),
    "black": (10, 10, 10),
}
_BINS = 4


class ColourEncoder:
    """Pictures and words as histograms over 4 x 4 x 4 colours; knows the words in COLOURS."""

    def __init__(self, name: str = "colours", fingerprint: str = "c0105"):
        self.name = name
        self.dim = _BINS**3
        self.info = ModelInfo(name, "1", fingerprint, self.dim)
        self.decode_side = 8
        self.pictures_seen = 0

    def encode_images(self, paths: Sequence[str | Path]) -> F32:
        return self.encode_pixels([np.asarray(Image.open(path).convert("RGB")) for path in paths])

    def encode_pixels(self, images: Sequence[U8]) -> F32:
        self.pictures_seen += len(images)
        return np.stack([self._histogram(image.reshape(-1, 3)) for image in images])

    def encode_texts(self, queries: Sequence[str]) -> F32:
        rows = []
        for query in queries:
            pixels = [COLOURS[word] for word in query.lower().split() if word in COLOURS]
            rows.append(self._histogram(np.array(pixels or list(COLOURS.values()), dtype=np.uint8)))
        return np.stack(rows)

    def _histogram(self, pixels: U8) -> F32:
        bins = (pixels.astype(np.int64) * _BINS) >> 8
        flat = (bins[:, 0] * _BINS + bins[:, 1]) * _BINS + bins[:, 2]
        counts = np.bincount(flat, minlength=self.dim).astype(np.float32) + 1e-3
        return (counts / np.linalg.norm(counts)).astype(np.float32)


def paint(path: Path, colour: str, size: tuple[int, int] = (64, 48), seed: int = 0) -> Path:
    """A picture of one colour with a little noise, so that no two seeds give the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-4, 5, (size[1], size[0], 3))
    pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def paint_dated(path: Path, colour: str, taken: str, seed: int = 0) -> Path:
    """A picture as a camera writes it, with the time of its clock: `2023:05:31 23:30:00`."""
    exif = Image.Exif()
    exif[0x8769] = {0x9003: taken}
    paint(path, colour, seed=seed)
    Image.open(path).save(path, exif=exif.tobytes())
    return path


def film(path: Path, colours: Sequence[str], seconds_each: int = 1, fps: int = 8) -> Path:
    """A video that shows one colour after the other, each with a marker that moves."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(len(colours) * seconds_each * fps):
            picture = np.empty((64, 96, 3), dtype=np.uint8)
            picture[:] = COLOURS[colours[number // (seconds_each * fps)]]
            picture[28:36, number % 88 : number % 88 + 8] = 128
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


class Noting(Silent):
    """`stages` are [name, total, how far it came, whether it ended], in order."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: list[list[object]] = []

    def start(self, stage: str, total: int | None, unit: str) -> None:
        self.stages.append([stage, total, 0, False])

    def advance(self, amount: int = 1) -> None:
        self.stages[-1][2] += amount  # type: ignore[operator]

    def finish(self) -> None:
        self.stages[-1][3] = True

    def note(self, text: str) -> None:
        self.notes.append(text)
