"""What every test gets: no settings from outside, no network, and no error that goes by unseen in a log."""

import logging
import os
from collections.abc import Iterator

import pytest

from sample_media import sample_media
from semantic_media_search.config import Settings
from semantic_media_search.embeddings import load_encoder
from semantic_media_search.library import Library


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test depends on nothing that the person has set, and never asks a model hub by accident."""
    for name in list(os.environ):
        if name.startswith("MEDIA_SEARCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _no_logged_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A test during which something logs an ERROR fails."""
    yield
    for phase in ("setup", "call"):
        errors = [
            record.getMessage() for record in caplog.get_records(phase) if record.levelno >= logging.ERROR
        ]
        assert not errors


@pytest.fixture(scope="session")
def validation_library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The plan's validation set: the sample media, videos sampled four times a second, by the starter model."""
    settings = Settings(
        library=tmp_path_factory.mktemp("validation"), fps=4.0, duplicate_threshold=0, threads=2
    )
    library = Library(settings, lambda name: load_encoder(name, threads=2))
    library.add_roots([sample_media()])
    library.ingest()
    library.build_index("starter")
    return library
