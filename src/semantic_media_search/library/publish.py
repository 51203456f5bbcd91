"""The plan's files at the top of a library, made from the catalogue and the generation that serves.

They are derived: made again where they lag, never read back as truth by this program.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from semantic_media_search.embeddings.embed_store import VECTORS_NAME, EmbeddingStore, write_embeddings_index
from semantic_media_search.ingest.catalog import Catalog, Commit, Generation
from semantic_media_search.ingest.metadata_store import MetadataWriter, write_metadata
from semantic_media_search.library.durability import sync_folder
from semantic_media_search.library.paths import EMBEDDINGS, EMBEDDINGS_INDEX, GRAPH, LibraryPaths
from semantic_media_search.records import FrameRecord

_STAMP = "published.json"


def expect_rewrite(paths: LibraryPaths) -> None:
    """Have the next `publish` write `metadata.jsonl` anew, by whichever process and however this one ends.

    To be called before the commit that changes or takes out lines that were published.
    """
    (paths.root / _STAMP).unlink(missing_ok=True)
    sync_folder(paths.root)  # the commit must not be on the disk before this is


def publish(paths: LibraryPaths, catalog: Catalog, commit: Commit) -> None:
    """Bring `metadata.jsonl`, `embeddings.dat`, `embeddings.idx` and `hnsw_index.bin` up to the commit.

    `metadata.jsonl` is appended to where that is enough (see `expect_rewrite`). Where they are this commit's already,
    nothing is written.
    """
    stamp = _read_stamp(paths)
    frames = _frames_as_named(paths, stamp)
    if (
        frames == stamp.get("frames")
        and stamp.get("commit") == _named(commit)
        and _are_there(paths, commit, stamp)
    ):
        return
    _publish_metadata(paths, catalog, commit, stamp if frames == stamp.get("frames") else {}, frames)
    generation = commit.generation
    if generation is not None:
        folder = paths.generation(generation.generation)
        removed = catalog.removed_frames()
        if generation.rows:
            store = EmbeddingStore(folder, generation.rows, generation.model.dim)
            _link(folder / VECTORS_NAME, paths.root / EMBEDDINGS)
            write_embeddings_index(
                paths.root / EMBEDDINGS_INDEX,
                np.array(store.frame_ids),
                frozenset(store.rows_of(removed).tolist()),
            )
        graph = _graph_of(paths, generation)
        if graph is None:
            (paths.root / GRAPH).unlink(missing_ok=True)
        else:
            _link(graph, paths.root / GRAPH)
    _write_stamp(paths, commit, frames)


def _named(commit: Commit) -> list[object]:
    return [commit.commit_id, commit.created_at]


def _graph_of(paths: LibraryPaths, generation: Generation) -> Path | None:
    """The generation's graph; None also where it is gone: the next index run builds it anew, and publishes that."""
    if generation.index_file is None:
        return None
    path = paths.generation(generation.generation) / generation.index_file
    return path if path.exists() else None


def _are_there(paths: LibraryPaths, commit: Commit, stamp: dict[str, Any]) -> bool:
    wanted = [paths.metadata]
    if commit.generation is not None and commit.generation.rows:
        wanted += [paths.root / EMBEDDINGS, paths.root / EMBEDDINGS_INDEX]
    if commit.generation is not None and _graph_of(paths, commit.generation) is not None:
        wanted.append(paths.root / GRAPH)
    return all(path.exists() for path in wanted) and paths.metadata.stat().st_size == stamp["metadata_bytes"]


def _publish_metadata(
    paths: LibraryPaths, catalog: Catalog, commit: Commit, stamp: dict[str, Any], frames: str
) -> None:
    def records(start: int) -> Iterator[FrameRecord]:
        for frame in catalog.live_frames(start, commit.next_frame):
            yield replace(frame, frame_path=f"{frames}/{frame.frame_id}.jpg")

    size = paths.metadata.stat().st_size if paths.metadata.exists() else -1
    if size != stamp.get("metadata_bytes") or stamp["next_frame"] > commit.next_frame:
        write_metadata(paths.metadata, records(0))
        return
    with MetadataWriter(paths.metadata) as writer:
        for frame in records(stamp["next_frame"]):
            writer.add_record(frame.to_json())


def _frames_as_named(paths: LibraryPaths, stamp: dict[str, Any]) -> str:
    """The frames' folder as the lines of `metadata.jsonl` spell it: all alike, however the library is named today.

    An absolute spelling is given up where the library has moved away from it.
    """
    held, here = stamp.get("frames"), paths.frames.as_posix()
    if held is None or (Path(held).is_absolute() and Path(held).resolve() != paths.frames.resolve()):
        return here
    return str(held)


def _read_stamp(paths: LibraryPaths) -> dict[str, Any]:
    try:
        stamp = json.loads((paths.root / _STAMP).read_text(encoding="utf-8"))
        return {
            "next_frame": int(stamp["next_frame"]),
            "metadata_bytes": int(stamp["metadata_bytes"]),
            "frames": str(stamp["frames"]),
            "commit": stamp.get("commit"),
        }
    except (OSError, ValueError, TypeError, LookupError):
        return {}  # absent, of an earlier version or damaged: everything derived is made again


def _write_stamp(paths: LibraryPaths, commit: Commit, frames: str) -> None:
    stamp = {
        "next_frame": commit.next_frame,
        "metadata_bytes": paths.metadata.stat().st_size,
        "frames": frames,
        "commit": _named(commit),
    }
    beside = paths.root / (_STAMP + ".new")
    beside.write_text(json.dumps(stamp), encoding="utf-8")
    beside.replace(paths.root / _STAMP)


def _link(source: Path, name: Path) -> None:
    """Make `name` another name of `source`; a copy on file systems without hard links."""
    if name.exists() and name.samefile(source):
        return
    beside = name.with_name(name.name + ".new")
    beside.unlink(missing_ok=True)
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
    beside.replace(name)
