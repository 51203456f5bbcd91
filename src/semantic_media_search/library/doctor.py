"""Hold every file of a library against every other, and repair what can be made again from what is whole."""

import filecmp
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path, PurePosixPath

import numpy as np

from semantic_media_search.embeddings.embed_store import (
    VECTORS_NAME,
    EmbeddingStore,
    read_embeddings_index,
    require_unit_rows,
)
from semantic_media_search.embeddings.encoder import Encoder
from semantic_media_search.errors import (
    LibraryCorruptError,
    LibraryError,
    MediaError,
    ModelError,
    VectorError,
    without_advice,
)
from semantic_media_search.ingest.catalog import Catalog, Generation
from semantic_media_search.ingest.discovery import on_one_line
from semantic_media_search.ingest.metadata_store import read_records
from semantic_media_search.library.belonging import rows_of_other_frames, shows
from semantic_media_search.library.damaged import give_up, have_read_again, how_made_anew
from semantic_media_search.library.paths import EMBEDDINGS, EMBEDDINGS_INDEX, GRAPH
from semantic_media_search.library.progress import Progress
from semantic_media_search.library.publish import expect_rewrite, publish
from semantic_media_search.library.status import first_pending
from semantic_media_search.library.writer import LibraryWriter
from semantic_media_search.media.decode import load_image
from semantic_media_search.records import FrameRecord
from semantic_media_search.search.retriever import EXACT_BELOW

_ROWS_AT_ONCE = 8192
_COMPUTE = "run `media-search index` to compute the vectors anew"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: which file, what about it, and what was done or is to be done."""

    path: str
    problem: str
    remedy: str


def examine(
    writer: LibraryWriter, progress: Progress, encoder: Encoder | None = None, *, repair: bool
) -> list[Finding]:
    """Check catalogue, frames, vectors, graph and the published files; with `repair`, mend what can be mended.

    With the library's own `encoder`, a sample of the frames is held against their vectors.
    Damaged frames are read from their sources again by the next `update`, those that are hidden once their file is
    back; damaged vectors are computed and a damaged graph is built anew by the next `index`; published files are
    written anew at once.
    """
    findings = list(_check_catalogue(writer))
    if findings:
        return findings  # nothing else can be judged by a damaged catalogue
    frames, damaged = _check_frames(writer, progress, repair=repair)
    findings += frames
    generation = writer.commit.generation
    findings += _check_searchable(writer, generation)
    if generation is not None and generation.rows:
        vectors = list(_check_vectors(writer, generation, repair=repair))
        if not vectors and encoder is not None:
            vectors = _check_belonging(writer, generation, encoder, progress, repair=repair)
        findings += vectors
        if vectors and repair:
            _drop_vectors(writer, generation)
        elif not vectors:
            findings += _check_graph(writer, generation, repair=repair)
    findings += _check_published(writer, repair=repair)
    if repair and findings:
        _have_made_anew(writer, damaged)
        expect_rewrite(writer.paths)
        publish(writer.paths, writer.catalog, writer.commit)
    if stray := sum(1 for _ in writer.stray_frames()):
        remedy = "removed" if repair else "run `media-search compact`"
        findings.append(Finding(str(writer.paths.frames), f"frames that no commit names: {stray}", remedy))
    if repair:
        writer.remove_stray_frames()
    return findings


def _then(remedy: str, *, repair: bool) -> str:
    """What is to be done after a repair, or where there was none."""
    return remedy if repair else f"run `media-search doctor`; then {remedy.removeprefix('run ')}"


def _check_catalogue(writer: LibraryWriter) -> Iterator[Finding]:
    for problem in writer.catalog.integrity_problems():
        yield Finding(
            str(writer.catalog.path), problem, "restore it from a copy, or move the library away and update"
        )


def _check_searchable(writer: LibraryWriter, generation: Generation | None) -> Iterator[Finding]:
    """What an earlier repair took away, or a run that ended early has not made."""
    place, frames = str(writer.paths.root), writer.catalog.frame_count()
    if frames and (generation is None or generation.rows == 0):
        yield Finding(place, f"none of its {frames} frames has a vector", "run `media-search index`")
    elif generation is not None and generation.rows >= EXACT_BELOW and generation.index_file is None:
        yield Finding(
            place, f"there is no index over its {generation.rows} vectors", "run `media-search index`"
        )


@dataclass(frozen=True, slots=True)
class _Damaged:
    """Frames whose files are damaged: `shown` are in the results, `hidden` wait for their original to come back."""

    shown: list[FrameRecord] = field(default_factory=list)
    hidden: list[FrameRecord] = field(default_factory=list)


def _check_frames(
    writer: LibraryWriter, progress: Progress, *, repair: bool
) -> tuple[list[Finding], _Damaged]:
    catalog = writer.catalog
    count = catalog.frame_count()
    if count and not writer.has_frame_files():
        remedy = _then("run `media-search update` to read all files again", repair=repair)
        copy = "" if repair else "put them back from a copy, or "
        finding = Finding(str(writer.paths.frames), f"none of its {count} frames is there", copy + remedy)
        return [finding], _Damaged(list(catalog.live_frames()), list(catalog.hidden_frames()))
    findings: list[Finding] = []
    damaged = _Damaged()
    progress.start("Checking frames", count, "frames")
    for frame in catalog.live_frames(stop=writer.commit.next_frame):
        if problem := _problem_of(frame, catalog):
            damaged.shown.append(frame)
            remedy = _then(how_made_anew(frame.source_path), repair=repair)
            findings.append(Finding(frame.frame_path, problem, remedy))
        progress.advance()
    progress.finish()
    for frame in catalog.hidden_frames():
        if problem := _problem_of(frame, catalog):
            damaged.hidden.append(frame)
            anew = f"{on_one_line(frame.source_path)} is read anew when it comes back"
            findings.append(Finding(frame.frame_path, problem, _then(anew, repair=repair)))
    return findings, damaged


def _have_made_anew(writer: LibraryWriter, damaged: _Damaged) -> None:
    """Have the originals of damaged frames read again; no frame stays that would wait for a vector in vain."""
    generation = writer.commit.generation
    folder = writer.paths.generation(generation.generation) if generation else None
    pending = first_pending(folder, generation)
    give_up(writer, [frame for frame in damaged.shown if frame.frame_id >= pending])
    with writer.committing():
        have_read_again(
            writer.catalog, {frame.source_path for frame in damaged.shown if frame.frame_id < pending}
        )
        for path in {frame.source_path for frame in damaged.hidden}:
            source = writer.catalog.source_at(path)
            assert source is not None and source.source_id is not None, "a frame's path is that of its source"
            writer.catalog.supersede_frames(source.source_id)


def _problem_of(frame: FrameRecord, catalog: Catalog) -> str:
    """What is wrong with a frame's file; empty where nothing is."""
    try:
        pixels = load_image(frame.frame_path)
    except (OSError, MediaError) as error:
        return f"cannot be read: {error}"
    height, width, _ = pixels.shape
    if (width, height) != (frame.width, frame.height):
        return f"is {width}x{height} pixels"
    instant = catalog.instants([frame.frame_id]).get(frame.frame_id)
    return "" if instant is None or shows(instant, pixels) else "shows another picture than was stored"


