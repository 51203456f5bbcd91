"""What the API's tests get: a library that no test changes, and the means to make others."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from colour_library import ENCODERS, client_of, embed, fill
from semantic_media_search.config import Settings
from semantic_media_search.library import Library


@pytest.fixture(scope="session")
def shared_library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library that no test changes."""
    root = tmp_path_factory.mktemp("shared")
    library = Library(Settings(library=root / "library", threads=2), ENCODERS.__getitem__)
    library.add_roots([fill(root / "photos")])
    embed(library)
    return library


@pytest.fixture
def client(shared_library: Library) -> Iterator[TestClient]:
    with client_of(shared_library) as client:
        yield client


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Library]:
    def make_library(**changes: object) -> Library:
        settings = Settings(library=tmp_path / "library", threads=2, **changes)  # type: ignore[arg-type]
        return Library(settings, ENCODERS.__getitem__)

    return make_library
