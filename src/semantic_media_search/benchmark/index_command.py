"""`media-search benchmark index`: the index beside hnswlib, on vectors from a file."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from semantic_media_search.benchmark.environment import environment
from semantic_media_search.benchmark.index_curves import curves, hnswlib_peer, ours, speed_at
from semantic_media_search.errors import ConfigError
from semantic_media_search.records import F32

RECALLS = (0.95, 0.99)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which vectors, and how many of them are held out as queries."""
    parser.add_argument(
        "--vectors",
        type=Path,
        required=True,
        metavar="FILE.npy",
        help="float32 rows, e.g. a library's embeddings",
    )
    parser.add_argument(
        "--rows", type=int, default=100_000, help="at most so many are indexed (default 100000)"
    )
    parser.add_argument("--queries", type=int, default=1_000, help="so many are held out (default 1000)")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Measure and say. Raises ConfigError for a file that cannot be used."""
    rows, queries = _load(arguments.vectors, arguments.rows, arguments.queries)
    where = environment()
    say(
        f"{where['date']}  {where['processor']}, one thread; {len(rows)} vectors of {rows.shape[1]} dimensions, "
        f"{len(queries)} held-out queries; recall@10 by distance"
    )
    mine, peer = ours(rows), hnswlib_peer(rows)
    say(
        f"build: {mine.build_seconds:.1f} s, hnswlib {peer.build_seconds:.1f} s: "
        f"{peer.build_seconds / mine.build_seconds:.2f} times as fast"
    )
    found = curves([mine, peer], rows, queries)
    say("  ef   recall  single/s   batch/s   |  hnswlib recall  single/s   batch/s")
    for a, b in zip(found[mine.name], found[peer.name], strict=True):
        say(
            f"{a.ef:>4}   {a.recall:.4f}  {a.single:>8.0f}  {a.batch:>8.0f}   |"
            f"          {b.recall:.4f}  {b.single:>8.0f}  {b.batch:>8.0f}"
        )
    for recall in RECALLS:
        for batch in (False, True):
            a_speed = speed_at(found[mine.name], recall, batch=batch)
            b_speed = speed_at(found[peer.name], recall, batch=batch)
            how = "in batches" if batch else "one query a call"
            if a_speed is None or b_speed is None:
                say(f"at recall {recall}, {how}: not reached with these ef")
            else:
                say(
                    f"at recall {recall}, {how}: {a_speed:.0f}/s, hnswlib {b_speed:.0f}/s: "
                    f"{a_speed / b_speed:.2f} times as fast"
                )


def _load(path: Path, limit: int, queries: int) -> tuple[F32, F32]:
    try:
        held = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read vectors from {path}: {error}") from error
    if held.ndim != 2 or len(held) <= queries or queries < 1:
        raise ConfigError(
            f"{path} holds {list(held.shape)}; expected rows of vectors, more than {queries} of them"
        )
    order = np.random.default_rng(0).permutation(len(held))[: limit + queries]
    vectors = np.array(held[np.sort(order)], dtype=np.float32)
    np.random.default_rng(1).shuffle(vectors)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[queries:], vectors[:queries]