def _check_vectors(writer: LibraryWriter, generation: Generation, *, repair: bool) -> Iterator[Finding]:
    folder = writer.paths.generation(generation.generation)
    remedy = _then(_COMPUTE, repair=repair)
    try:
        store = EmbeddingStore(folder, generation.rows, generation.model.dim)
    except LibraryCorruptError as error:
        yield Finding(str(folder), without_advice(error), remedy)
        return
    if np.any(np.diff(store.frame_ids) <= 0) or store.frame_ids[-1] >= writer.commit.next_frame:
        yield Finding(str(folder), "its frame ids are not those of the catalogue, in order", remedy)
        return
    passed_over, orphans = writer.out_of_step(store)  # a frame that was passed over would wait for ever
    if passed_over.size:
        yield Finding(
            str(folder), f"frames without a vector: {passed_over.size}, the first is {passed_over[0]}", remedy
        )
    if orphans.size:
        yield Finding(
            str(folder),
            f"vectors without a frame: {orphans.size}, the first is of {orphans[0]}",
            remedy,
        )
    for start in range(0, generation.rows, _ROWS_AT_ONCE):
        try:
            require_unit_rows(np.asarray(store.vectors[start : start + _ROWS_AT_ONCE]), generation.model.dim)
        except VectorError as error:
            yield Finding(str(folder), f"from row {start} on: {error}", remedy)
            return


