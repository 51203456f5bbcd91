"""Counts that stand for speed and size but are the same on every machine: what the guard against regressions holds.

`python tests/regression_counts.py` prints them beside the stored ones. A change that means to move one stores what
it came to, and why, with `python tests/regression_counts.py --accept "REASON"`; both go into the same commit.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.engine.memory import allocated
from semantic_media_search.benchmark.index.contestants import EFS, K
from semantic_media_search.benchmark.index.curves import exact_top, recall_of
from semantic_media_search.benchmark.index.vectors import Vectors
from semantic_media_search.benchmark.media.samples import VIDEO_KINDS, textured_pictures, write_photos
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.media.decode import decode_image
from semantic_media_search.media.video import VideoReader
from vectors import clustered, like_clip
from video_makers import write_video

EXPECTED = Path(__file__).parent / "data" / "expected_counts.json"
_ROWS, _QUERIES, _DIM = 4_000, 200, 64
_SECONDS, _RATE = 12, 30


@dataclass(frozen=True)
class Expected:
    """A stored count; less is better. It may be off by `tolerance`, a share of it, either way.

    `reason` says why it is what it is.
    """

    value: float
    tolerance: float
    reason: str

    def judge(self, name: str, found: float) -> str | None:
        """What is wrong with a count, in words; None where nothing is."""
        if abs(found - self.value) <= self.tolerance * self.value:
            return None
        moved = "grew" if found > self.value else "shrank"
        return (
            f"{name} {moved} from {self.value:g} to {found:g} (bound: {self.tolerance:.0%}). If that is what the "
            'change is for, store it: python tests/regression_counts.py --accept "REASON"'
        )


def stored() -> dict[str, Expected]:
    """The stored counts by name."""
    return {name: Expected(**fields) for name, fields in json.loads(EXPECTED.read_text()).items()}


def measure() -> dict[str, float]:
    """All counts by name."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: round(value, 3) for name, value in _measure(Path(folder))}


def _measure(folder: Path) -> Iterator[tuple[str, float]]:
    near = Vectors(clustered(_ROWS, _DIM), clustered(_QUERIES, _DIM, seed=1), "clusters")
    apart = Vectors(like_clip(_ROWS, _DIM), like_clip(_QUERIES, _DIM, seed=1, text=True), "like CLIP")
    for name, vectors in (("queries like the rows", near), ("words against pictures", apart)):
        index = HNSWIndex(_DIM)
        index.build(vectors.rows)
        for recall in (0.95, 0.99):
            yield f"distances a query at recall {recall}, {name}", distances_at(index, vectors, recall)
    with allocated() as held:
        index = HNSWIndex(_DIM)
        index.build(near.rows)
    yield f"bytes a vector in memory, beside its {_DIM} floats", (held.bytes or 0) / _ROWS
    index.save(folder / "index")
    yield f"bytes a vector on disk, beside its {_DIM} floats", (folder / "index").stat().st_size / _ROWS
    for number, (kind, parameters) in enumerate(VIDEO_KINDS.items()):
        video = write_video(
            folder / f"{number}.mp4",
            frames=_SECONDS * _RATE,
            rate=_RATE,
            options={"x264-params": f"{parameters}:log-level=error"},
        )
        with CountingReader(video) as reader:
            samples = sum(1 for _ in reader.sample(1.0))
        yield f"decoded frames a sample, {kind}", reader.decoded / samples
    (photo,) = write_photos(folder, textured_pictures(1, side=64), 1)
    pixels = decode_image(str(photo), min_short_side=448, min_long_side=512).pixels
    yield "decoded pixels of a 12-megapixel JPEG, in millions", pixels.shape[0] * pixels.shape[1] / 1e6


def distances_at(index: HNSWIndex, vectors: Vectors, recall: float) -> float:
    """Distances computed a query, at the bottom layer, at a recall.

    Read off between the efs on either side, which lie well apart: one answer more or less, as rounding elsewhere may
    have it, moves the count by its share of that step, where the least ef that is enough might jump.
    """
    exact = exact_top(vectors)
    recalls: list[float] = []
    counts: list[float] = []
    for ef in EFS:
        found = recall_of(vectors, index.search_batch(vectors.queries, K, ef)[0], exact)
        recalls.append(max([found, *recalls]))
        counts.append(float(np.mean([index.comparisons(query, K, ef) for query in vectors.queries])))
        if found >= recall:
            return read_off(recall, recalls, counts)
    raise AssertionError(f"recall {recall} is not reached with ef {EFS[-1]}: {recalls[-1]:.4f}")


def read_off(recall: float, recalls: list[float], counts: list[float]) -> float:
    """The count at a recall, between those at the recalls on either side, which grow."""
    return float(np.exp(np.interp(recall, recalls, np.log(counts))))


class CountingReader(VideoReader):
    """Counts the frames that the decoder gave."""

    decoded = 0

    def _decoded(self, fps: float):
        for timed in super()._decoded(fps):
            self.decoded += 1
            yield timed


def main() -> None:
    """Print the counts, and with --accept store them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--accept", metavar="REASON", help="store the counts that moved beyond their bounds, and why"
    )
    reason = parser.parse_args().accept
    expected = stored() if EXPECTED.exists() else {}
    found = measure()
    kept = {}
    for name, value in found.items():
        held = expected.get(name)
        print(f"{value:12g}  {'stored ' + format(held.value, 'g') if held else 'not stored':<16} {name}")
        moved = held is None or held.judge(name, value) is not None
        if held is not None and not (moved and reason):
            kept[name] = held
        elif reason:
            kept[name] = Expected(value, held.tolerance if held else 0.05, reason)
    if reason:
        text = json.dumps({name: asdict(one) for name, one in kept.items()}, indent=2)
        EXPECTED.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
