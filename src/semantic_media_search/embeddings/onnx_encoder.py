"""The one code path that every model goes through: an ONNX export on ONNX Runtime."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from semantic_media_search.embeddings.model_folder import ModelFolder
from semantic_media_search.embeddings.runtime import Session, usable_cores
from semantic_media_search.embeddings.tokenization import TextTokenizer, pad
from semantic_media_search.errors import ModelError
from semantic_media_search.records import F32, U8, ModelInfo

CPU_BATCH = 8
GPU_BATCH = 64
TEXT_BATCH = 32

_TOO_SHORT = 1e-12  # an embedding of this norm has no direction

S = TypeVar("S")


class OnnxEncoder:
    """Puts pictures and words into one space with the two towers of an ONNX export (see `model_folder`).

    Each tower is loaded when it is first used, so that a query never waits for the vision model. All methods
    may be called from several threads. A batch of pictures goes through the model on one core, several batches
    side by side: unlike several cores that share each step of one batch, they never wait for one another, nor for
    whatever else the cores do (docs/decisions/0304).
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str | None = None,
        version: str | None = None,
        threads: int = 0,
        batch_size: int | None = None,
    ) -> None:
        """Check the folder's layout; nothing heavy is loaded yet.

        `name` is what the person calls the model (default: the folder's path), `version` what it is known as
        (default: what the folder says). `threads` 0 means as many as the process may use. `batch_size` is how
        many pictures go through the model at once; None means 8 on a CPU, 64 on a GPU.

        Raises ModelNotFoundError and ModelLayoutError.
        """
        self._folder = ModelFolder.open(folder)
        self._name = name or str(folder.resolve())
        self._version = version
        self._threads = threads or usable_cores()
        self._batch_size = batch_size
        self._dim = self._folder.dim
        self._preprocess = self._folder.preprocessor
        self._loading = threading.RLock()
        self._vision: Session | None = None
        self._text: tuple[TextTokenizer, Session] | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return self._dim

    @cached_property
    def info(self) -> ModelInfo:
        """Name, version, fingerprint and dimension; the first call may read the model's files once."""
        version = self._version or self._folder.version
        return ModelInfo(self._name, version, self._folder.fingerprint, self._dim)

    @property
    def decode_side(self) -> int:
        return self._preprocess.decode_side

    @property
    def image_batch(self) -> int:
        """How many pictures go through the model at once."""
        return self._batch_size or (GPU_BATCH if self._vision_session().on_gpu else CPU_BATCH)

    def encode_images(self, paths: Sequence[str | Path]) -> F32:
        """Vectors of image files: float32 [B, D], L2-normalised.

        Raises a MediaError that names the file.
        """
        from semantic_media_search.media.decode import load_image

        def load(chunk: Sequence[str | Path]) -> Iterator[U8]:
            return (load_image(Path(path), min_short_side=self.decode_side) for path in chunk)

        return self._embed_batches(paths, load)

    def encode_pixels(self, images: Sequence[U8]) -> F32:
        """Vectors of decoded pictures, each upright RGB uint8 [H, W, 3]: float32 [B, D], L2-normalised."""
        return self._embed_batches(images, iter)

    def encode_texts(self, queries: Sequence[str]) -> F32:
        """Vectors of texts: float32 [B, D], L2-normalised. What is too long for the model loses its end."""
        if isinstance(queries, str):
            raise TypeError("encode_texts takes a list of texts; put the one text into a list")
        if not queries:
            return self._empty()
        tokenizer, session = self._text_tower()
        ids = tokenizer(queries)
        rows = np.empty((len(ids), self._dim), dtype=np.float32)
        for batch in _text_batches(
            [len(row) for row in ids], same_length="attention_mask" not in session.input_names
        ):
            rows[batch] = self._embed_ids(session, [ids[i] for i in batch])
        return rows

    def _embed_batches(self, items: Sequence[S], load: Callable[[Sequence[S]], Iterator[U8]]) -> F32:
        """Unit rows [B, D] of what `load` makes pictures of, batch by batch on as many threads as there may be."""
        if not items:
            return self._empty()
        batch = self.image_batch
        batches = [items[start : start + batch] for start in range(0, len(items), batch)]

        def embed(some: Sequence[S]) -> F32:
            # One picture at a time is held whole; what goes into the model is small.
            pixels = np.concatenate([self._preprocess([image]) for image in load(some)])
            rows = self._vision_session().run("image_embeds", {"pixel_values": pixels})
            return self._unit_rows(rows, len(some))

        if len(batches) == 1:
            return embed(batches[0])

        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(self._threads, len(batches)), thread_name_prefix="encode") as pool:
            return np.concatenate(list(pool.map(embed, batches)))

    def _embed_ids(self, session: Session, ids: Sequence[Sequence[int]]) -> F32:
        """Token ids of B texts -> unit rows [B, D]."""
        padded, mask = pad(ids)
        feed = {"input_ids": padded, "attention_mask": mask, "token_type_ids": np.zeros_like(padded)}
        feed = {key: value for key, value in feed.items() if key in session.input_names}
        return self._unit_rows(session.run("text_embeds", feed), len(ids))

    def _unit_rows(self, rows: F32, count: int) -> F32:
        """L2-normalise what a tower gave. Raises ModelError where it is not finite or of another shape."""
        if rows.shape != (count, self._dim):
            raise ModelError(
                f"{self._name} gave an array of shape {rows.shape} where config.json says "
                f"({count}, {self._dim}); the model's files do not belong together"
            )
        rows = rows.astype(np.float32, copy=False)
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or norms.min() < _TOO_SHORT:
            raise ModelError(
                f"{self._name} gave vectors that are not finite or zero; its weights are damaged"
            )
        unit: F32 = rows / norms
        return unit

    def _vision_session(self) -> Session:
        """The vision tower, loaded on first use."""
        with self._loading:
            if self._vision is None:
                session = Session(self._folder.vision_model, threads=1)
                session.require(inputs={"pixel_values"}, known_inputs={"pixel_values"}, output="image_embeds")
                self._vision = session
            return self._vision

    def _text_tower(self) -> tuple[TextTokenizer, Session]:
        """The tokenizer and the text tower, loaded on first use."""
        with self._loading:
            if self._text is None:
                tokenizer = TextTokenizer(self._folder.tokenizer, self._folder.max_text_length)
                # Encoding a query is followed by the search, which needs the cores.
                session = Session(self._folder.text_model, threads=self._threads, spinning=False)
                known = {"input_ids", "attention_mask", "token_type_ids"}
                session.require(inputs={"input_ids"}, known_inputs=known, output="text_embeds")
                self._text = (tokenizer, session)
            return self._text

    def _empty(self) -> F32:
        return np.empty((0, self._dim), dtype=np.float32)


def _text_batches(lengths: Sequence[int], *, same_length: bool) -> Iterator[list[int]]:
    """Indices of texts to go through the model together, of like length so that little is padded.

    `same_length` allows no padding at all, for graphs that take no attention mask.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) == TEXT_BATCH or (same_length and lengths[index] != lengths[batch[0]])):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
