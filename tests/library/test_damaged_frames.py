"""A stored frame that is damaged or gone blocks nothing: it is named, made anew where its original is, or told of."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from fakes import ColourEncoder, film, paint
from semantic_media_search.config import Settings
from semantic_media_search.errors import LibraryCorruptError
from semantic_media_search.library import Library
from semantic_media_search.library.progress import Silent

ENCODERS = {"colours": ColourEncoder(), "other": ColourEncoder("other", "07be2")}


class Notes(Silent):
    """Keeps what the person is told."""

    def __init__(self) -> None:
        self.said = ""

    def note(self, text: str) -> None:
        self.said += text + "\n"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, colour in enumerate(["red", "green", "blue"]):
        paint(tmp_path / "photos" / f"{colour}.png", colour, seed=number)
    film(tmp_path / "photos" / "film.mp4", ["black", "white"])
    return tmp_path / "photos"


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Library:
    library = Library(Settings(library=tmp_path / "library", threads=1), ENCODERS.__getitem__)
    library.add_roots([photos])
    library.ingest()
    return library


def _found(library: Library) -> Counter[str]:
    return Counter(Path(hit.frame.source_path).stem for hit in library.view().search_text("red", 50))


WHOLE = Counter(["red", "green", "blue", "film", "film"])
BLUE, RED, FIRST_OF_FILM = 0, 2, 3


@pytest.mark.parametrize("frame_id", [BLUE, FIRST_OF_FILM])
def test_one_that_has_no_vector_yet_is_made_anew_by_update(library: Library, frame_id: int) -> None:
    library.paths.frame(frame_id).write_bytes(b"no picture")
    notes = Notes()
    summary, indexed = library.update("colours", notes)
    assert f"{frame_id}.jpg cannot be read" in notes.said
    assert (summary.changed, summary.unchanged) == (1, 3)
    assert indexed is not None
    assert _found(library) == WHOLE
    assert library.doctor(repair=False) == []
    library.compact()
    assert library.doctor(repair=False) == []


@pytest.mark.parametrize("frame_id", [BLUE, FIRST_OF_FILM])
def test_index_embeds_the_rest_and_names_it(library: Library, frame_id: int) -> None:
    library.paths.frame(frame_id).write_bytes(b"no picture")
    notes = Notes()
    assert library.build_index("colours", notes).embedded == 4
    assert f"{frame_id}.jpg cannot be read" in notes.said
    assert "`media-search update` reads " in notes.said
    name = {BLUE: "blue", FIRST_OF_FILM: "film"}[frame_id]
    assert _found(library) == WHOLE - Counter([name])
    assert [Path(path).stem for path, _ in library.status().skipped] == [name]
    assert library.doctor(repair=False) == []
    library.update("colours")
    assert _found(library) == WHOLE
    assert library.status().skipped == []


@pytest.mark.parametrize("model", ["colours", "other"])
def test_all_vectors_are_made_anew_but_for_it(library: Library, model: str) -> None:
    library.build_index("colours")
    library.paths.frame(RED).unlink()
    library.build_index(model, rebuild=True)
    assert _found(library) == WHOLE - Counter(["red"])
    library.update(model)
    assert _found(library) == WHOLE
    assert library.doctor(repair=False) == []


def test_doctor_lets_vectors_go_while_a_frame_is_damaged(library: Library) -> None:
    generation = library.build_index("colours").generation
    library.paths.frame(RED).write_bytes(b"no picture")
    with (library.paths.generation(generation.generation) / "embeddings.dat").open("r+b") as file:
        file.write(b"\xff" * 8)
    assert len(library.doctor(repair=True)) == 2
    assert library.update("colours")[0].changed == 1
    assert _found(library) == WHOLE
    assert library.doctor(repair=False) == []


@pytest.mark.parametrize("embedded", [True, False])
def test_its_original_is_away(library: Library, photos: Path, embedded: bool) -> None:
    """All else is found meanwhile; it is made anew when the original is back."""
    if embedded:
        library.update("colours")
    away = photos.rename(photos.parent / "unplugged")
    library.paths.frame(RED).write_bytes(b"no picture")
    (finding,) = [one for one in library.doctor(repair=True) if one.path.endswith(f"/{RED}.jpg")]
    assert f"once its original, {photos / 'red.png'}, is there again" in finding.remedy
    library.update("colours")
    assert _found(library) == (WHOLE if embedded else WHOLE - Counter(["red"]))
    away.rename(photos)
    assert library.update("colours")[0].changed == 1
    assert _found(library) == WHOLE
    assert library.doctor(repair=False) == []


def test_one_whose_file_went_is_read_anew_when_the_file_is_back(library: Library, photos: Path) -> None:
    library.update("colours")
    away = (photos / "film.mp4").rename(photos.parent / "away.mp4")
    library.update("colours")
    library.paths.frame(FIRST_OF_FILM).unlink()
    assert len(library.doctor(repair=False)) == 1
    (finding,) = library.doctor(repair=True)
    assert finding.remedy == f"{photos / 'film.mp4'} is read anew when it comes back"
    away.rename(photos / "film.mp4")
    library.update("colours")
    assert _found(library) == WHOLE
    assert library.doctor(repair=False) == []


def test_all_frames_are_gone(library: Library, photos: Path) -> None:
    """They may come back from a copy: nothing is given up until doctor is asked to."""
    library.update("colours")
    aside = library.paths.frames.rename(library.paths.root / "aside")
    assert library.status().frames == 5
    (finding,) = library.doctor(repair=False)
    assert finding.problem == "none of its 5 frames is there"
    assert "put them back from a copy, or run `media-search doctor`; then" in finding.remedy
    with pytest.raises(LibraryCorruptError, match="`media-search doctor`, then `media-search update`"):
        library.build_index("colours", rebuild=True)
    shutil.rmtree(library.paths.frames)
    aside.rename(library.paths.frames)
    assert library.doctor(repair=False) == []
    shutil.rmtree(library.paths.frames)
    library.doctor(repair=True)
    assert library.update("colours")[0].changed == 4
    assert _found(library) == WHOLE
    assert library.doctor(repair=False) == []
