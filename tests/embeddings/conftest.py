"""Models for the tests of the encoders, made once a session."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from clip_export import Oracle, export_random_clip
from semantic_media_search.embeddings import fingerprint


@pytest.fixture(scope="session", autouse=True)
def _no_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing here may ask a model hub, nor read or write the caches of the person who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf_home")))
        notes = tmp_path_factory.mktemp("cache")
        patch.setattr(fingerprint, "cache_folder", lambda: notes)
        yield


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    """A CLIP model of one small layer a tower and 16 dimensions, with random weights."""
    return export_random_clip(tmp_path_factory.mktemp("tiny_clip"), tiny=True)


@pytest.fixture(scope="session")
def clip_vit_b32(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    """The architecture of the default model, with random weights."""
    return export_random_clip(tmp_path_factory.mktemp("clip_vit_b32"), tiny=False)


@pytest.fixture
def copied(tiny_clip: Oracle, tmp_path: Path) -> Path:
    """A copy of the tiny model's folder that a test may change."""
    return Path(shutil.copytree(tiny_clip.folder, tmp_path / "model"))
