"""Reclaim what removed frames take: a new generation without them, then their files go."""

from dataclasses import dataclass, replace

import numpy as np

from semantic_media_search.config import Settings
from semantic_media_search.embeddings.embed_store import EmbeddingStore
from semantic_media_search.embeddings.encoder import Encoder
from semantic_media_search.ingest.catalog import Generation
from semantic_media_search.library.index_run import build_graph
from semantic_media_search.library.progress import Progress
from semantic_media_search.library.publish import expect_rewrite, publish
from semantic_media_search.library.writer import LibraryWriter

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class CompactSummary:
    """How many frames were let go, and how many bytes that freed."""

    frames: int
    bytes_freed: int


def compact(
    writer: LibraryWriter, encoder: Encoder | None, settings: Settings, progress: Progress
) -> CompactSummary:
    """Drop removed frames from the vectors, the graph, the catalogue and the disk, and unfinished changes of model.

    Vectors are copied, not computed again. Until the one commit at the end the old generation serves; files are
    removed only after it. Recall is measured anew with `encoder`; without one, searches look as far as before, and
    the next `index` or `update` measures it.
    """
    paths, catalog = writer.paths, writer.catalog
    removed = catalog.removed_frames()
    before = _size_of_generations(writer)
    if not removed:  # but a run that ended early may have left its end to be done
        writer.drop_other_generations()
        freed = writer.remove_stray_frames() + before - _size_of_generations(writer)
        publish(paths, catalog, writer.commit)
        return CompactSummary(0, max(0, freed))
    serving = writer.commit.generation
    fresh: Generation | None = None
    if serving is not None and serving.rows:
        fresh = _copy_live_rows(writer, serving, removed, progress)
        if fresh.rows:
            fresh = build_graph(writer, fresh, encoder, settings, progress, commit=False)
    with writer.committing(serve=fresh):
        if fresh is not None:
            catalog.put_generation(fresh)
        catalog.forget_removed()
        expect_rewrite(paths)
    freed = writer.remove_stray_frames()  # theirs, and those of a run that ended before it came to this
    writer.drop_other_generations()
    publish(paths, catalog, writer.commit)
    return CompactSummary(len(removed), max(0, freed + before - _size_of_generations(writer)))


def _copy_live_rows(
    writer: LibraryWriter, old: Generation, removed: list[int], progress: Progress
) -> Generation:
    store = EmbeddingStore(writer.paths.generation(old.generation), old.rows, old.model.dim)
    live = np.ones(old.rows, dtype=np.bool_)
    live[store.rows_of(removed)] = False
    rows = np.flatnonzero(live)
    fresh = writer.new_generation(old.model)
    progress.start("Copying vectors", len(rows), "vectors")
    with writer.embedding_writer(fresh) as out:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
            out.append(store.frame_ids[some].tolist(), np.asarray(store.vectors[some]))
            progress.advance(len(some))
        out.flush()
        fresh = replace(fresh, rows=out.rows, ef_search=old.ef_search)
    progress.finish()
    return fresh


def _size_of_generations(writer: LibraryWriter) -> int:
    folder = writer.paths.root / "generations"
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
