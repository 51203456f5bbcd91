"""Frames in, rows of the embedding store out, in frame_id order."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from semantic_media_search.embeddings.encoder import Encoder
from semantic_media_search.ingest.catalog import Generation
from semantic_media_search.library.writer import LibraryWriter, with_rows
from semantic_media_search.records import F32, U8


class Embedder:
    """Encodes frames in batches, `threads` of them at once beside the caller's own work, and appends the rows.

    `generation` counts only the rows of the last `flush`; the caller commits it.
    """

    def __init__(
        self, writer: LibraryWriter, generation: Generation, encoder: Encoder, batch_size: int, threads: int
    ):
        self.generation = generation
        self._encoder = encoder
        self._batch_size = batch_size
        self._rows = writer.embedding_writer(generation)
        self._batch: list[tuple[int, U8]] = []
        self._running: list[tuple[Sequence[int], Future[F32]]] = []
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="embed")

    def add(self, frame_id: int, pixels: U8) -> None:
        """Take one frame, upright RGB uint8 [H, W, 3]; ids ascend from call to call."""
        self._batch.append((frame_id, pixels))
        if len(self._batch) == self._batch_size:
            self._encode()

    def flush(self) -> Generation:
        """Encode what is waiting and bring all rows to the disk: the generation as it may now be committed."""
        if self._batch:
            self._encode()
        self._write_down_to(0)
        self._rows.flush()
        self.generation = with_rows(self.generation, self._rows.rows)
        return self.generation

    def _encode(self) -> None:
        frame_ids = [frame_id for frame_id, _ in self._batch]
        pictures = [pixels for _, pixels in self._batch]
        self._batch = []
        self._running.append((frame_ids, self._pool.submit(self._encoder.encode_pixels, pictures)))
        self._write_down_to(2 * self._threads)

    def _write_down_to(self, left: int) -> None:
        while len(self._running) > left:
            frame_ids, vectors = self._running.pop(0)
            self._rows.append(frame_ids, vectors.result())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._rows.close()
