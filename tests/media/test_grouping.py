"""How well versions of one picture are told from other pictures: measured on real photographs and real video.

`pytest tests/media/test_grouping.py -s` prints the figures that docs/decisions/0402 gives.
"""

import io
import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from math import comb
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from sample_media import sample_media
from semantic_media_search.ingest.duplicates import hash_distance, perceptual_hash
from semantic_media_search.ingest.image_ingest import read_image
from semantic_media_search.ingest.prepared import PreparedFrame
from semantic_media_search.ingest.video_ingest import read_video
from semantic_media_search.media.decode import load_image
from semantic_media_search.media.video import VideoReader
from semantic_media_search.records import Instant
from semantic_media_search.search.moments import COPY_BITS, lead_frames
from video_makers import write_video

TILES, SIDE = 3, 256
VIDEOS = ["bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4"]


def _recompressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=30)
    return Image.open(buffer).convert("RGB")


def _cropped(left: float, right: float) -> Callable[[Image.Image], Image.Image]:
    def crop(image: Image.Image) -> Image.Image:
        width, height = image.size
        return image.crop(
            (
                round(width * left),
                round(height * left),
                round(width * (1 - right)),
                round(height * (1 - right)),
            )
        )

    return crop


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized by half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "JPEG at 30": _recompressed,
    "cropped 5 %, centred": _cropped(0.025, 0.025),
    "cropped 5 %, one side": _cropped(0.05, 0.0),
    "brightness x 1.2": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
}
AT_LEAST = {
    "resized by half": 0.99,
    "JPEG at 30": 0.99,
    "cropped 5 %, centred": 0.85,
    "cropped 5 %, one side": 0.43,
    "brightness x 1.2": 0.97,
}


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    """The sample photographs, and each cut into 3 x 3: real pictures of which no two show the same."""
    found = []
    for path in sorted((sample_media() / "images").iterdir()):
        whole = Image.fromarray(load_image(path))
        found.append(whole)
        width, height = whole.width // TILES, whole.height // TILES
        for at in range(TILES * TILES):
            left, top = at % TILES * width, at // TILES * height
            found.append(whole.crop((left, top, left + width, top + height)))
    return found


@pytest.fixture(scope="module")
def hashes(pictures: list[Image.Image]) -> list[dict[str, int]]:
    """The hash of each picture (""), and of its versions."""
    made = []
    for picture in pictures:
        versions = {"": picture} | {name: edit(picture) for name, edit in EDITS.items()}
        made.append({name: perceptual_hash(np.asarray(version)) for name, version in versions.items()})
    return made


@pytest.mark.parametrize("edit", EDITS)
def test_versions_are_found(hashes: list[dict[str, int]], edit: str) -> None:
    found = np.mean([hash_distance(of_one[""], of_one[edit]) <= COPY_BITS for of_one in hashes])
    print(f"\n{edit}: {found:.1%} of {len(hashes)}")
    assert found >= AT_LEAST[edit]


def test_groups_hold_versions_of_one_picture(hashes: list[dict[str, int]]) -> None:
    """Precision and recall over pairs that search shows as one result, in results in any order."""
    frames = [(picture, phash) for picture, of_one in enumerate(hashes) for phash in of_one.values()]
    order = random.Random(0)
    right = together = 0
    rounds = 5
    for _ in range(rounds):
        order.shuffle(frames)
        instants = {at: Instant(at, at, None, None, phash) for at, (_, phash) in enumerate(frames)}
        for lead in lead_frames([(at, 1.0 - at * 1e-6) for at in instants], instants):
            group = [lead.frame_id, *lead.copies]
            together += comb(len(group), 2)
            right += sum(comb(count, 2) for count in Counter(frames[at][0] for at in group).values())
    precision = right / together
    recall = right / (rounds * len(hashes) * comb(len(EDITS) + 1, 2))
    print(f"\ngroups of {len(frames)} versions of {len(hashes)} pictures: {precision=:.4f} {recall=:.4f}")
    assert precision >= 0.99
    assert recall >= 0.74


BURST = 10
TOGETHER = {"bigbuckbunny.mp4": (0.8, 1.0), "carphone_pristine.mp4": (0.95, 1.0), "bikes.mp4": (0.05, 0.5)}
"""Of each video, between which shares of the pairs of a burst are one result: a film, a talking head, a busy street."""


