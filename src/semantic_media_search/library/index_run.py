"""Vectors for the frames that lack them, then the graph over all rows, then the commit that serves both."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semantic_media_search.config import Settings
from semantic_media_search.embeddings.embed_store import EmbeddingStore
from semantic_media_search.embeddings.encoder import Encoder
from semantic_media_search.errors import IndexFormatError, LibraryNotFoundError, MediaError, without_advice
from semantic_media_search.index import file_format
from semantic_media_search.ingest.catalog import Generation
from semantic_media_search.library.compiling import compiling
from semantic_media_search.library.damaged import give_up, how_made_anew, require_some_frames
from semantic_media_search.library.embedder import Embedder
from semantic_media_search.library.progress import Progress
from semantic_media_search.library.publish import publish
from semantic_media_search.library.status import first_pending
from semantic_media_search.library.streams import ordered
from semantic_media_search.library.writer import LibraryWriter
from semantic_media_search.media.decode import load_image
from semantic_media_search.records import F32, U8, FrameRecord
from semantic_media_search.search.brute_force import BruteForceIndex
from semantic_media_search.search.recall import choose_ef
from semantic_media_search.search.sample_queries import SAMPLE_QUERIES

if TYPE_CHECKING:
    from semantic_media_search.index.hnsw import HNSWIndex

COMMIT_ROWS = 1024
RECALL_AT = 10
_NOT_MEASURED = 0.0
"""The recall asked for of a graph that was made without its model: none that can be, so that it is measured yet."""
_BUILT_ANEW = "{}: the index is built anew from the vectors."
_NAMED = 10
"""So many damaged frames are named of each lot of COMMIT_ROWS."""


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What an index run did; `embedded` counts new rows, `generation` is the one that serves now."""

    embedded: int
    generation: Generation


def embed_pending(
    writer: LibraryWriter, generation: Generation, encoder: Encoder, settings: Settings, progress: Progress
) -> Generation:
    """Give every committed frame behind the generation's last row its vector, committing as it goes.

    Pictures come from the stored frames. Those that cannot be read are named and given up (see `damaged`); raises
    LibraryCorruptError only where all of them are gone.
    """
    paths, catalog = writer.paths, writer.catalog
    start = first_pending(paths.generation(generation.generation), generation)
    pending = catalog.frame_count(start)
    if not pending:
        _give_up_hidden(writer, generation)
        return generation
    require_some_frames(writer)
    workers = settings.worker_threads
    # A first generation answers as it grows; one beside another waits until it is whole.
    serve = writer.commit.generation is None or writer.commit.generation.generation == generation.generation
    damaged: list[FrameRecord] = []
    progress.start("Embedding", pending, "frames")
    with Embedder(writer, generation, encoder, settings.batch_size, workers) as embedder:
        jobs = (partial(_load_frame, frame) for frame in _frames_from(writer, start))
        for done, (frame, picture) in enumerate(ordered(jobs, workers, ahead=8 * workers, buffer=1), start=1):
            if isinstance(picture, Exception):
                damaged.append(frame)
                _tell_of_damaged(frame, picture, len(damaged), progress)
            else:
                embedder.add(frame.frame_id, picture)
            progress.advance()
            if done % COMMIT_ROWS == 0:
                give_up(writer, damaged)
                damaged.clear()
                writer.store_generation(embedder.flush(), serve=serve)
        give_up(writer, damaged)
        generation = writer.store_generation(embedder.flush(), serve=serve)
    progress.finish()
    _give_up_hidden(writer, generation)
    return generation


def _frames_from(writer: LibraryWriter, start: int) -> Iterator[FrameRecord]:
    """The committed frames from this frame_id on, some at a time: memory must not grow with the library."""
    for at in range(start, writer.commit.next_frame, COMMIT_ROWS):
        yield from list(writer.catalog.live_frames(at, min(at + COMMIT_ROWS, writer.commit.next_frame)))


def _give_up_hidden(writer: LibraryWriter, generation: Generation) -> None:
    """Have files that come back read anew where their frames have no vector in this generation.

    Rows are in the order of the frames' ids: what was passed over cannot be put in between later.
    """
    if not writer.catalog.revivable():
        return
    store = EmbeddingStore(
        writer.paths.generation(generation.generation), generation.rows, generation.model.dim
    )
    with writer.catalog.transaction():
        writer.catalog.give_up_hidden(but=store.frame_ids.tolist())


