"""Words against pictures: queries that lie elsewhere than the rows, beside queries that are like the rows."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.engine.figures import Row, rate
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.index.contestants import EFS, Builder
from semantic_media_search.benchmark.index.curves import Line, Point, curves, exact_top
from semantic_media_search.benchmark.index.vectors import Vectors, cached, held_apart
from semantic_media_search.benchmark.retrieval_sets import read_retrieval_set
from semantic_media_search.embeddings import STARTER_MODEL, Encoder, load_encoder
from semantic_media_search.errors import ConfigError
from semantic_media_search.media.decode import load_image
from semantic_media_search.records import F32, U8

PICTURES, WORDS = "like the rows", "words"
_TARGETS = (0.95, 0.98, 0.99)
_SMALLEST_CROP = 0.4
_HELD_OUT = 0.1
"""The share of the photographs that are only asked with."""


def cross_modal_section(
    name: str,
    makers: Mapping[str, Builder],
    vectors: Vectors,
    words: F32,
    rounds: int,
    title: str = "Words against pictures",
    kinds: tuple[str, str] = (PICTURES, WORDS),
) -> Section:
    """Recall and speed at each ef, for the vectors' own queries and for `words`, float32 [Q, D], in the same turns.

    `kinds` are the names of the two; notes say which ef either needs for a recall.
    """
    rows: list[Row] = []
    contestants = {index: builder(vectors.rows) for index, builder in makers.items()}
    lines: dict[str, Line] = {}
    for kind, queries in zip(kinds, (vectors.queries, words), strict=True):
        asked = Vectors(vectors.rows, queries, vectors.source)
        exact = exact_top(asked)
        lines |= {f"{index}, {kind}": Line(one, asked, exact) for index, one in contestants.items()}
    found = curves(lines, rounds)
    for line, points in found.items():
        rows += [_row(line, point, len(lines[line].vectors.queries)) for point in points]
    notes = [
        f"{line}: ef {_words(_effort_for(points, target))} for recall {target}"
        for line, points in found.items()
        for target in _TARGETS
    ]
    charts = [Chart("Recall by ef", "ef", "recall@10", "line", log_x=True)]
    return Section(name, f"{title}: {vectors.text}", ("line", "ef"), rows, notes, charts)


def _row(line: str, point: Point, queries: int) -> Row:
    return {
        "line": line,
        "ef": int(point.effort),
        "recall@10": round(point.recall, 4),
        "one a call": rate(queries, point.times["one a call"]),
    }


def _effort_for(points: Sequence[Point], recall: float) -> float | None:
    """The ef that a recall needs, read off between the points; None beyond the last one."""
    reached = np.maximum.accumulate([point.recall for point in points])
    if reached[-1] < recall:
        return None
    return float(np.interp(recall, reached, [point.effort for point in points]))


def _words(effort: float | None) -> str:
    return f"more than {EFS[-1]}" if effort is None else f"{effort:.0f}"


def captioned_crops(
    photos: Path,
    captions: Path,
    split: str | None,
    rows: int,
    queries: int,
    cache: Path,
    say: Callable[[str], None],
) -> tuple[Vectors, F32]:
    """The starter model's vectors of crops of photographs, and of captions of the indexed ones, float32 [Q, D].

    Photographs are held out whole: the queries that are pictures are crops of photographs of which nothing is
    indexed. Raises ConfigError where fewer than two of the photographs are there.
    """
    wanted = read_retrieval_set(captions, split)
    there = {
        file: path
        for file in wanted.files
        for path in (photos / file, photos / "images" / file)
        if path.is_file()
    }
    if len(there) < 2:
        found = "none" if not there else "only one"
        raise ConfigError(f"{photos} holds {found} of the photographs that {captions} names; check --photos")
    lot = np.random.default_rng(8).permutation(len(there))
    held = max(1, min(queries, round(len(there) * _HELD_OUT)))
    each = max(-(-rows // (len(there) - held)), -(-queries // held))
    paths = list(there.values())
    encoder = load_encoder(STARTER_MODEL)
    key = hashlib.sha256(
        "\n".join((encoder.info.fingerprint, str(each), *map(str, paths))).encode()
    ).hexdigest()
    crops = cached(
        cache / f"crops-{key[:16]}.npy",
        lambda: _encoded_crops(encoder, paths, each),
        f"{each} crops of each of {len(paths):,} photographs",
        say,
    ).reshape(len(paths), each, -1)
    indexed, asked = (
        _drawn(crops[part].reshape(len(part) * each, -1), count)
        for part, count in ((lot[held:], rows), (lot[:held], queries))
    )
    names = list(there)
    known = {names[at] for at in lot[held:]}
    texts = [query.text for query in wanted.queries if known.intersection(query.files)]
    order = np.random.default_rng(5).permutation(len(texts))[:queries]
    words = encoder.encode_texts([texts[at] for at in order])
    source = f"starter vectors of crops of {len(known):,} photographs of {captions.name}"
    source += f", split {split}" if split else ""
    return held_apart(indexed, asked, source), words


def _drawn(vectors: F32, count: int) -> F32:
    """At most so many of the vectors, by a fixed lot."""
    taken: F32 = vectors[np.random.default_rng(0).permutation(len(vectors))[:count]]
    return taken


def _encoded_crops(encoder: Encoder, paths: Sequence[Path], each: int) -> Iterator[F32]:
    random = np.random.default_rng(6)
    for path in paths:
        yield encoder.encode_pixels(list(_crops(load_image(path), each, random)))


def _crops(pixels: U8, count: int, random: np.random.Generator) -> Iterator[U8]:
    """The whole picture, then random parts of it, each side at least _SMALLEST_CROP of the whole."""
    yield pixels
    for _ in range(count - 1):
        height, width = (round(side * random.uniform(_SMALLEST_CROP, 1)) for side in pixels.shape[:2])
        top = int(random.integers(0, pixels.shape[0] - height + 1))
        left = int(random.integers(0, pixels.shape[1] - width + 1))
        yield pixels[top : top + height, left : left + width]