def test_a_burst_is_one_result_where_little_moves(tmp_path: Path) -> None:
    """Ten photographs in a row, a 25th of a second apart, of three scenes at a time, in results in any order."""
    bursts: dict[str, list[list[int]]] = {}
    for name in VIDEOS:
        with VideoReader(sample_media() / "videos" / name) as reader:
            shots = [frame.pixels for frame in reader.sample(25.0)]
        hashes = []
        for at, shot in enumerate(shots):
            path = tmp_path / f"{at}.jpg"
            Image.fromarray(shot).save(path, quality=92)
            (photo,) = read_image(path)
            hashes.append(photo.phash)
        bursts[name] = [hashes[at : at + BURST] for at in range(0, len(shots) - BURST + 1, BURST)]
    order = random.Random(0)
    pairs: Counter[str] = Counter()
    together: Counter[str] = Counter()
    for scenes in zip(*bursts.values(), strict=False):
        photos = [(name, phash) for name, burst in zip(bursts, scenes, strict=True) for phash in burst]
        order.shuffle(photos)
        instants = {at: Instant(at, at, None, None, phash) for at, (_, phash) in enumerate(photos)}
        for lead in lead_frames([(at, 1.0 - at * 1e-6) for at in instants], instants):
            group = [photos[at][0] for at in (lead.frame_id, *lead.copies)]
            assert len(set(group)) == 1  # whatever moves, no photo of another scene is taken in
            together[group[0]] += comb(len(group), 2)
        pairs.update({name: comb(BURST, 2) for name in bursts})
    for name, (least, most) in TOGETHER.items():
        share = together[name] / pairs[name]
        print(f"\n{name}: {share:.1%} of the pairs of {pairs[name] // comb(BURST, 2)} bursts are one result")
        assert least <= share <= most


def _difference(first: PreparedFrame, second: PreparedFrame) -> float:
    """The mean difference of two frames, in levels of 255, after the light common to all of it."""
    change = first.pixels.astype(np.float32) - second.pixels
    return float(np.abs(change - np.median(change, axis=(0, 1))).mean())


@pytest.mark.parametrize("name", VIDEOS)
def test_only_frames_that_hardly_differ_are_left_out(name: str) -> None:
    """Precision on real video: nothing at a frame a second, and at every frame nothing that looks different."""
    path = sample_media() / "videos" / name
    assert len(list(read_video(path, fps=1.0, max_side=SIDE))) == len(
        list(read_video(path, fps=1.0, max_side=SIDE, duplicate_threshold=0))
    )
    every = list(read_video(path, fps=25.0, max_side=SIDE, duplicate_threshold=0))
    kept = list(read_video(path, fps=25.0, max_side=SIDE))
    times = np.array([frame.timestamp for frame in kept])
    differences = [
        _difference(kept[int(np.searchsorted(times, frame.timestamp, side="right")) - 1], frame)
        for frame in every
    ]
    print(f"\n{name}: {len(kept)} of {len(every)} kept, the rest within {max(differences):.2f} levels")
    assert max(differences) <= 8.0
    for earlier, later in pairwise(kept):
        assert earlier.interval is not None
        assert earlier.interval[1] == later.timestamp


@pytest.mark.parametrize("name", VIDEOS)
def test_a_picture_that_is_held_is_stored_once(name: str, tmp_path: Path) -> None:
    """Recall on real pictures: each second of a clip held for ten, as slides are, encoded anew."""
    shown = list(read_video(sample_media() / "videos" / name, fps=1.0, max_side=SIDE, duplicate_threshold=0))
    height, width = (side // 2 * 2 for side in shown[0].pixels.shape[:2])
    held = (frame.pixels[:height, :width] for frame in shown for _ in range(50))
    path = write_video(
        tmp_path / "held.mp4", pictures=held, size=(width, height), rate=5, options={"crf": "30"}
    )
    reader = read_video(path, fps=1.0)
    kept = list(reader)
    print(f"\n{name}: {len(kept)} stored of {len(kept) + reader.facts.duplicates} for {len(shown)} pictures")
    assert [round(frame.timestamp) for frame in kept if frame.timestamp is not None] == [
        10 * at for at in range(len(shown))
    ]