def build_graph(
    writer: LibraryWriter,
    generation: Generation,
    encoder: Encoder | None,
    settings: Settings,
    progress: Progress,
    *,
    commit: bool = True,
) -> Generation:
    """Bring the graph up to the generation's rows, by insertion where there is one; `commit` makes both serve.

    A file of an older format is written anew, since each opening would make its codes; a graph whose file is missing or
    damaged is built anew. The sample of searches that chooses ef is checked against the exact answer each
    time, and where another recall is asked for than the last time. Without an `encoder` ef stays as it is, until the
    next call that has one.
    """
    folder = writer.paths.generation(generation.generation)
    name = generation.index_file
    version = _version_of_graph(folder, generation, progress)
    whole = version == file_format.VERSION and generation.indexed_rows == generation.rows
    if whole and generation.target_recall in (None, settings.target_recall):
        return writer.store_generation(generation, serve=True) if commit else generation
    from semantic_media_search.index.hnsw import HNSWIndex  # compiles: only when there is something to do

    vectors = EmbeddingStore(folder, generation.rows, generation.model.dim).vectors
    _compile(progress)
    index = HNSWIndex(generation.model.dim, m=settings.m, ef_construction=settings.ef_construction)
    if version:
        try:
            index = HNSWIndex.load(folder / str(name), vectors)
        except IndexFormatError as error:
            whole = False
            progress.note(_BUILT_ANEW.format(without_advice(error)))
    if len(index) < generation.rows:
        progress.start("Building the index", generation.rows - len(index), "vectors")
        index.add(vectors, settings.worker_threads, progress.advance)
        progress.finish()
    if not whole:
        name = f"hnsw_index-{writer.commit.commit_id + 1:06d}.bin"
        index.save(folder / name, generation.model.fingerprint)
    generation = replace(generation, index_file=name, indexed_rows=generation.rows)
    if encoder is None:
        generation = replace(generation, recall=None, target_recall=_NOT_MEASURED)
    else:
        generation = _with_ef(generation, index, vectors, encoder, settings.target_recall, progress)
    return writer.store_generation(generation, serve=True) if commit else generation


def _version_of_graph(folder: Path, generation: Generation, progress: Progress) -> int:
    """The version of the file that holds the generation's graph; 0 where there is none, or no whole one.

    All of it is read: what is damaged must not be served, nor written again with sums that are right. Raises OSError
    where a file that is there cannot be read: it may be whole.
    """
    if generation.index_file is None:
        return 0
    path = folder / generation.index_file
    try:
        header, sections = file_format.read(path)
        for section in sections.values():
            file_format.verify(path, section)
        if (header.count, header.dim) != (generation.indexed_rows, generation.model.dim):
            raise IndexFormatError(
                f"{path} holds {header.count} rows of {header.dim} dimensions where {generation.indexed_rows} of "
                f"{generation.model.dim} were committed"
            )
    except (IsADirectoryError, IndexFormatError) as error:
        progress.note(_BUILT_ANEW.format(without_advice(error)))
        return 0
    return header.version


def _with_ef(
    generation: Generation,
    index: "HNSWIndex",
    vectors: F32,
    encoder: Encoder,
    target: float,
    progress: Progress,
) -> Generation:
    """The generation with the ef that reaches the recall asked for, as measured with sample queries."""
    progress.start("Measuring recall", None, "queries")
    queries = encoder.encode_texts(SAMPLE_QUERIES)
    ef, recall = choose_ef(index, BruteForceIndex(vectors), queries, min(RECALL_AT, generation.rows), target)
    progress.finish()
    if recall < target:
        progress.note(
            f"The recall asked for, {target:g}, is not reached: searches look at {ef} candidates, the most there may "
            f"be, and find {recall:.3f} of what exact search finds. A larger ef_construction, then "
            "`media-search index --rebuild`, may do better."
        )
    return replace(generation, ef_search=ef, recall=recall, target_recall=target)


def _compile(progress: Progress) -> None:
    """Have the index's code ready before the work's own time is shown."""
    from semantic_media_search.index.hnsw import HNSWIndex

    with compiling(progress.note):
        index = HNSWIndex(2)
        index.build(np.eye(2, dtype=np.float32))
        index.search(np.eye(2, dtype=np.float32)[0], 1)


def index_library(
    writer: LibraryWriter, encoder: Encoder, settings: Settings, progress: Progress, *, rebuild: bool = False
) -> IndexSummary:
    """Embed and index everything that is committed; a generation by another model gives way at the last commit.

    `rebuild` makes a generation anew even where there is one by this model. Either goes on with what an interrupted run
    by the same model has made.

    Raises LibraryNotFoundError where no frame has been ingested yet.
    """
    if writer.commit.next_frame == 0:
        raise LibraryNotFoundError(
            f"{writer.paths.root} holds no frames yet; run `media-search ingest YOUR_FOLDER` "
            "(or `python scripts/ingest_all.py`) first"
        )
    find = writer.generation_made_anew if rebuild else writer.generation_for
    generation = find(encoder.info)
    before = generation.rows
    generation = embed_pending(writer, generation, encoder, settings, progress)
    if generation.rows:
        generation = build_graph(writer, generation, encoder, settings, progress)
    writer.drop_other_generations(unfinished=False)
    publish(writer.paths, writer.catalog, writer.commit)
    return IndexSummary(generation.rows - before, generation)


def _load_frame(frame: FrameRecord) -> Iterator[tuple[FrameRecord, U8 | Exception]]:
    try:
        picture: U8 | Exception = load_image(frame.frame_path)
    except (OSError, MediaError) as error:
        picture = error
    yield frame, picture


def _tell_of_damaged(frame: FrameRecord, error: Exception, number: int, progress: Progress) -> None:
    if number > _NAMED:
        return
    others = "; more of them will not be named" if number == _NAMED else ""
    progress.note(
        f"The stored frame {frame.frame_path} cannot be read ({error}) and leaves the results; "
        f"{how_made_anew(frame.source_path)}{others}"
    )
