"""The one small protocol that every encoder meets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from semantic_media_search.records import F32, U8, ModelInfo


class Encoder(Protocol):
    """Puts pictures and words into one space, where cosine similarity means likeness.

    All rows returned are float32 and L2-normalised. Encoders may be called from several threads.
    """

    @property
    def name(self) -> str:
        """What the person calls the model, e.g. `openai/clip-vit-base-patch32`."""
        ...

    @property
    def dim(self) -> int:
        """D, the length of a vector."""
        ...

    @property
    def info(self) -> ModelInfo:
        """Name, version and fingerprint: what a library remembers of the model that made it."""
        ...

    @property
    def decode_side(self) -> int:
        """The shorter side, in pixels, below which a picture must not be decoded at reduced scale."""
        ...

    def encode_images(self, paths: Sequence[str | Path]) -> F32:
        """Vectors of image files: float32 [B, D]. Raises a MediaError naming the file that cannot be read."""
        ...

    def encode_pixels(self, images: Sequence[U8]) -> F32:
        """Vectors of decoded pictures, each upright RGB uint8 [H, W, 3]: float32 [B, D]."""
        ...

    def encode_texts(self, queries: Sequence[str]) -> F32:
        """Vectors of texts: float32 [B, D]."""
        ...
