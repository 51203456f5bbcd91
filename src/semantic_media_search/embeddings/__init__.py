"""Frames and words -> vectors of one space. Importing this package loads no model library."""

from semantic_media_search.embeddings.catalog import DEFAULT_MODEL, KNOWN_MODELS, STARTER_MODEL, KnownModel
from semantic_media_search.embeddings.choice import ModelChoice
from semantic_media_search.embeddings.encoder import Encoder
from semantic_media_search.embeddings.hub import Hub
from semantic_media_search.embeddings.loading import ModelStatus, choose_model, list_models, load_encoder
from semantic_media_search.embeddings.onnx_encoder import OnnxEncoder

__all__ = [
    "DEFAULT_MODEL",
    "KNOWN_MODELS",
    "STARTER_MODEL",
    "Encoder",
    "Hub",
    "KnownModel",
    "ModelChoice",
    "ModelStatus",
    "OnnxEncoder",
    "choose_model",
    "list_models",
    "load_encoder",
]
