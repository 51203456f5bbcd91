"""Frames and words -> vectors of one space. Importing this package loads no model library."""

from pathlib import Path

from semantic_media_search.embeddings.catalog import KNOWN_MODELS, KnownModel, known_model, known_names
from semantic_media_search.embeddings.encoder import Encoder
from semantic_media_search.embeddings.hub_cache import Hub, RepoCache
from semantic_media_search.embeddings.onnx_encoder import OnnxEncoder
from semantic_media_search.errors import ModelNotFoundError

__all__ = [
    "KNOWN_MODELS",
    "Encoder",
    "Hub",
    "KnownModel",
    "OnnxEncoder",
    "load_encoder",
]


def load_encoder(
    name_or_path: str | Path,
    *,
    threads: int = 0,
    hub: Hub | None = None,
) -> Encoder:
    """The encoder of this name, or of the model folder at this path.

    `threads` 0 means as many as the process may use. Raises ModelNotFoundError and ModelLayoutError.
    """
    name = str(name_or_path)
    model = known_model(name)
    if model is None:
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise ModelNotFoundError(
                f"no model is called {name!r} and no folder lies there; known models are {known_names()}"
            )
        return OnnxEncoder(folder, threads=threads)
    if model.folder is not None:
        return OnnxEncoder(model.folder, name=model.name, threads=threads)
    assert model.repo is not None
    cached = RepoCache.of(hub or Hub.from_environment(), model.repo).complete_snapshot()
    if cached is None:
        raise ModelNotFoundError(f"{name} is not in the cache")
    return OnnxEncoder(cached, name=model.name, version=cached.name[:12], threads=threads)
