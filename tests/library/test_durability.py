"""What a commit names is on the disk before the commit is: the files, then their names, once a commit."""

import os
from pathlib import Path

import pytest

from colour_library import painted
from fakes import COLOURS
from semantic_media_search.ingest.catalog import Catalog
from semantic_media_search.library import Library, ingest_run

PHOTOS = len(COLOURS)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return painted(tmp_path)


@pytest.fixture
def order(library: Library, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is brought to the disk, by its path in the library, and each commit, in their order."""
    order: list[str] = []
    sync, commit = os.fsync, Catalog.add_commit

    def fsync(descriptor: int) -> None:
        number = os.fstat(descriptor).st_ino
        root = library.paths.root
        order.extend(
            path.relative_to(root).as_posix()
            for path in (root, *root.rglob("*"))
            if path.exists() and path.stat().st_ino == number and not path.name.endswith((".dat", ".bin"))
        )
        sync(descriptor)

    def add_commit(self: Catalog, next_frame: int, generation: int | None) -> int:
        order.append(f"commit {next_frame}")
        return commit(self, next_frame, generation)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Catalog, "add_commit", add_commit)
    return order


def test_frames_are_on_the_disk_before_the_commit_that_counts_them(
    library: Library, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_run, "COMMIT_FRAMES", 2)
    library.ingest()
    for next_frame in range(2, PHOTOS + 1, 2):
        committed = order.index(f"commit {next_frame}")
        since = order[order.index(f"commit {next_frame - 2}") if next_frame > 2 else 0 : committed]
        named = since.index("frames")
        assert {f"frames/{next_frame - 2}.jpg", f"frames/{next_frame - 1}.jpg"} <= set(since[:named])
        assert since.count("frames") == 1, "once a commit, not once a file"


def test_vectors_and_graph_have_their_names_before_the_commit(library: Library, order: list[str]) -> None:
    library.ingest()
    order.clear()
    library.build_index("colours")
    commits = [at for at, what in enumerate(order) if what.startswith("commit")]
    assert len(commits) == 2
    rows, graph = order[: commits[0]], order[commits[0] : commits[1]]
    assert {"generations/0001", "generations", "."} <= set(rows)
    assert "generations/0001" in graph
