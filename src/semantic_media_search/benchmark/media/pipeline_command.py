"""`media-search benchmark pipeline`: what each stage from file to index costs, and how well ingest packs them."""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.engine.figures import Figure, Row, rate
from semantic_media_search.benchmark.engine.memory import MB, peak_memory, peak_of_tree
from semantic_media_search.benchmark.engine.options import at_least_1
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.session import Say, Session
from semantic_media_search.benchmark.engine.timing import seconds_of, turns
from semantic_media_search.benchmark.index.contestants import K
from semantic_media_search.benchmark.index.curves import exact_top, recall_of
from semantic_media_search.benchmark.index.synthetic import clip_shaped
from semantic_media_search.benchmark.media.clock import StageClock
from semantic_media_search.benchmark.media.media_command import add_source_arguments, made_photos, photo_kind
from semantic_media_search.benchmark.media.samples import many_photos
from semantic_media_search.benchmark.media.stages import StageTimes, measure_at_once
from semantic_media_search.config import STARTER_MODEL_NAME, Settings
from semantic_media_search.embeddings import Encoder, load_encoder
from semantic_media_search.index.hnsw import DEFAULT_EF, HNSWIndex
from semantic_media_search.library import Library

READING = "Reading photos"
_DIFFERENT = 16
_QUERIES = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many photos, by which model."""
    add_source_arguments(parser, photos=160)
    parser.add_argument(
        "--model", default=STARTER_MODEL_NAME, help="a model's name or folder (default %(default)s)"
    )
    parser.add_argument(
        "--vectors", type=at_least_1, default=10_000, help="so many are indexed (default 10000)"
    )
    parser.add_argument("--rounds", type=at_least_1, default=3, help="how often all is timed (default 3)")
    parser.add_argument(
        "--output", type=Path, default=Path("data/benchmarks/pipeline.json"), metavar="FILE",
        help="default %(default)s",
    )  # fmt: skip


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure, print, write."""
    cores = settings.worker_threads
    session = Session(
        "pipeline",
        say,
        arguments.output,
        model=arguments.model,
        photos=photo_kind(arguments),
        count=arguments.count,
        cores_used=cores,
    )
    with tempfile.TemporaryDirectory() as place:
        photos = made_photos(arguments, Path(place), _DIFFERENT)
        request = {
            "photos": [str(photo) for photo in photos],
            "model": arguments.model,
            "max_side": settings.max_side,
            "quality": settings.jpeg_quality,
            "batch": settings.batch_size,
            "rounds": 1,
        }
        many = Path(place) / "many"
        many_photos(many, photos, arguments.count)
        encoder = load_encoder(arguments.model, threads=settings.threads, batch_size=settings.batch_size)
        encoder.encode_pixels([np.zeros((64, 64, 3), np.uint8)])
        with (
            peak_of_tree() as peak
        ):  # looking at the processes takes some of their time: not while the clock runs
            _seconds_to_ingest(many, Path(place) / "warm", encoder, settings)
        alone: list[dict[str, StageTimes]] = []
        together: list[list[dict[str, StageTimes]]] = []
        ingests: list[float] = []

        def ingest() -> None:
            library = Path(place) / f"library{len(ingests)}"
            ingests.append(_seconds_to_ingest(many, library, encoder, settings))

        jobs: tuple[Callable[[], None], ...] = (
            lambda: alone.extend(measure_at_once(1, request)),
            lambda: together.append(measure_at_once(cores, request)),
            ingest,
        )
        for number in range(arguments.rounds):
            for job in turns(jobs, number):
                job()
        session.add(stage_section(alone, len(photos), arguments.vectors, encoder.dim))
        session.add(
            packing_section(alone, together, len(photos), ingests, arguments.count, cores, peak.bytes)
        )
    session.close()


def _seconds_to_ingest(photos: Path, folder: Path, encoder: Encoder, settings: Settings) -> float:
    """How long a new library takes to read the photos and have their vectors on disk; their index comes after that."""
    library = Library(Settings(library=folder, threads=settings.threads), lambda _: encoder)
    library.add_roots([photos])
    clock = StageClock()
    library.update(encoder.name, clock)
    return clock.seconds(READING)


def stage_section(alone: Sequence[Mapping[str, StageTimes]], photos: int, vectors: int, dim: int) -> Section:
    """Each stage by itself on one thread, then building the index."""
    rows: list[Row] = []
    for stage in alone[0]:
        times = [second for measured in alone for second in measured[stage].seconds]
        peaks = [held for measured in alone if (held := measured[stage].peak) is not None]
        rows.append(_stage_row(stage, photos, times, max(peaks, default=None)))
    made, _ = clip_shaped(vectors, _QUERIES, dim)
    shaped = made.rows
    HNSWIndex(dim).build(shaped[:500])  # compiles
    times = []
    with peak_memory() as peak:
        for _ in range(max(3, len(alone))):
            index = HNSWIndex(dim)
            times.append(seconds_of(lambda index=index: index.build(shaped)))  # type: ignore[misc]
    found = index.search_batch(made.queries, K, DEFAULT_EF)[0]
    row = _stage_row(f"index of {vectors:,} vectors", vectors, times, peak.bytes)
    rows.append(row | {f"recall@{K} at ef {DEFAULT_EF}": round(recall_of(made, found, exact_top(made)), 4)})
    return Section(
        "stages",
        "Each stage by itself, one thread",
        ("stage",),
        rows,
        ["The peak is that of the whole process, the model and what the stages before left to it included."],
        [
            Chart("Time of each stage for one item", "stage", "each"),
            Chart("Peak memory by stage", "stage", "peak"),
        ],
    )


def _stage_row(stage: str, items: int, times: Sequence[float], peak: int | None) -> Row:
    return {
        "stage": stage,
        "items a second": rate(items, times),
        "each": Figure(tuple(1000 * second / items for second in times), "ms"),
        "peak": None if peak is None else Figure((peak / MB,), "MB"),
    }


def packing_section(
    alone: Sequence[Mapping[str, StageTimes]],
    together: Sequence[Sequence[Mapping[str, StageTimes]]],
    photos: int,
    ingests: Sequence[float],
    ingested: int,
    cores: int,
    peak: int | None,
) -> Section:
    """How near ingest comes to what the cores could do if the stages were perfectly packed."""
    ideal = [cores * photos / _total(measured) for measured in alone]
    busy = [sum(photos / _total(measured) for measured in processes) for processes in together]
    real = [ingested / second for second in ingests]
    possible = {
        f"{cores} cores, each stage as fast as alone": ideal,
        f"{cores} cores, stages measured on all at once": busy,
        "ingest, to vectors on disk": real,
    }
    rows: list[Row] = [
        {"what": what, "photos": _rates(rates), "ingest reaches": _share(real, rates)}
        for what, rates in possible.items()
    ]
    notes = [f"Ingest read {ingested:,} photos, start of its workers and all commits included."]
    if peak is not None:
        notes.append(f"It and its workers held {peak / MB:,.0f} MB at most.")
    charts = [Chart("Photos a second", "what", "photos")]
    return Section("packing", "Stages perfectly packed, and ingest", ("what",), rows, notes, charts)


def _total(measured: Mapping[str, StageTimes]) -> float:
    return sum(second for times in measured.values() for second in times.seconds)


def _rates(values: Sequence[float]) -> Figure:
    return Figure(tuple(values), "/s", more_is_better=True)


def _share(real: Sequence[float], possible: Sequence[float]) -> Figure:
    return Figure(
        tuple(100 * one / other for one, other in zip(real, possible, strict=True)), "%", more_is_better=True
    )
