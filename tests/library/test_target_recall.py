"""`target_recall`: the library chooses ef by it, keeps it, and measures again when something has changed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import ColourEncoder, Noting, paint
from semantic_media_search.config import Settings
from semantic_media_search.errors import ModelNotFoundError
from semantic_media_search.ingest.catalog import CATALOG_NAME, Generation
from semantic_media_search.library import Library, index_run
from semantic_media_search.library.progress import Silent


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """(rows, target) of each measurement; recall 0.9 is the most that there is, and ef follows the target."""
    seen: list[tuple[int, float]] = []

    def choose_ef(index, exact, queries, k: int, target: float) -> tuple[int, float]:
        assert len(index) == len(exact)
        assert len(queries) == 160
        seen.append((len(index), target))
        return int(100 * target) + len(index), min(target, 0.9)

    monkeypatch.setattr(index_run, "choose_ef", choose_ef)
    return seen


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Library]:
    for number, colour in enumerate(["red", "green", "blue"]):
        paint(tmp_path / "photos" / f"{number}.png", colour, seed=number)

    def library(**changes: object) -> Library:
        settings = Settings(library=tmp_path / "library", threads=1, **changes)  # type: ignore[arg-type]
        library = Library(settings, lambda name: ColourEncoder())
        library.add_roots([tmp_path / "photos"])
        return library

    return library


def run(library: Library, progress: Silent | None = None) -> Generation:
    library.ingest()
    return library.build_index("colours", progress).generation


def test_the_chosen_ef_is_kept_and_read_again(
    make: Callable[..., Library], measured: list[tuple[int, float]]
) -> None:
    run(make(target_recall=0.8))
    again = make(target_recall=0.8).view()
    held = again.generation
    assert (held.ef_search, held.recall, held.target_recall) == (83, 0.8, 0.8)
    assert again.retriever.ef == 83
    assert make(ef_search=7).view().retriever.ef == 7, "an explicit ef wins"


def test_it_is_measured_again_as_the_library_grows_and_not_without_need(
    make: Callable[..., Library], measured: list[tuple[int, float]], tmp_path: Path
) -> None:
    library = make(target_recall=0.8)
    run(library)
    run(library)
    assert measured == [(3, 0.8)]
    paint(tmp_path / "photos" / "more.png", "yellow", seed=9)
    assert run(library).ef_search == 84
    assert measured == [(3, 0.8), (4, 0.8)]


def test_another_target_is_honoured_without_new_rows(
    make: Callable[..., Library], measured: list[tuple[int, float]]
) -> None:
    before = run(make(target_recall=0.8))
    after = run(make(target_recall=0.5))
    assert (after.ef_search, after.target_recall) == (53, 0.5)
    assert after.index_file == before.index_file, "the graph stays as it is"
    assert make().view().generation == after


def test_a_target_that_is_not_reached_is_said(
    make: Callable[..., Library], measured: list[tuple[int, float]]
) -> None:
    progress = Noting()
    run(make(target_recall=0.8), progress)
    assert not [note for note in progress.notes if "recall" in note]
    run(make(target_recall=0.95), progress)
    assert "0.95, is not reached: searches look at 98 candidates" in progress.notes[-1]


def test_building_tells_how_many_rows_are_done(
    make: Callable[..., Library], measured: list[tuple[int, float]], tmp_path: Path
) -> None:
    """Of those that are to be linked: where the graph grows, that is the new ones."""
    measuring = ["Measuring recall", None, 0, True]
    progress = Noting()
    run(make(), progress)
    assert progress.stages[-2:] == [["Building the index", 3, 3, True], measuring]
    paint(tmp_path / "photos" / "more.png", "yellow", seed=9)
    run(make(), progress)
    assert progress.stages[-2:] == [["Building the index", 1, 1, True], measuring]
    run(make(target_recall=0.5), progress)
    assert progress.stages[-1] == progress.stages[-2] == measuring


def test_a_catalogue_made_before_targets_were_kept(
    make: Callable[..., Library], measured: list[tuple[int, float]]
) -> None:
    library = make(target_recall=0.8)
    run(library)
    with sqlite3.connect(library.paths.root / CATALOG_NAME) as catalog:
        catalog.execute("ALTER TABLE generations DROP COLUMN target_recall")
    catalog.close()
    held = make().view().generation
    assert (held.ef_search, held.target_recall) == (83, None)
    run(make(target_recall=0.8))
    assert make().view().generation.ef_search == 83


@pytest.mark.parametrize("gone", ["not there", "another version"])
def test_compact_without_the_model_leaves_measuring_to_the_next_run(
    make: Callable[..., Library], measured: list[tuple[int, float]], tmp_path: Path, gone: str
) -> None:
    run(make(target_recall=0.8))
    (tmp_path / "photos" / "1.png").unlink()
    library = make(target_recall=0.8)
    library.ingest()

    def load(name: str) -> ColourEncoder:
        if gone == "not there":
            raise ModelNotFoundError(f"no model is called {name}")
        return ColourEncoder(name, "07be2")

    progress = Noting()
    compacted = Library(library.settings, load).compact(progress)
    assert compacted.frames == 1
    assert "Recall is not measured this time" in progress.notes[0]
    held = library.view().generation
    assert (held.rows, held.indexed_rows, held.ef_search, held.recall) == (2, 2, 83, None)
    assert len(library.view().search_text("red", 5)) == 2
    assert library.doctor(repair=False) == []
    assert measured == [(3, 0.8)]
    assert run(library).recall == 0.8
    assert measured == [(3, 0.8), (2, 0.8)]
