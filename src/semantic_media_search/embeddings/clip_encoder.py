"""The plan's two functions, on the default model."""

from functools import cache

import numpy as np

from semantic_media_search.embeddings import load_encoder
from semantic_media_search.embeddings.catalog import DEFAULT_MODEL
from semantic_media_search.embeddings.encoder import Encoder


@cache
def default_encoder() -> Encoder:
    """The default model, loaded once in a process."""
    return load_encoder(DEFAULT_MODEL)


def encode_images(image_paths: list[str]) -> np.ndarray:
    """Vectors of image files by the default model: float32 [B, D], L2-normalised.

    Raises a MediaError that names the file, HubUnreachableError where the model cannot be had.
    """
    return default_encoder().encode_images(image_paths)


def encode_texts(queries: list[str]) -> np.ndarray:
    """Vectors of texts by the default model: float32 [B, D], L2-normalised.

    Raises HubUnreachableError where the model cannot be had.
    """
    return default_encoder().encode_texts(queries)
