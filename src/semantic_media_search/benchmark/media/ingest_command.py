"""`media-search benchmark ingest`: 12-megapixel photographs to CLIP vectors on disk, beside the usual ways."""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.engine.figures import Row, rate, times_as_fast
from semantic_media_search.benchmark.engine.options import at_least_1
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.session import Say, Session
from semantic_media_search.benchmark.engine.timing import turns
from semantic_media_search.benchmark.media.clock import StageClock
from semantic_media_search.benchmark.media.media_command import add_source_arguments, made_photos, photo_kind
from semantic_media_search.benchmark.media.peers import rclip_like, transformers_pipeline
from semantic_media_search.benchmark.media.pipeline_command import READING
from semantic_media_search.benchmark.media.samples import many_photos
from semantic_media_search.config import Settings
from semantic_media_search.embeddings import load_encoder
from semantic_media_search.errors import ConfigError
from semantic_media_search.library import Library

OURS = "this program, to vectors on disk"
OURS_WHOLE = "this program, index included"
_DIFFERENT = 16
_NOTE = (
    "Models are loaded before the clock starts. This program also stores a frame of each photograph, its hashes and "
    "facts, and reads in processes of their own."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many photos, by which model."""
    add_source_arguments(parser, photos=64)
    parser.add_argument(
        "--model",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="an export of ViT-B/32; `python training/export_clip.py random FOLDER` makes one without any download",
    )
    parser.add_argument("--rounds", type=at_least_1, default=3, help="how often all is timed (default 3)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("data/benchmarks/ingest.json"),
        metavar="FILE",
        help="default %(default)s",
    )


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure, print, write. Raises ConfigError where the model is no folder."""
    if not arguments.model.is_dir():
        raise ConfigError(
            f"{arguments.model} is no model folder; `python training/export_clip.py random {arguments.model}` makes one"
        )
    threads = settings.worker_threads
    session = Session(
        "ingest",
        say,
        arguments.output,
        model=f"ONNX, {arguments.model.resolve().name}",
        photos=photo_kind(arguments),
        threads=threads,
        count=arguments.count,
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        photos = many_photos(folder / "photos", made_photos(arguments, folder, _DIFFERENT), arguments.count)
        fresh = (folder / f"out{number}" for number in itertools.count())
        jobs: dict[str, Callable[[Path], dict[str, float]]] = {
            OURS: _ours(arguments.model, folder / "photos", settings)
        }
        peers = {
            "rclip-like: ONNX Runtime, batch 8, full decode": partial(rclip_like, arguments.model, threads),
            "transformers + Pillow": partial(transformers_pipeline, threads),
        }
        for name, make in peers.items():
            try:
                ingest = make()
            except ImportError as error:
                say(f"{name} left out: {error}; `pip install torch transformers` adds it")
                continue
            jobs[name] = partial(_timed, name, partial(ingest, photos))
        times: dict[str, list[float]] = {}
        for number in range(arguments.rounds + 1):
            for job in turns(jobs.values(), number):
                for name, taken in job(next(fresh)).items():
                    repeats = times.setdefault(name, [])
                    if number:  # the first round warms up
                        repeats.append(taken)
    rows: list[Row] = [
        {
            "pipeline": name,
            "photos": rate(len(photos), taken),
            "ours against it": times_as_fast(times[OURS], taken),
        }
        for name, taken in times.items()
    ]
    title = f"{len(photos)} photographs to vectors on disk, {threads} threads"
    session.add(
        Section(
            "ingest", title, ("pipeline",), rows, [_NOTE], [Chart("Photos a second", "pipeline", "photos")]
        )
    )
    session.close()


def _timed(name: str, ingest: Callable[[Path], None], out: Path) -> dict[str, float]:
    began = time.perf_counter()
    ingest(out.with_suffix(".npy"))
    return {name: time.perf_counter() - began}


def _ours(model: Path, photos: Path, settings: Settings) -> Callable[[Path], dict[str, float]]:
    encoder = load_encoder(model, threads=settings.threads, batch_size=settings.batch_size)
    encoder.encode_pixels([np.zeros((64, 64, 3), np.uint8)])
    encoder.encode_texts(["loads the other half"])

    def ingest(out: Path) -> dict[str, float]:
        library = Library(Settings(library=out, threads=settings.threads), lambda _: encoder)
        library.add_roots([photos])
        clock = StageClock()
        began = time.perf_counter()
        library.update(str(model), clock)
        done = time.perf_counter()
        return {OURS: clock.ended[READING] - began, OURS_WHOLE: done - began}

    return ingest
