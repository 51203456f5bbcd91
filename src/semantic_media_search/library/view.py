"""One commit of a library, as readers see it: immutable, shared by threads, replaced by the next commit's."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from semantic_media_search.embeddings.catalog import known_model
from semantic_media_search.embeddings.embed_store import EmbeddingStore
from semantic_media_search.embeddings.encoder import Encoder
from semantic_media_search.errors import LibraryNotFoundError, ModelMismatchError
from semantic_media_search.ingest.catalog import CATALOG_NAME, Catalog, Commit, Generation, Source
from semantic_media_search.library.compiling import compiling
from semantic_media_search.library.paths import LibraryPaths
from semantic_media_search.records import F32, I64, BoolMask, FrameRecord, Instant, ModelInfo, SearchHit
from semantic_media_search.search.calibration import Background, Calibration
from semantic_media_search.search.filters import FiledSource, FrameFacts
from semantic_media_search.search.retriever import (
    DEFAULT_EF,
    EXACT_BELOW,
    ImageRetriever,
    VectorIndex,
    check_query,
)

_CACHED_QUERIES = 256
_log = logging.getLogger(__name__)


class CatalogReaders:
    """Connections to one catalogue file, one for each thread that reads."""

    def __init__(self, paths: LibraryPaths):
        self._paths = paths
        self._local = threading.local()
        self._file = _file_of(paths)
        self._first: Catalog | None = None

    def are_of_what_is_there(self) -> bool:
        """Whether the library's folder still holds that file: it may have been moved away and made again."""
        return self._file == _file_of(self._paths)

    def get(self) -> Catalog:
        """This thread's connection. Raises LibraryNotFoundError where there is no library."""
        catalog: Catalog | None = getattr(self._local, "catalog", None)
        if catalog is None:
            catalog = self._local.catalog = Catalog.open(self._paths.root, self._paths.frames)
            self._first = self._first or catalog  # while it is open, no other file is given the same number
        return catalog


def _file_of(paths: LibraryPaths) -> tuple[int, int] | None:
    try:
        facts = os.stat(paths.root / CATALOG_NAME)  # noqa: PTH116 - called for every search
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


