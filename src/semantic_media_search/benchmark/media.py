"""How fast pictures and videos are read, against the usual way of reading them, and how faithfully.

Both sides run in turn in one process, so that what else the machine does meets both; the ratio of their medians
is what counts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from semantic_media_search.benchmark.media_samples import textured_pictures, write_photos, write_videos
from semantic_media_search.ingest.image_ingest import read_image
from semantic_media_search.media.video import sample_frames
from semantic_media_search.records import U8

_MAX_SIDE = 512


@dataclass(frozen=True, slots=True)
class Contest:
    """One job done by us and by a peer, several times in turn; times in seconds for all `items`.

    `fidelity` is how far our result is from the exact one, in what `fidelity_of` names.
    """

    job: str
    peer: str
    items: int
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    fidelity: float
    fidelity_of: str

    @property
    def ratio(self) -> float:
        """How many times as fast as the peer we are."""
        return median(self.theirs) / median(self.ours)

    def to_json(self) -> dict[str, Any]:
        """The contest as plain values."""
        return {
            "job": self.job,
            "peer": self.peer,
            "items": self.items,
            "ours_per_second": round(self.items / median(self.ours), 2),
            "peer_per_second": round(self.items / median(self.theirs), 2),
            "ratio": round(self.ratio, 2),
            "fidelity": round(self.fidelity, 4),
            "fidelity_of": self.fidelity_of,
        }


def time_in_turn(
    ours: Callable[[], object], theirs: Callable[[], object], repeat: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds that each side took, `repeat` times each, turn and turn about, after one run that warms up."""
    ours()
    theirs()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat):
        for side, job in zip(times, (ours, theirs), strict=True):
            began = time.perf_counter()
            job()
            side.append(time.perf_counter() - began)
    return tuple(times[0]), tuple(times[1])


def compare_photos(paths: Sequence[Path], repeat: int = 3) -> Contest:
    """Photo to standardised frame, JPEG and hash, against Pillow's full decode and bicubic resize to the same size.

    The fidelity is the mean difference, in levels of 255, of our pixels from Pillow's.
    """

    def peer(path: Path) -> U8:
        with Image.open(path) as image:
            upright = image.convert("RGB")
            scale = _MAX_SIDE / max(upright.size)
            size = (round(upright.width * scale), round(upright.height * scale))
            return np.asarray(upright.resize(size, Image.Resampling.BICUBIC))

    def ours(path: Path) -> U8:
        (frame,) = read_image(path, max_side=_MAX_SIDE)
        return frame.pixels

    mine, theirs = time_in_turn(
        lambda: [ours(path) for path in paths], lambda: [peer(path) for path in paths], repeat
    )
    apart = [float(np.abs(ours(path).astype(np.int16) - peer(path)).mean()) for path in paths]
    return Contest(
        job="photos to frames, one thread",
        peer="Pillow, full decode",
        items=len(paths),
        ours=mine,
        theirs=theirs,
        fidelity=max(apart),
        fidelity_of="mean levels of 255 from the full decode",
    )


def compare_videos(videos: Mapping[str, Path], fps: float = 1.0, repeat: int = 3) -> list[Contest]:
    """Frames of videos at `fps`, against OpenCV reading every frame; items are frames of the video.

    The fidelity is the greatest distance, in seconds, of a frame's own time from the instant asked for.
    Raises ImportError where OpenCV is not installed.
    """
    import cv2

    def peer(path: Path) -> int:
        capture = cv2.VideoCapture(str(path))
        count = 0
        while capture.read()[0]:
            count += 1
        capture.release()
        return count

    def ours(path: Path) -> list[float]:
        return [frame.timestamp for frame in sample_frames(path, fps, _MAX_SIDE)]

    contests = []
    for kind, path in videos.items():
        mine, theirs = time_in_turn(partial(ours, path), partial(peer, path), repeat)
        times = ours(path)
        contests.append(
            Contest(
                job=f"1080p video at {fps:g} frame a second, {kind}",
                peer="OpenCV, every frame",
                items=peer(path),
                ours=mine,
                theirs=theirs,
                fidelity=max(abs(time - round(time * fps) / fps) for time in times),
                fidelity_of="seconds from the instant asked for",
            )
        )
    return contests


def compare_media_reading(folder: Path, photos: int = 6, seconds: int = 20, repeat: int = 3) -> list[Contest]:
    """Make photos and videos in `folder` and time the reading of both. About a minute and a half on two cores."""
    paths = write_photos(folder, textured_pictures(12), photos)
    videos = write_videos(folder, paths[0], seconds)
    return [compare_photos(paths, repeat), *compare_videos(videos, repeat=repeat)]
