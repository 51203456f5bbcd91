"""What each stage of ingest costs: one thread, one stage after the other, as a program of its own.

Run as a module it reads a request (JSON) from standard input and writes what it measured to standard output, so
that as many can run at once as there are cores, and so that peaks of memory are each stage's own.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from semantic_media_search.benchmark.engine.memory import peak_memory
from semantic_media_search.benchmark.engine.timing import seconds_of
from semantic_media_search.embeddings import load_encoder
from semantic_media_search.errors import LibraryError
from semantic_media_search.ingest.duplicates import perceptual_hash
from semantic_media_search.ingest.scan import content_hash
from semantic_media_search.media.decode import decode_image
from semantic_media_search.media.standardise import encode_jpeg, fit_within

_SHORT_SIDE = 448


@dataclass(frozen=True, slots=True)
class StageTimes:
    """One stage over all photos: seconds of each round, and the most memory held in it, in bytes."""

    seconds: list[float]
    peak: int | None


def measure_stages(
    photos: Sequence[Path], model: str, max_side: int, quality: int, batch: int, rounds: int
) -> dict[str, StageTimes]:
    """Do the work of ingest on these photos, a stage at a time over all of them; the first round warms up."""
    encoder = load_encoder(model, threads=1, batch_size=batch)
    side = min(_SHORT_SIDE, max_side)
    paths = [str(photo) for photo in photos]
    held: dict[str, list[Any]] = {}
    with tempfile.TemporaryDirectory() as place:

        def read() -> None:
            for path in paths:
                content_hash(path)

        def decode() -> None:
            held["decoded"] = [
                decode_image(path, min_short_side=side, min_long_side=max_side).pixels for path in paths
            ]

        def resize() -> None:
            held["frames"] = [fit_within(pixels, max_side) for pixels in held["decoded"]]

        def jpeg() -> None:
            held["jpegs"] = [encode_jpeg(pixels, quality) for pixels in held["frames"]]

        def compare() -> None:
            for pixels in held["frames"]:
                perceptual_hash(pixels)

        def encode() -> None:
            encoder.encode_pixels(held["frames"])

        def write() -> None:
            for number, jpeg_ in enumerate(held["jpegs"]):
                with (Path(place) / f"{number}.jpg").open("wb") as file:
                    file.write(jpeg_)
                    file.flush()
                    os.fsync(file.fileno())

        jobs: dict[str, Callable[[], None]] = {
            "read, content hash": read,
            "decode": decode,
            "resize": resize,
            "JPEG": jpeg,
            "perceptual hash": compare,
            "encode": encode,
            "write": write,
        }
        times: dict[str, list[float]] = {name: [] for name in jobs}
        peaks: dict[str, int | None] = dict.fromkeys(jobs)
        for number in range(rounds + 1):
            for name, job in jobs.items():
                with peak_memory() as peak:
                    taken = seconds_of(job)
                if number:
                    times[name].append(taken)
                    peaks[name] = max(peaks[name] or 0, peak.bytes) if peak.bytes else None
    return {name: StageTimes(times[name], peaks[name]) for name in jobs}


def measure_at_once(processes: int, request: dict[str, Any]) -> list[dict[str, StageTimes]]:
    """`measure_stages` with this request in so many processes at the same time.

    Raises LibraryError where one of them fails.
    """
    command = [sys.executable, "-m", __name__]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(processes)
    ]
    text = json.dumps(request)
    for process in running:
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
    answers = []
    for process in running:
        assert process.stdout is not None
        answers.append(process.stdout.read())
        process.stdout.close()
    if any(process.wait() for process in running):
        raise LibraryError("a process that measured the stages of ingest failed; its message is above")
    return [{name: StageTimes(**times) for name, times in json.loads(answer).items()} for answer in answers]


def main() -> None:
    """Answer one request on standard input."""
    request = json.load(sys.stdin)
    photos = [Path(photo) for photo in request.pop("photos")]
    found = measure_stages(photos, **request)
    json.dump({name: asdict(times) for name, times in found.items()}, sys.stdout)


if __name__ == "__main__":
    main()
