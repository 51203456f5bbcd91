"""Photos and videos of a size that cameras give, made from smaller pictures, to time the reading of."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image

from semantic_media_search.errors import ConfigError
from semantic_media_search.media.decode import load_image
from semantic_media_search.records import U8

_PHOTO_WIDTH, _PHOTO_HEIGHT = 4000, 3000
_FRAME_WIDTH, _FRAME_HEIGHT, _FRAME_RATE = 1920, 1080, 30

VIDEO_KINDS = {
    "key frames every second": "keyint=30:scenecut=0",
    "half of the frames no references": "keyint=250:scenecut=0:bframes=1:b-adapt=0:b-pyramid=none",
    "all frames references": "keyint=250:scenecut=0:bframes=0",
}
"""The three cases that decide how much of an H.264 stream must be decoded, as x264 parameters."""


def textured_pictures(count: int, seed: int = 0, side: int = 600) -> list[U8]:
    """Random pictures, uint8 RGB [side, side, 3], with detail at every scale, about as hard to decode as photos."""
    random = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        picture = np.zeros((side, side, 3), np.float32)
        for cells in (3, 9, 27, 81, 243):
            noise = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
            layer = np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC), np.float32)
            picture += layer / cells**0.6
        picture -= picture.min()
        pictures.append((picture * (255 / picture.max())).astype(np.uint8))
    return pictures


def pictures_of(folder: Path, count: int) -> list[U8]:
    """The first `count` photographs below a folder, by name. Raises ConfigError where there are none."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg")][:count]
    if not paths:
        raise ConfigError(f"{folder} holds no .jpg files to make photographs of")
    return [load_image(path) for path in paths]


def write_photos(folder: Path, pictures: Sequence[U8], count: int) -> list[Path]:
    """Write `count` JPEG photos of 12 megapixels, each a mosaic of twelve of these pictures, enlarged."""
    paths = []
    for number in range(count):
        photo = Image.new("RGB", (_PHOTO_WIDTH, _PHOTO_HEIGHT))
        for tile in range(12):
            picture = Image.fromarray(pictures[(number + tile) % len(pictures)])
            photo.paste(
                picture.resize((1000, 1000), Image.Resampling.BICUBIC), (tile % 4 * 1000, tile // 4 * 1000)
            )
        paths.append(folder / f"photo_{number}.jpg")
        photo.save(paths[-1], quality=92)
    return paths


def write_videos(folder: Path, photo: Path, seconds: int) -> dict[str, Path]:
    """Write 1080p30 H.264 videos that pan over a 12-megapixel photo, one of each of VIDEO_KINDS."""
    with Image.open(photo) as image:
        scene = np.asarray(image.convert("RGB"))
    paths = {}
    for number, (kind, parameters) in enumerate(VIDEO_KINDS.items()):
        paths[kind] = folder / f"video_{number}.mp4"
        options = {"preset": "veryfast", "x264-params": f"{parameters}:log-level=error"}
        with av.open(str(paths[kind]), "w") as container:
            stream = container.add_stream("libx264", rate=_FRAME_RATE, options=options)
            stream.width, stream.height, stream.pix_fmt = _FRAME_WIDTH, _FRAME_HEIGHT, "yuv420p"
            stream.bit_rate = 6_000_000
            for view in _pan(scene, seconds * _FRAME_RATE):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
            container.mux(stream.encode(None))
    return paths


def _pan(scene: U8, frames: int) -> Iterator[U8]:
    spare_height, spare_width = scene.shape[0] - _FRAME_HEIGHT, scene.shape[1] - _FRAME_WIDTH
    for number in range(frames):
        top = round(spare_height * (1 + np.cos(number / 130)) / 2)
        left = round(spare_width * (1 + np.sin(number / 90)) / 2)
        yield np.ascontiguousarray(scene[top : top + _FRAME_HEIGHT, left : left + _FRAME_WIDTH])


def many_photos(folder: Path, photos: Sequence[Path], count: int) -> list[Path]:
    """`count` files in `folder`, each another name of one of the photos: so many files at the cost of a few."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(count):
        names.append(folder / f"IMG_{number:05d}.jpg")
        try:
            os.link(photos[number % len(photos)], names[-1])
        except OSError:
            shutil.copyfile(photos[number % len(photos)], names[-1])
    return names