class LibraryView:
    """What one commit holds, ready to be searched.

    `generation` says which model made the vectors, how many rows there are and how far the graph reaches.
    """

    def __init__(
        self,
        paths: LibraryPaths,
        readers: CatalogReaders,
        encoder: Encoder | None,
        commit: Commit,
        ef: int | None = None,
        note: Callable[[str], None] = _log.info,
        exact_below: int = EXACT_BELOW,
    ):
        """Open the commit's files; `encoder` None gives a view that can be looked at but not searched by words.

        `ef` is how widely the graph is searched; without it, as widely as the recall that was measured asks for.
        `note` is told where a search must wait for the index to be compiled. With fewer rows than `exact_below` the
        graph is not opened, and all of them are compared.

        Raises LibraryNotFoundError where nothing has been embedded, ModelMismatchError where `encoder` is not
        the one that made the vectors.
        """
        self.paths, self._readers, self.commit = paths, readers, commit
        self.generation = _require_rows(paths, readers, commit)
        if encoder is not None:
            require_same_model(self.generation.model, encoder.info)
        folder = paths.generation(self.generation.generation)
        self.store = EmbeddingStore(folder, self.generation.rows, self.generation.model.dim)
        self.index = self._open_index(folder, exact_below)
        self._note = note
        self._compiled: set[bool] = (
            set()
        )  # by whether there is a filter: each kind of search has code of its own
        self._queries: dict[str, F32] = {}
        self._queries_lock = threading.Lock()
        self._encoder = encoder
        self._facts: FrameFacts | None = None
        self._calibration: Calibration | None = None
        self._facts_lock = threading.Lock()
        catalog = readers.get()
        self.frame_count = catalog.frame_count()
        self.retriever = ImageRetriever(
            encoder or _NoEncoder(),
            self.index,
            self.store,
            CatalogMetadata(readers),
            ef=ef or self.generation.ef_search or DEFAULT_EF,
            removed=self.store.rows_of(catalog.removed_frames()),
        )

    def _open_index(self, folder: Path, exact_below: int) -> VectorIndex | None:
        if self.generation.index_file is None or self.generation.rows < exact_below:
            return None
        from semantic_media_search.index.hnsw import HNSWIndex  # Numba is slow to import: only when needed

        return HNSWIndex.load(folder / self.generation.index_file, self.store.vectors)

    @property
    def encoder(self) -> Encoder:
        """The encoder that made the vectors."""
        if self._encoder is None:
            raise ModelMismatchError("this view of the library was opened without its model")
        return self._encoder

    def encode_query(self, query: str) -> F32:
        """The vector of a query, float32 [D]; recent ones are remembered. Raises QueryError for an unusable one."""
        text = check_query(query)
        vector = self._queries.get(text)
        if vector is None:
            vector = self.encoder.encode_texts([text])[0]
            with self._queries_lock:
                while len(self._queries) >= _CACHED_QUERIES:
                    self._queries.pop(next(iter(self._queries)))
                self._queries[text] = vector
        return vector

    def search_text(
        self,
        query: str,
        k: int = 20,
        *,
        offset: int = 0,
        ef: int | None = None,
        allowed: BoolMask | None = None,
    ) -> list[SearchHit]:
        """Hits `offset` to `offset + k` for the words, best first; similarities are raw cosines."""
        return self.search_vector(self.encode_query(query), k, offset=offset, ef=ef, allowed=allowed)

    def search_vector(
        self,
        vector: F32,
        k: int = 20,
        *,
        offset: int = 0,
        ef: int | None = None,
        allowed: BoolMask | None = None,
    ) -> list[SearchHit]:
        """Hits for a vector float32 [D], as `search_text`."""
        found = self.nearest(vector, offset + k, ef=ef, allowed=allowed)[offset:]
        records = self.records([frame_id for frame_id, _ in found])
        return [SearchHit(records[frame_id], cosine) for frame_id, cosine in found if frame_id in records]

    def nearest(
        self, vector: F32, k: int, *, ef: int | None = None, allowed: BoolMask | None = None
    ) -> list[tuple[int, float]]:
        """The k best (frame_id, raw cosine) for a vector float32 [D], best first, without their records."""
        kind = allowed is not None
        if self.retriever.exact or kind in self._compiled:
            return self.retriever.search_vector(vector, k, ef=ef, allowed=allowed)
        with compiling(self._note):
            found = self.retriever.search_vector(vector, k, ef=ef, allowed=allowed)
        self._compiled.add(kind)
        return found

    def warm_up(self) -> None:
        """Do one search of each kind, so that none that is asked for has to wait for the index to be compiled."""
        vector = np.zeros(self.store.dim, dtype=np.float32)
        vector[0] = 1
        most, few = np.ones(self.store.rows, np.bool_), np.zeros(self.store.rows, np.bool_)
        few[:: max(1, self.store.rows // 50)] = True
        with compiling(self._note):
            for allowed in (None, most, few):
                self.retriever.search_vector(vector, 1, allowed=allowed)
        self._compiled |= {False, True}

    def similarities(self, vector: F32, frame_ids: Sequence[int] | I64) -> F32:
        """The exact raw cosine of each of these frames to a vector, float32; NaN where a frame has no vector."""
        wanted = np.asarray(frame_ids, dtype=np.int64)
        cosines = np.full(len(wanted), np.nan, dtype=np.float32)
        rows = np.minimum(np.searchsorted(self.store.frame_ids, wanted), self.store.rows - 1)
        present = self.store.frame_ids[rows] == wanted
        cosines[present] = np.asarray(self.store.vectors[rows[present]]) @ vector
        return cosines

    def vector_of(self, frame_id: int) -> F32 | None:
        """The stored vector of one frame, float32 [D], or None where it has none."""
        rows = self.store.rows_of([frame_id])
        return np.array(self.store.vectors[rows[0]]) if len(rows) else None

    def facts(self) -> FrameFacts:
        """What filters ask of each row; read on first use."""
        with self._facts_lock:
            if self._facts is None:
                self._facts = self._read_facts()
            return self._facts

    def _read_facts(self) -> FrameFacts:
        catalog = self._readers.get()
        with catalog.frozen():
            live, source_ids = catalog.live_owners()
            files = [FiledSource(*columns) for columns in catalog.filed_sources()]
        owners = np.full(self.store.rows, -1, dtype=np.int64)
        rows = np.minimum(np.searchsorted(self.store.frame_ids, live), self.store.rows - 1)
        present = self.store.frame_ids[rows] == live
        owners[rows[present]] = source_ids[present]
        return FrameFacts(self.store.frame_ids, owners, files)

    def background(self, vector: F32) -> Background:
        """How a query float32 [D] scores across the library."""
        facts = self.facts()
        with self._facts_lock:
            if self._calibration is None:
                live = np.flatnonzero(facts.source_of_row >= 0)
                model = known_model(self.generation.model.name)
                self._calibration = Calibration(
                    self.store.vectors, live, model.noise_cosine if model else 0.0
                )
        return self._calibration.background(vector)

    def frames(self, frame_ids: Sequence[int]) -> list[FrameRecord]:
        """The records of these frames; those that are not there (any more) are left out."""
        return self._readers.get().frames(frame_ids) if frame_ids else []

    def records(self, frame_ids: Sequence[int]) -> dict[int, FrameRecord]:
        """As `frames`, by frame_id."""
        return {record.frame_id: record for record in self.frames(frame_ids)}

    def instants(self, frame_ids: Sequence[int]) -> dict[int, Instant]:
        """What groups these frames, by frame_id; those that are not there (any more) are left out."""
        return self._readers.get().instants(frame_ids)

    def frame(self, frame_id: int) -> FrameRecord | None:
        """One frame's record, or None."""
        return self._readers.get().frame(frame_id)

    def video(self, video_id: str) -> Source | None:
        """The source that a video_id names, or None."""
        return self._readers.get().source_of_video(video_id)

    def frames_of_video(self, video_id: str) -> list[FrameRecord]:
        """The live frames of one video, in order of time."""
        source = self.video(video_id)
        if source is None or source.source_id is None:
            return []
        return self.frames(self._readers.get().frames_of(source.source_id))

    def instants_around(self, frame_ids: Sequence[int], reach: Sequence[int]) -> list[list[Instant]]:
        """For each of these frames the live ones of its source, up to `reach` before and after it, in order of time.

        Empty for a frame that is not there (any more).
        """
        near = [range(max(0, one - far), one + far + 1) for one, far in zip(frame_ids, reach, strict=True)]
        known = self.instants(sorted(set().union(*near)))
        return [
            [
                known[other]
                for other in around
                if other in known and known[other].source_id == known[frame_id].source_id
            ]
            if frame_id in known
            else []
            for frame_id, around in zip(frame_ids, near, strict=True)
        ]


class CatalogMetadata(Mapping[int, dict[str, object]]):
    """The catalogue as the mapping that `load_metadata` gives: {frame_id: record}."""

    def __init__(self, readers: CatalogReaders):
        self._readers = readers

    def __getitem__(self, frame_id: int) -> dict[str, object]:
        record = self._readers.get().frame(frame_id)
        if record is None:
            raise KeyError(frame_id)
        return record.to_json()

    def __iter__(self) -> Iterator[int]:
        return (frame.frame_id for frame in self._readers.get().live_frames())

    def __len__(self) -> int:
        return self._readers.get().frame_count()


class _NoEncoder:
    """Stands where a view was opened to be looked at, not searched."""

    def encode_texts(self, queries: Sequence[str]) -> F32:  # noqa: ARG002
        raise ModelMismatchError("this view of the library was opened without its model")


def require_same_model(made_by: ModelInfo, asked: ModelInfo) -> None:
    """Raise ModelMismatchError unless vectors of the two can be compared."""
    if made_by.fingerprint == asked.fingerprint and made_by.dim == asked.dim:
        return
    other = "" if made_by.name == asked.name else ", or leave --model away"
    raise ModelMismatchError(
        f"this library was made with {made_by.name} (version {made_by.version}), not with {asked.name} "
        f"(version {asked.version}); run `media-search index --model {asked.name}` to embed it anew{other}"
    )


def _require_rows(paths: LibraryPaths, readers: CatalogReaders, commit: Commit) -> Generation:
    if commit.generation is not None and commit.generation.rows:
        return commit.generation
    frames = readers.get().frame_count() if commit.next_frame else 0
    if not frames:
        raise LibraryNotFoundError(
            f"the library in {paths.root} holds no frames; run `media-search update YOUR_FOLDER` "
            "(or `python scripts/ingest_all.py`, then `python scripts/build_index.py`)"
        )
    raise LibraryNotFoundError(
        f"the library in {paths.root} has {frames} frames but no vectors yet; run `media-search index` "
        "(or `python scripts/build_index.py`)"
    )
