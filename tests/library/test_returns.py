"""Files that go, come back, change in between; runs that end half-way: what is searched is what is there."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from fakes import ColourEncoder, film, paint
from semantic_media_search.config import Settings
from semantic_media_search.errors import LibraryNotFoundError
from semantic_media_search.library import Library, absences, index_run, ingest_run
from semantic_media_search.library.progress import Silent
from semantic_media_search.library.writer import LibraryWriter

ENCODERS = {"colours": ColourEncoder(), "other": ColourEncoder("other", "07be2")}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, colour in enumerate(["red", "green", "blue"]):
        paint(tmp_path / "photos" / f"{colour}.png", colour, seed=number)
    return tmp_path / "photos"


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Library:
    library = Library(Settings(library=tmp_path / "library", threads=1), ENCODERS.__getitem__)
    library.add_roots([photos])
    library.update("colours")
    return library


def _found(library: Library) -> Counter[str]:
    return Counter(Path(hit.frame.source_path).stem for hit in library.view().search_text("red", 50))


def _published(library: Library) -> list[int]:
    lines = library.paths.metadata.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["frame_id"] for line in lines]


def test_an_edited_photo_that_is_renamed_is_found_once(library: Library, photos: Path) -> None:
    paint(photos / "red.png", "yellow")
    library.update("colours")
    (photos / "red.png").rename(photos / "renamed.png")
    assert library.update("colours")[0].moved == 1
    assert _found(library) == Counter(["renamed", "green", "blue"])
    best = library.view().search_text("yellow", 1)[0]
    assert Path(best.frame.source_path).stem == "renamed"


@pytest.mark.parametrize("anew", ["model", "rebuild"])
def test_a_photo_that_was_away_while_vectors_were_made_anew(
    library: Library, photos: Path, anew: str
) -> None:
    away = (photos / "blue.png").rename(photos.parent / "away.png")
    library.update("colours")
    model = "other" if anew == "model" else "colours"
    library.build_index(model, rebuild=anew == "rebuild")
    away.rename(photos / "blue.png")
    library.update(model)
    assert _found(library) == Counter(["red", "green", "blue"])
    assert library.status().pending_frames == 0
    assert library.doctor(repair=False) == []


def test_a_photo_that_was_away_while_others_were_embedded(tmp_path: Path, photos: Path) -> None:
    library = Library(Settings(library=tmp_path / "other", threads=1), ENCODERS.__getitem__)
    library.add_roots([photos])
    library.ingest()
    away = (photos / "blue.png").rename(photos.parent / "away.png")
    library.ingest()
    away.rename(photos / "blue.png")
    library.update("colours")
    assert _found(library) == Counter(["red", "green", "blue"])


def test_a_damaged_photo_stays_one_when_it_comes_back(library: Library, photos: Path) -> None:
    damaged = photos / "damaged.jpg"
    damaged.write_bytes(b"\xff\xd8\xff no picture")
    assert len(library.update("colours")[0].skipped) == 1
    away = damaged.rename(photos.parent / "away.jpg")
    assert library.update("colours")[0].skipped == []
    away.rename(damaged)
    assert len(library.update("colours")[0].skipped) == 1
    damaged.rename(photos / "elsewhere.jpg")
    assert [Path(skipped.path).name for skipped in library.update("colours")[0].skipped] == ["elsewhere.jpg"]


def test_metadata_is_mended_after_a_run_that_ended_before_it_was_written(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "red.png").unlink()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ingest_run, "publish", interrupted)
        library.update("colours")
    library.update("colours")
    assert _published(library) == [0, 1]


def test_nobody_waits_while_a_moved_file_is_recognised(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read as a whole, which for a film takes a while."""
    (photos / "red.png").rename(photos / "renamed.png")
    whole = absences.content_hash
    hashed: list[str] = []

    def content_hash(path: str) -> str:
        with closing(sqlite3.connect(library.paths.root / "catalog.sqlite", timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")
        hashed.append(Path(path).name)
        return whole(path)

    monkeypatch.setattr(absences, "content_hash", content_hash)
    assert library.update("colours")[0].moved == 1
    assert hashed == ["renamed.png"]


def test_no_number_is_given_twice(library: Library, photos: Path) -> None:
    """What was cleared away keeps its frame_id and its video_id: a link that someone kept leads to nothing else."""
    film(photos / "first.mp4", ["red", "black"])
    library.update("colours")
    (photos / "first.mp4").unlink()
    library.update("colours")
    library.compact()
    film(photos / "second.mp4", ["green", "white"])
    library.update("colours")
    lines = map(json.loads, library.paths.metadata.read_text(encoding="utf-8").splitlines())
    films = [(line["frame_id"], line["video_id"]) for line in lines if line["kind"] == "video"]
    assert films == [(5, "vid_02"), (6, "vid_02")]


def test_compact_finishes_what_an_interrupted_one_left(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "red.png").unlink()
    library.update("colours")

    def interrupted(_: LibraryWriter) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(LibraryWriter, "remove_stray_frames", interrupted)
        library.compact()
    assert library.paths.frame(2).exists()
    findings = library.doctor(repair=False)
    assert "frames that no commit names: 1" in [finding.problem for finding in findings]
    assert library.compact().bytes_freed > 0
    assert not library.paths.frame(2).exists()
    assert _published(library) == [0, 1]
    assert library.doctor(repair=False) == []


def test_the_spelling_of_the_library_does_not_matter(
    library: Library, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = Library(Settings(library=Path("library"), threads=1), ENCODERS.__getitem__)
    assert relative.doctor(repair=False) == []
    paint(photos / "white.png", "white")
    relative.update("colours")
    lines = library.paths.metadata.read_text(encoding="utf-8").splitlines()
    assert {os.path.dirname(json.loads(line)["frame_path"]) for line in lines} == {  # noqa: PTH120
        (tmp_path / "library" / "frames").as_posix()
    }


@pytest.mark.parametrize("work", [Library.compact, lambda library: library.build_index("colours")])
def test_no_library_is_made_where_one_was_to_be_worked_on(
    tmp_path: Path, work: Callable[[Library], object]
) -> None:
    nowhere = Library(Settings(library=tmp_path / "nowhere"), ENCODERS.__getitem__)
    with pytest.raises(LibraryNotFoundError):
        work(nowhere)
    assert not (tmp_path / "nowhere").exists()


def test_doctor_tells_of_what_a_repair_took_away(library: Library) -> None:
    generation = library.commit().generation
    assert generation is not None
    vectors = library.paths.generation(generation.generation) / "embeddings.dat"
    with vectors.open("r+b") as file:
        file.write(b"\xff" * 8)
    assert any("media-search index" in finding.remedy for finding in library.doctor(repair=True))
    assert [finding.problem for finding in library.doctor(repair=True)] == [
        "none of its 3 frames has a vector"
    ]
    library.build_index("colours")
    assert library.doctor(repair=False) == []
    assert _found(library) == Counter(["red", "green", "blue"])


class StopsAfter(Silent):
    """A person who presses Ctrl-C when so many frames were embedded."""

    def __init__(self, frames: int):
        self.left = frames

    def advance(self, amount: int = 1) -> None:
        self.left -= amount
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.fixture
def half_embedded(library: Library, monkeypatch: pytest.MonkeyPatch, anew: str) -> Callable[[], int]:
    """Two of three frames embedded anew, then interrupted; gives a function that goes on, and says how many it did."""
    model = "other" if anew == "model" else "colours"
    monkeypatch.setattr(index_run, "COMMIT_ROWS", 1)
    with pytest.raises(KeyboardInterrupt):
        library.build_index(model, StopsAfter(2), rebuild=anew == "rebuild")
    return lambda: library.build_index(model, rebuild=anew == "rebuild").embedded


@pytest.mark.parametrize("anew", ["model", "rebuild"])
def test_vectors_made_anew_until_interrupted_are_kept(
    library: Library, half_embedded: Callable[[], int], photos: Path, anew: str
) -> None:
    library.update("colours")
    (begun,) = library.status().unfinished
    assert begun.rows == 2
    paint(photos / "white.png", "white")
    library.update("colours")
    assert half_embedded() == 2
    assert library.status().unfinished == []
    assert _found(library) == Counter(["red", "green", "blue", "white"])
    assert len(list((library.paths.root / "generations").iterdir())) == 1
    assert library.doctor(repair=False) == []


@pytest.mark.parametrize("anew", ["model", "rebuild"])
def test_a_photo_comes_back_while_vectors_are_made_anew(
    library: Library, photos: Path, anew: str, request: pytest.FixtureRequest
) -> None:
    """Behind its place there are rows already: they are made once more."""
    away = (photos / "blue.png").rename(photos.parent / "away.png")
    library.update("colours")
    paint(photos / "yellow.png", "yellow")
    library.update("colours")
    go_on: Callable[[], int] = request.getfixturevalue("half_embedded")
    away.rename(photos / "blue.png")
    library.update("colours")
    assert go_on() == 4
    assert _found(library) == Counter(["red", "green", "blue", "yellow"])
    assert library.doctor(repair=False) == []


@pytest.mark.parametrize("anew", ["model", "rebuild"])
def test_compact_drops_vectors_that_were_begun(
    library: Library, half_embedded: Callable[[], int], anew: str
) -> None:
    assert library.compact().bytes_freed > 0
    assert library.status().unfinished == []
    assert half_embedded() == 3
    assert library.doctor(repair=False) == []


def test_doctor_says_one_thing_to_do_about_vectors_that_were_cut_off(library: Library) -> None:
    generation = library.commit().generation
    assert generation is not None
    os.truncate(library.paths.generation(generation.generation) / "embeddings.dat", 100)
    (finding,) = library.doctor(repair=False)
    assert "100 bytes where 768 were committed" in finding.problem
    assert "run" not in finding.problem
    assert finding.remedy == (
        "run `media-search doctor`; then `media-search index` to compute the vectors anew"
    )
    (finding,) = library.doctor(repair=True)
    assert finding.remedy == "run `media-search index` to compute the vectors anew"
    library.build_index("colours")
    assert library.doctor(repair=False) == []


def test_doctor_that_only_checks_says_what_would_be_done(library: Library) -> None:
    library.paths.metadata.write_text("{}\n")
    for number in range(100, 164):
        library.paths.frame(number).write_bytes(b"")
    published, stray = library.doctor(repair=False)
    assert published.remedy == "run `media-search doctor` to write it anew"
    assert (stray.problem, stray.remedy) == (
        "frames that no commit names: 64",
        "run `media-search compact`",
    )
    assert len(list(library.paths.frames.iterdir())) == 3 + 64
    assert library.paths.metadata.read_text() == "{}\n"
    assert [finding.remedy for finding in library.doctor(repair=True)] == [
        "written anew from the catalogue",
        "removed",
    ]


@pytest.mark.parametrize(
    ("row_is_gone", "words"),
    [
        (True, "frames without a vector: 1, the first is 1"),
        (False, "vectors without a frame: 1, the first is of 1"),
    ],
)
def test_doctor_holds_each_vector_against_its_frame(library: Library, row_is_gone: bool, words: str) -> None:
    """A frame that no row is of, and a row that is of no frame."""
    catalogue = library.paths.root / "catalog.sqlite"
    with closing(sqlite3.connect(catalogue)) as catalog, catalog:
        if row_is_gone:
            generation = library.commit().generation
            assert generation is not None
            rows = library.paths.generation(generation.generation) / "frame_ids.dat"
            np.array([0, 2, 3], dtype=np.int64).tofile(rows)
            catalog.execute("UPDATE commits SET next_frame = 4")
        else:
            catalog.execute("DELETE FROM frames WHERE frame_id = 1")
    assert words in "".join(finding.problem for finding in library.doctor(repair=False))
    library.doctor(repair=True)
    library.build_index("colours")
    assert library.doctor(repair=False) == []


@pytest.mark.parametrize("name", ["embeddings.dat", "hnsw_index.bin"])
def test_doctor_mends_published_files(library: Library, name: str) -> None:
    (library.paths.root / name).unlink()
    (library.paths.root / name).write_bytes(b"garbage")
    assert [Path(finding.path).name for finding in library.doctor(repair=True)] == [name]
    assert library.doctor(repair=False) == []
