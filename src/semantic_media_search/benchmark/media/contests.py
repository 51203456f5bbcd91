"""How fast pictures and videos are read, against the usual ways of reading them, and how faithfully."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from semantic_media_search.benchmark.engine.figures import Row, rate, times_as_fast
from semantic_media_search.benchmark.engine.timing import in_turns
from semantic_media_search.ingest.image_ingest import read_image
from semantic_media_search.media.video import sample_frames
from semantic_media_search.records import U8

MAX_SIDE = 512


def contest(
    job: str, peer: str, items: int, ours: Callable[[], object], theirs: Callable[[], object], rounds: int
) -> Row:
    """One job done by us and by a peer in turns: `items` a second of either, and how many times as fast we are."""
    times = in_turns({"ours": ours, "theirs": theirs}, rounds)
    return {
        "job": job,
        "beside": peer,
        "ours": rate(items, times["ours"]),
        "theirs": rate(items, times["theirs"]),
        "ratio": times_as_fast(times["ours"], times["theirs"]),
    }


def photo_contests(paths: Sequence[Path], rounds: int) -> Iterator[Row]:
    """Photo to standardised frame, JPEG and hash, against a full decode and resize to the same size.

    `apart` is the mean difference, in levels of 255, of our pixels from Pillow's. OpenCV takes part where it is
    installed.
    """
    apart = max(float(np.abs(_ours(path).astype(np.int16) - _pillow(path)).mean()) for path in paths)
    peers: dict[str, Callable[[Path], U8]] = {"Pillow, full decode": _pillow}
    try:
        import cv2  # noqa: F401 - only whether it is there
    except ImportError:
        pass
    else:
        peers["OpenCV, full decode"] = _opencv
    for name, peer in peers.items():
        row = contest(
            "photos to frames, one thread",
            name,
            len(paths),
            lambda: [_ours(path) for path in paths],
            lambda peer=peer: [peer(path) for path in paths],  # type: ignore[misc]
            rounds,
        )
        yield row | {"apart": round(apart, 3), "apart in": "mean levels of 255"}


def _ours(path: Path) -> U8:
    (frame,) = read_image(path, max_side=MAX_SIDE)
    return frame.pixels


def _pillow(path: Path) -> U8:
    with Image.open(path) as image:
        upright = image.convert("RGB")
        scale = MAX_SIDE / max(upright.size)
        size = (round(upright.width * scale), round(upright.height * scale))
        return np.asarray(upright.resize(size, Image.Resampling.BICUBIC))


def _opencv(path: Path) -> U8:
    import cv2

    pixels = cv2.imread(str(path))
    assert pixels is not None, f"OpenCV cannot read {path}"
    scale = MAX_SIDE / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def video_contests(videos: Mapping[str, Path], fps: float, rounds: int) -> Iterator[Row]:
    """Frames of videos at `fps`, against OpenCV reading every frame; a second's worth is in frames of the video.

    `apart` is the greatest distance, in seconds, of a frame's own time from the instant asked for. Raises
    ImportError where OpenCV is not installed.
    """
    import cv2

    def theirs(path: Path) -> int:
        capture = cv2.VideoCapture(str(path))
        count = 0
        while capture.read()[0]:
            count += 1
        capture.release()
        return count

    def ours(path: Path) -> list[float]:
        return [frame.timestamp for frame in sample_frames(path, fps, MAX_SIDE)]

    for kind, path in videos.items():
        row = contest(
            f"video at {fps:g} frame a second, {kind}",
            "OpenCV, every frame",
            theirs(path),
            partial(ours, path),
            partial(theirs, path),
            rounds,
        )
        apart = max(abs(time - round(time * fps) / fps) for time in ours(path))
        yield row | {"apart": round(apart, 3), "apart in": "seconds"}
