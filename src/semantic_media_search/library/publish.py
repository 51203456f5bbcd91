"""The plan's files at the top of a library, made from the catalogue and the generation that serves.

They are derived: made again where they lag, never read back as truth by this program.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np

from semantic_media_search.embeddings.embed_store import VECTORS_NAME, EmbeddingStore, write_embeddings_index
from semantic_media_search.ingest.catalog import Catalog, Commit
from semantic_media_search.ingest.metadata_store import MetadataWriter, write_metadata
from semantic_media_search.library.paths import EMBEDDINGS, EMBEDDINGS_INDEX, GRAPH, LibraryPaths

_STAMP = "published.json"


def publish(paths: LibraryPaths, catalog: Catalog, commit: Commit, *, rewrite_metadata: bool = False) -> None:
    """Bring `metadata.jsonl`, `embeddings.dat`, `embeddings.idx` and `hnsw_index.bin` up to the commit.

    `metadata.jsonl` is appended to where that is enough; `rewrite_metadata` says that earlier lines changed.
    """
    stamp = _read_stamp(paths)
    _publish_metadata(paths, catalog, commit, stamp, rewrite=rewrite_metadata)
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
        if generation.index_file:
            _link(folder / generation.index_file, paths.root / GRAPH)
    _write_stamp(paths, commit)


def _publish_metadata(
    paths: LibraryPaths, catalog: Catalog, commit: Commit, stamp: dict[str, int], *, rewrite: bool
) -> None:
    size = paths.metadata.stat().st_size if paths.metadata.exists() else -1
    if rewrite or size != stamp.get("metadata_bytes") or stamp.get("next_frame", 0) > commit.next_frame:
        write_metadata(paths.metadata, catalog.live_frames(stop=commit.next_frame))
        return
    with MetadataWriter(paths.metadata) as writer:
        for frame in catalog.live_frames(stamp.get("next_frame", 0), commit.next_frame):
            writer.add_record(frame.to_json())


def _read_stamp(paths: LibraryPaths) -> dict[str, int]:
    try:
        stamp = json.loads((paths.root / _STAMP).read_text(encoding="utf-8"))
        return {str(key): int(value) for key, value in stamp.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # absent or damaged: everything derived is made again


def _write_stamp(paths: LibraryPaths, commit: Commit) -> None:
    stamp = {
        "commit": commit.commit_id,
        "next_frame": commit.next_frame,
        "metadata_bytes": paths.metadata.stat().st_size,
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
