"""The command that measures how well a model finds photographs by words."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.engine.figures import Figure, Row
from semantic_media_search.benchmark.engine.results import Section
from semantic_media_search.benchmark.engine.session import Say, Session
from semantic_media_search.benchmark.retrieval import NDCG_AT, RECALL_AT, RetrievalFigures, score_vectors
from semantic_media_search.benchmark.retrieval_sets import RetrievalSet, read_retrieval_set
from semantic_media_search.benchmark.timed_encoder import TimedEncoder, rates
from semantic_media_search.config import STARTER_MODEL_NAME, Settings
from semantic_media_search.embeddings import Encoder, load_encoder
from semantic_media_search.errors import ConfigError, MediaError
from semantic_media_search.records import F32

BATCH = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, the file, and what to measure of them."""
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="folder of the photographs")
    parser.add_argument(
        "--captions", type=Path, required=True, metavar="FILE", help="captions, labels or queries"
    )
    parser.add_argument("--split", help="only this split of the file, e.g. dev, test, held-out")
    parser.add_argument(
        "--model", default=STARTER_MODEL_NAME, metavar="NAME", help="a model's name or folder"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("data/benchmarks/retrieval.json"), metavar="FILE",
        help="default %(default)s",
    )  # fmt: skip


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure, print, write: one line for each kind of query. Raises what the model and the files raise."""
    wanted = read_retrieval_set(arguments.captions, arguments.split)
    encoder = load_encoder(arguments.model, threads=settings.threads)
    session = Session(
        "retrieval",
        say,
        arguments.output,
        model=encoder.name,
        fingerprint=encoder.info.fingerprint,
        captions=arguments.captions.name,
        split=arguments.split or "all",
        photos=len(wanted.files),
        queries=len(wanted.queries),
    )
    timed = TimedEncoder(encoder)
    rows: list[Row] = []
    for kind, figures in measure(timed, arguments.photos, wanted, say):
        say(f"{kind}: {describe(figures)}")
        rows.append(_row(kind, figures) | {"left out": len(wanted.files) - figures.pictures})
    title = f"Photographs found by words: {arguments.captions.name}"
    session.add(Section("retrieval", title, ("kind",), rows, ["Shares are in percent."]))
    session.add(_speed_section(timed))
    session.close()


def _speed_section(timed: TimedEncoder) -> Section:
    rows: list[Row] = [
        {"what": what, "encoded": Figure(rates(calls, BATCH), "/s", more_is_better=True)}
        for what, calls in (("photographs, in batches", timed.images), ("captions, one a call", timed.texts))
    ]
    note = f"A repeat is {BATCH} of them. Photographs are read from the disk and decoded in that time."
    return Section("speed", "Encoded a second", ("what",), rows, [note])


def _row(kind: str, figures: RetrievalFigures) -> Row:
    return {
        "kind": kind,
        **{f"R@{k}": round(100 * figures.recall[k], 2) for k in RECALL_AT},
        "median rank": float(figures.median_rank),
        "mAP": round(100 * figures.mean_average_precision, 2),
        f"nDCG@{NDCG_AT}": round(100 * figures.ndcg, 2),
        "queries": figures.queries,
        "photographs": figures.pictures,
    }


def describe(figures: RetrievalFigures) -> str:
    """The figures in one line, in percent."""
    recall = "  ".join(f"R@{k} {100 * figures.recall[k]:.1f}" for k in RECALL_AT)
    return (
        f"{recall}  median rank {figures.median_rank:g}  mAP {100 * figures.mean_average_precision:.1f}  "
        f"nDCG@{NDCG_AT} {100 * figures.ndcg:.1f}  ({figures.queries} queries, {figures.pictures} photographs)"
    )


def measure(
    encoder: Encoder | TimedEncoder, photos: Path, wanted: RetrievalSet, say: Callable[[str], None]
) -> Iterator[tuple[str, RetrievalFigures]]:
    """Figures of each kind of query. Photographs that are not there or cannot be read are left out, and counted.

    Every query is asked of all the photographs. Raises ConfigError where none is there.
    """
    there = {file: path for file in wanted.files if (path := _find(photos, file)) is not None}
    if missing := len(wanted.files) - len(there):
        say(f"left out {missing} of {len(wanted.files)} photographs that are not in {photos}")
    if not there:
        raise ConfigError(
            f"{photos} holds none of the photographs named, e.g. {wanted.files[0]}; check --photos"
        )
    files, pictures = _encoded(encoder, there, say)
    column = {file: number for number, file in enumerate(files)}
    for kind in dict.fromkeys(query.kind for query in wanted.queries):
        asked = [
            (query.text, [column[file] for file in query.files if file in column])
            for query in wanted.queries
            if query.kind == kind
        ]
        asked = [(text, columns) for text, columns in asked if columns]
        if not asked:
            continue
        words = np.concatenate([encoder.encode_texts([text]) for text, _ in asked])
        yield kind, score_vectors(words, pictures, [columns for _, columns in asked])


def _encoded(
    encoder: Encoder | TimedEncoder, there: Mapping[str, Path], say: Callable[[str], None]
) -> tuple[list[str], F32]:
    """The files that can be read, and their vectors float32 [N, D]. Raises ConfigError where none can."""
    files: list[str] = []
    vectors: list[F32] = []

    def encode(batch: Sequence[str]) -> None:
        vectors.append(encoder.encode_images([there[file] for file in batch]))
        files.extend(batch)

    names = list(there)
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        try:
            encode(batch)
        except MediaError:
            for file in batch:
                try:
                    encode([file])
                except MediaError as error:
                    say(f"left out: {error}")
    if unreadable := len(there) - len(files):
        say(f"left out {unreadable} of {len(there)} photographs that cannot be read")
    if not files:
        raise ConfigError("none of the photographs can be read; check --photos")
    return files, np.concatenate(vectors)


def _find(photos: Path, file: str) -> Path | None:
    """The photograph in the folder or in its `images`."""
    return next((path for path in (photos / file, photos / "images" / file) if path.is_file()), None)