def _check_belonging(
    writer: LibraryWriter, generation: Generation, encoder: Encoder, progress: Progress, *, repair: bool
) -> list[Finding]:
    folder = writer.paths.generation(generation.generation)
    store = EmbeddingStore(folder, generation.rows, generation.model.dim)
    try:
        if encoder.info.fingerprint != generation.model.fingerprint:
            return []
        foreign = rows_of_other_frames(writer.catalog, store, encoder)
    except (ModelError, OSError, MemoryError) as error:
        progress.note(f"No sample of the frames was held against their vectors: {error}")
        return []
    if not foreign:
        return []
    said = f"vectors are not those of their frames, as a sample shows: those of frames {', '.join(map(str, foreign))}"
    return [Finding(str(folder / VECTORS_NAME), said, _then(_COMPUTE, repair=repair))]


def _drop_vectors(writer: LibraryWriter, generation: Generation) -> None:
    """Let the generation begin again at row 0."""
    writer.store_generation(
        replace(
            generation,
            rows=0,
            index_file=None,
            indexed_rows=0,
            ef_search=None,
            recall=None,
            target_recall=None,
        ),
        serve=True,
    )


def _check_graph(writer: LibraryWriter, generation: Generation, *, repair: bool) -> list[Finding]:
    if generation.index_file is None:
        return []
    from semantic_media_search.index.hnsw import HNSWIndex  # compiles: only when there is a graph to look at

    folder = writer.paths.generation(generation.generation)
    path = folder / generation.index_file
    store = EmbeddingStore(folder, generation.rows, generation.model.dim)
    try:
        index = HNSWIndex.load(path, store.vectors)
        index.verify()
        if len(index) != generation.indexed_rows:
            raise LibraryCorruptError(
                f"{path} holds {len(index)} rows where {generation.indexed_rows} were committed"
            )
    except (OSError, LibraryError) as error:
        if repair:
            writer.store_generation(replace(generation, index_file=None, indexed_rows=0), serve=True)
        remedy = _then("run `media-search index` to build it anew", repair=repair)
        return [Finding(str(path), without_advice(error).removeprefix(f"{path} "), remedy)]
    return []


def _check_published(writer: LibraryWriter, *, repair: bool) -> Iterator[Finding]:
    paths, catalog, commit = writer.paths, writer.catalog, writer.commit
    remedy = "written anew from the catalogue" if repair else "run `media-search doctor` to write it anew"
    try:
        # How the library's folder is spelled may differ from run to run.
        expected = (_by_file_name(frame.to_json()) for frame in catalog.live_frames(stop=commit.next_frame))
        held = (_by_file_name(record) for _, record in read_records(paths.metadata))
        if not _are_equal(held, expected):
            yield Finding(str(paths.metadata), "its records are not the catalogue's", remedy)
    except (OSError, LibraryCorruptError) as error:
        yield Finding(str(paths.metadata), without_advice(error), remedy)
    generation = commit.generation
    if generation is None or generation.rows == 0:
        return
    folder = paths.generation(generation.generation)
    sources = {EMBEDDINGS: folder / VECTORS_NAME}
    if generation.index_file:
        sources[GRAPH] = folder / generation.index_file
    for name, source in sources.items():
        published = paths.root / name
        if not _is_same_file(published, source):
            yield Finding(str(published), "it is not the one that serves", remedy)
    place = paths.root / EMBEDDINGS_INDEX
    try:
        store = EmbeddingStore(folder, generation.rows, generation.model.dim)
    except LibraryCorruptError:
        return  # what it would be made from is damaged, and was told of
    try:
        gone = set(store.rows_of(catalog.removed_frames()).tolist())
        rows = ((frame_id, row) for row, frame_id in enumerate(map(int, store.frame_ids)) if row not in gone)
        if not _are_equal(read_embeddings_index(place), rows):
            yield Finding(str(place), "it does not say which row is whose", remedy)
    except (OSError, LibraryCorruptError) as error:
        yield Finding(str(place), without_advice(error), remedy)


def _is_same_file(published: Path, source: Path) -> bool:
    """Whether a published file is another name of its source, or a copy where links cannot be."""
    try:
        return published.samefile(source) or filecmp.cmp(published, source, shallow=False)
    except OSError:
        return False


def _are_equal(some: Iterable[object], others: Iterable[object]) -> bool:
    """Whether both hold the same, in the same order; neither is ever in memory as a whole."""
    return all(one == other for one, other in zip_longest(some, others))


def _by_file_name(record: Mapping[str, object]) -> dict[str, object]:
    """A frame's record with the name of the frame's file alone."""
    return {**record, "frame_path": PurePosixPath(str(record.get("frame_path", ""))).name}
