"""From a model's name, or a folder's path, to an encoder."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_media_search.embeddings import choice
from semantic_media_search.embeddings.catalog import KNOWN_MODELS, KnownModel, known_model, known_names
from semantic_media_search.embeddings.hub import Hub, RepoCache
from semantic_media_search.embeddings.model_folder import REQUIRED_FILES
from semantic_media_search.embeddings.onnx_encoder import OnnxEncoder
from semantic_media_search.errors import ModelNotFoundError

if TYPE_CHECKING:
    from semantic_media_search.embeddings.download import DownloadProgress


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A known model, and the folder where it lies on this machine; None where it must be downloaded first."""

    model: KnownModel
    folder: Path | None

    @property
    def cached(self) -> bool:
        """Whether the model can be used without any network."""
        return self.folder is not None


def load_encoder(
    name_or_path: str | Path,
    *,
    threads: int = 0,
    batch_size: int | None = None,
    progress: "DownloadProgress | None" = None,
    offline: bool = False,
    hub: Hub | None = None,
) -> OnnxEncoder:
    """The encoder of a known model, or of a model folder; downloaded first where it must be.

    A model that is in the cache needs no network. `threads` 0 means as many as the process may use,
    `batch_size` None as many pictures at once as suit the device; `progress` is told about a download,
    `offline` forbids one. `hub` None means what the environment says.

    Raises ModelNotFoundError for an unknown name, ModelLayoutError for a folder laid out otherwise,
    HubUnreachableError where a download is needed and cannot be had, ModelError where the disk is full.
    """
    name = str(name_or_path)
    model = known_model(name)
    if model is None:
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise ModelNotFoundError(
                f"no model is called {name!r} and no folder lies there; known models are {known_names()}"
            )
        return OnnxEncoder(folder, threads=threads, batch_size=batch_size)
    if model.repo is None:
        assert model.folder is not None, "a known model has a repository or a folder"
        return OnnxEncoder(model.folder, name=model.name, threads=threads, batch_size=batch_size)
    hub = hub or Hub.from_environment()
    if offline:
        hub = replace(hub, offline=True)
    cached = RepoCache.of(hub, model.repo).complete_snapshot()
    if cached is None:
        # The network's modules are for those who need them: most starts find the model in its place.
        from semantic_media_search.embeddings.download import download_model

        cached = download_model(model.name, model.repo, hub, progress)
    version = cached.name[:12]
    return OnnxEncoder(cached, name=model.name, version=version, threads=threads, batch_size=batch_size)


def list_models(hub: Hub | None = None) -> list[ModelStatus]:
    """Every known model, and whether it is on this machine."""
    hub = hub or Hub.from_environment()
    return [ModelStatus(model, _local_folder(model, hub)) for model in KNOWN_MODELS]


def choose_model(
    requested: str | None, library_model: str | None, *, hub: Hub | None = None
) -> choice.ModelChoice:
    """Which model to use (see `choice`), asking the hub for 5 seconds at most and only where it matters."""
    hub = hub or Hub.from_environment()

    def is_cached(name: str) -> bool:
        model = known_model(name)
        return model is not None and _local_folder(model, hub) is not None

    def probe(name: str) -> None:
        from semantic_media_search.embeddings.hub_client import HubClient

        model = known_model(name)
        if model is not None and model.repo is not None:
            HubClient(model.name, model.repo, hub).probe()

    return choice.choose_model(requested, library_model, is_cached=is_cached, probe=probe)


def _local_folder(model: KnownModel, hub: Hub) -> Path | None:
    """Where a known model lies on this machine, whole; None where it does not."""
    if model.repo is not None:
        return RepoCache.of(hub, model.repo).complete_snapshot()
    assert model.folder is not None, "a known model has a repository or a folder"
    return model.folder if all((model.folder / name).is_file() for name in REQUIRED_FILES) else None
