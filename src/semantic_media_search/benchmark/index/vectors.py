"""The vectors that indexes are measured on: from a file, from a library, or real sentences that anyone can get."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semantic_media_search.embeddings import STARTER_MODEL, Encoder, load_encoder
from semantic_media_search.errors import ConfigError
from semantic_media_search.records import F32

WORDNET = Path("/usr/share/wordnet")
"""Where Debian's package `wordnet-base` puts its files."""
_WORDNET_FILES = ("data.noun", "data.verb", "data.adj", "data.adv")
_ENCODE_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows to index, float32 [N, D], and queries held out from them, float32 [Q, D], all L2-normalised.

    `source` says in words where they come from.
    """

    rows: F32
    queries: F32
    source: str

    @property
    def text(self) -> str:
        """What was indexed, for a title or a note."""
        if not len(self.rows):
            return self.source
        return f"{len(self.rows):,} {self.source}, {self.rows.shape[1]} dimensions, {len(self.queries):,} queries"


def held_out(vectors: F32, rows: int, queries: int, source: str) -> Vectors:
    """Take `queries` of the vectors for queries and at most `rows` of the others for rows, by a fixed lot.

    Copies of one vector are left out. Raises ConfigError where there are too few.
    """
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or queries < 1 or rows < 1:
        raise ConfigError(f"{source}: {vectors.dtype} {list(vectors.shape)} are no rows of vectors")
    order = np.random.default_rng(0).permutation(len(vectors))[: rows + queries]
    taken = np.array(vectors[np.sort(order)], dtype=np.float32)
    taken = np.unique(taken, axis=0)
    np.random.default_rng(1).shuffle(taken)
    if len(taken) < 2 * queries:
        raise ConfigError(
            f"{source}: {len(taken)} different vectors are too few to hold {queries} of them out as queries; "
            "give more vectors or ask for fewer --queries"
        )
    taken = _normalised(taken, source)
    return Vectors(taken[queries:], taken[:queries], source)


def held_apart(rows: F32, queries: F32, source: str) -> Vectors:
    """Rows and queries that were told apart already: copies are left out, and queries that are rows as well.

    Raises ConfigError where no query is left.
    """
    rows, queries = (np.unique(np.array(one, dtype=np.float32), axis=0) for one in (rows, queries))
    known = {row.tobytes() for row in rows}
    queries = queries[[query.tobytes() not in known for query in queries]]
    if not len(queries):
        raise ConfigError(f"{source}: every query is a row as well; give other pictures")
    random = np.random.default_rng(1)
    for one in (rows, queries):
        random.shuffle(one)
    return Vectors(_normalised(rows, source), _normalised(queries, source), source)


def _normalised(vectors: F32, source: str) -> F32:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and norms.min() > 0):
        raise ConfigError(f"{source}: some vectors are zero or not finite")
    divided: F32 = vectors / norms
    return divided


def vectors_of_file(path: Path) -> F32:
    """Vectors of a `.npy` file, float [N, D]. Raises ConfigError where there are none."""
    try:
        held: F32 = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read vectors from {path}: {error}") from error
    return held


def sentences_of(path: Path | None, limit: int) -> list[str]:
    """At most `limit` sentences, by a fixed lot: lines of a file, or WordNet's glosses where that is installed.

    Raises ConfigError where neither can be had.
    """
    sentences = list(dict.fromkeys(_all_sentences(path)))
    order = np.random.default_rng(7).permutation(len(sentences))[:limit]
    return [sentences[at] for at in order]


def _all_sentences(path: Path | None) -> list[str]:
    if path is None:
        if not (WORDNET / _WORDNET_FILES[0]).is_file():
            raise ConfigError(
                f"there are no sentences to measure on: install WordNet (`apt-get install wordnet-base` puts it into "
                f"{WORDNET}), or give --sentences FILE with one sentence a line, or --vectors FILE.npy"
            )
        return list(_glosses(WORDNET))
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read sentences from {path}: {error}") from error
    return [line.strip() for line in lines if line.strip()]


def _glosses(folder: Path) -> Iterator[str]:
    """The glosses of WordNet's synsets, in the order of its files (format: wndb(5WN))."""
    for name in _WORDNET_FILES:
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            if not line.startswith("  "):  # the licence is indented
                yield line.partition("| ")[2].strip()


def encoded_sentences(
    sentences: Sequence[str], cache: Path, say: Callable[[str], None], encoder: Encoder | None = None
) -> F32:
    """The starter model's vectors of sentences, float32 [N, D]; kept in `cache` for the next run."""
    encoder = encoder or load_encoder(STARTER_MODEL)
    digest = hashlib.sha256("\n".join((encoder.info.fingerprint, *sentences)).encode()).hexdigest()[:16]

    def encode() -> Iterator[F32]:
        for start in range(0, len(sentences), _ENCODE_AT_ONCE):
            yield encoder.encode_texts(sentences[start : start + _ENCODE_AT_ONCE])

    return cached(cache / f"sentences-{digest}.npy", encode, f"{len(sentences):,} sentences", say)


def cached(path: Path, make: Callable[[], Iterator[F32]], what: str, say: Callable[[str], None]) -> F32:
    """The vectors in a file, made and kept there where it is missing."""
    if not path.is_file():
        say(f"Encoding {what}, once; they are kept in {path} ...")
        vectors = np.concatenate(list(make()))
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        with beside.open("wb") as file:
            np.save(file, vectors)
        beside.replace(path)
    return vectors_of_file(path)
