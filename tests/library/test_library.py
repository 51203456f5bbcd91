import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fakes import ColourEncoder, film, paint
from semantic_media_search.config import Settings
from semantic_media_search.embeddings.embed_store import load_embeddings_index
from semantic_media_search.errors import (
    LibraryBusyError,
    LibraryCorruptError,
    LibraryNotFoundError,
    ModelMismatchError,
    SourceFolderError,
)
from semantic_media_search.ingest.metadata_store import load_metadata
from semantic_media_search.library import Library
from semantic_media_search.library.writer import open_writer

ENCODERS = {
    "colours": ColourEncoder(),
    "other": ColourEncoder("other", "07be2"),
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number, colour in enumerate(["red", "green", "blue", "yellow"]):
        paint(folder / f"{number}_{colour}.png", colour, seed=number)
    film(folder / "film.mp4", ["black", "red", "white"])
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Library]:
    def make_library(**changes: object) -> Library:
        settings = Settings(library=tmp_path / "library", threads=2, **changes)  # type: ignore[arg-type]
        return Library(settings, lambda name: ENCODERS[name])

    return make_library


@pytest.fixture
def library(make: Callable[..., Library], photos: Path) -> Library:
    library = make()
    library.add_roots([photos])
    return library


def _names(library: Library, query: str, k: int = 3) -> list[str]:
    return [Path(hit.frame.source_path).name for hit in library.view().search_text(query, k)]


def test_words_find_the_photo_and_the_second_of_the_video(library: Library) -> None:
    summary, indexed = library.update("colours")
    assert (summary.new, summary.frames, summary.skipped) == (5, 7, [])
    assert indexed is not None
    assert indexed.generation.indexed_rows == 7
    assert _names(library, "green", 1) == ["1_green.png"]
    hit = library.view().search_text("white", 1)[0]
    assert Path(hit.frame.source_path).name == "film.mp4"
    assert hit.frame.timestamp == pytest.approx(2.0, abs=0.5)
    assert hit.frame.video_id == "vid_01"
    assert set(_names(library, "red", 2)) == {"0_red.png", "film.mp4"}


def test_both_steps_give_what_one_pass_gives(library: Library, photos: Path, tmp_path: Path) -> None:
    library.update("colours")
    other = Library(Settings(library=tmp_path / "second", threads=1), lambda name: ENCODERS[name])
    other.add_roots([photos])
    other.ingest()
    with pytest.raises(LibraryNotFoundError, match="media-search index"):
        other.view()
    other.build_index("colours")
    one, two = library.view(), other.view()
    cosines = np.sum(np.asarray(one.store.vectors) * np.asarray(two.store.vectors), axis=1)
    assert cosines.min() > 0.99
    strip = lambda records: [{**r, "frame_path": None} for r in records.values()]  # noqa: E731
    assert strip(load_metadata(one.paths.metadata)) == strip(load_metadata(two.paths.metadata))


def test_the_plans_files(library: Library) -> None:
    library.update("colours")
    root = library.paths.root
    metadata = load_metadata(root / "metadata.jsonl")
    assert list(metadata) == list(range(7))
    first = metadata[0]
    assert list(first)[:7] == [
        "frame_id",
        "video_id",
        "frame_path",
        "timestamp",
        "width",
        "height",
        "source_path",
    ]
    assert first["video_id"] is None
    assert first["timestamp"] is None
    assert Path(first["frame_path"]).read_bytes().startswith(b"\xff\xd8\xff")
    assert [metadata[i]["video_id"] for i in (4, 5, 6)] == ["vid_01"] * 3
    rows = load_embeddings_index(root / "embeddings.idx")
    vectors = np.memmap(root / "embeddings.dat", dtype="float32", mode="r", shape=(7, 64))
    np.testing.assert_allclose(np.linalg.norm(vectors[[rows[i] for i in range(7)]], axis=1), 1, atol=1e-5)
    assert (root / "hnsw_index.bin").stat().st_size > 0


def test_a_second_run_does_nothing_and_a_third_only_what_is_new(library: Library, photos: Path) -> None:
    library.update("colours")
    before = ENCODERS["colours"].pictures_seen
    summary, _ = library.update("colours")
    assert (summary.unchanged, summary.new, summary.frames) == (5, 0, 0)
    assert ENCODERS["colours"].pictures_seen == before
    paint(photos / "white.png", "white")
    summary, _ = library.update("colours")
    assert (summary.unchanged, summary.new, summary.frames) == (5, 1, 1)
    assert ENCODERS["colours"].pictures_seen == before + 1
    assert "white.png" in _names(library, "white", 2)


def test_a_running_view_gives_way_to_the_next_commit(library: Library, photos: Path) -> None:
    library.update("colours")
    view = library.view()
    assert library.view() is view
    paint(photos / "white.png", "white")
    library.update("colours")
    assert library.view() is not view
    assert view.search_text("red", 1)  # the old one still answers whoever holds it


def test_what_is_deleted_leaves_the_results_and_compact_reclaims_it(library: Library, photos: Path) -> None:
    library.update("colours")
    (photos / "1_green.png").unlink()
    summary, _ = library.update("colours")
    assert summary.removed == 1
    assert "1_green.png" not in _names(library, "green", 10)
    assert 1 not in load_metadata(library.paths.metadata)
    assert library.paths.frame(1).exists()
    compacted = library.compact()
    assert compacted.frames == 1
    assert not library.paths.frame(1).exists()
    assert len(library.view().store.frame_ids) == 6
    assert set(_names(library, "red", 2)) == {"0_red.png", "film.mp4"}
    assert library.doctor(repair=False) == []


def test_a_file_that_moved_keeps_its_frames_and_vectors(library: Library, photos: Path) -> None:
    library.update("colours")
    before = ENCODERS["colours"].pictures_seen
    (photos / "deeper").mkdir()
    (photos / "2_blue.png").rename(photos / "deeper" / "sky.png")
    summary, _ = library.update("colours")
    assert (summary.moved, summary.new, summary.removed) == (1, 0, 0)
    assert ENCODERS["colours"].pictures_seen == before
    assert _names(library, "blue", 1) == ["sky.png"]


def test_names_that_went_on_by_one_or_were_swapped(library: Library, photos: Path) -> None:
    """No picture is embedded again because others took its name; what was overwritten leaves the results."""
    for number, colour in enumerate(("white", "black", "yellow")):
        paint(photos / f"img{number}.png", colour, seed=20 + number)
    library.update("colours")
    before = ENCODERS["colours"].pictures_seen
    for number in (2, 1, 0):
        (photos / f"img{number}.png").rename(photos / f"img{number + 1}.png")
    (photos / "0_red.png").rename(photos / "swap")
    (photos / "2_blue.png").rename(photos / "0_red.png")
    (photos / "swap").rename(photos / "2_blue.png")
    summary, _ = library.update("colours")
    assert (summary.moved, summary.new, summary.changed, summary.removed) == (5, 0, 0, 0)
    assert ENCODERS["colours"].pictures_seen == before
    assert _names(library, "blue", 1) == ["0_red.png"]
    assert "img3.png" in _names(library, "yellow", 2)
    (photos / "img2.png").replace(photos / "img3.png")  # black over yellow,
    paint(photos / "img2.png", "green", size=(40, 30), seed=30)  # and a new one in its old place
    summary, _ = library.update("colours")
    assert (summary.moved, summary.new + summary.changed, summary.removed) == (1, 1, 1)
    assert ENCODERS["colours"].pictures_seen == before + 1
    assert "img3.png" in _names(library, "black", 2)
    assert "img2.png" in _names(library, "green", 2)
    assert library.doctor(repair=False) == []


def test_a_changed_file_gets_new_frames(library: Library, photos: Path) -> None:
    library.update("colours")
    paint(photos / "2_blue.png", "white", size=(80, 80), seed=9)
    summary, _ = library.update("colours")
    assert (summary.changed, summary.frames) == (1, 1)
    assert _names(library, "white", 1) == ["2_blue.png"] or "2_blue.png" in _names(library, "white", 2)
    assert library.view().frame(2) is None


def test_an_unplugged_disk_deletes_nothing(library: Library, photos: Path, tmp_path: Path) -> None:
    library.update("colours")
    photos.rename(tmp_path / "elsewhere")
    photos.mkdir()  # what an unplugged disk leaves: an empty mount point
    summary, _ = library.update("colours")
    assert (summary.unavailable, summary.removed) == (5, 0)
    assert len(_names(library, "red", 10)) == 7
    photos.rmdir()
    (tmp_path / "elsewhere").rename(photos)
    summary, _ = library.update("colours")
    assert (summary.unchanged, summary.new) == (5, 0)


def test_an_unplugged_disk_inside_another_folder_deletes_nothing(
    make: Callable[..., Library], tmp_path: Path
) -> None:
    disk = tmp_path / "media" / "disk"
    paint(tmp_path / "media" / "here.png", "red")
    paint(disk / "there.png", "blue")
    library = make()
    library.add_roots([tmp_path / "media", disk])
    library.update("colours")
    shutil.move(disk / "there.png", tmp_path / "elsewhere.png")
    summary, _ = library.update("colours")
    assert (summary.removed, summary.unavailable) == (0, 1)
    shutil.move(tmp_path / "elsewhere.png", disk / "there.png")
    (tmp_path / "media" / "here.png").unlink()
    paint(tmp_path / "media" / "new.png", "green")
    summary, _ = library.update("colours")
    assert (summary.removed, summary.unavailable, summary.new) == (1, 0, 1)


def test_frames_whose_catalogue_is_lost_are_left_alone(library: Library, photos: Path) -> None:
    library.update("colours")
    root = library.paths.root
    for path in root.glob("catalog.sqlite*"):
        path.unlink()
    frames = sorted(path.name for path in library.paths.frames.iterdir())
    lost = Library(Settings(library=root, threads=1), lambda name: ENCODERS[name])
    with pytest.raises(LibraryCorruptError, match="put it back from a copy"):
        lost.update("colours")
    assert sorted(path.name for path in library.paths.frames.iterdir()) == frames
    assert not (root / "catalog.sqlite").exists()


def test_a_damaged_file_is_skipped_by_name_and_the_run_goes_on(library: Library, photos: Path) -> None:
    (photos / "0_broken.png").write_bytes((photos / "0_red.png").read_bytes()[:100])
    (photos / "zero.jpg").write_bytes(b"")
    summary, _ = library.update("colours")
    assert summary.new == 5
    assert sorted(Path(file.path).name for file in summary.skipped) == ["0_broken.png", "zero.jpg"]
    assert all(file.reason for file in summary.skipped)
    again, _ = library.update("colours")
    assert len(again.skipped) == 2  # still said, not read again


def test_two_models_never_mix(library: Library) -> None:
    library.update("colours")
    with pytest.raises(ModelMismatchError, match="media-search index --model other"):
        library.update("other")
    with pytest.raises(ModelMismatchError, match="media-search index --model other"):
        Library(Settings(library=library.paths.root, model="other"), lambda name: ENCODERS[name]).view()
    generation = library.view().generation.generation
    library.build_index("other")
    model = library.model()
    assert model is not None
    assert model.name == "other"
    assert library.view().generation.generation != generation
    assert len(list((library.paths.root / "generations").iterdir())) == 1


def test_another_version_of_the_same_model_embeds_anew(library: Library, photos: Path) -> None:
    library.update("colours")
    newer = Library(library.settings, lambda name: ColourEncoder(name, fingerprint="c0106"))
    with pytest.raises(ModelMismatchError, match="version"):
        newer.view()
    paint(photos / "white.png", "white")
    summary, indexed = newer.update("colours")
    assert summary.new == 1
    assert indexed is not None
    assert (indexed.embedded, indexed.generation.model.fingerprint) == (8, "c0106")
    assert "white.png" in _names(newer, "white", 2)


def test_one_writer_at_a_time(library: Library) -> None:
    library.update("colours")
    with open_writer(library.paths.root), pytest.raises(LibraryBusyError, match="another process"):
        library.ingest()


def test_a_folder_that_is_not_there_is_refused(library: Library, tmp_path: Path) -> None:
    with pytest.raises(SourceFolderError, match="nowhere"):
        library.add_roots([tmp_path / "nowhere"])


def test_readers_are_told_what_to_run(make: Callable[..., Library], photos: Path) -> None:
    library = make()
    with pytest.raises(LibraryNotFoundError, match="media-search update"):
        library.view()
    library.add_roots([photos])
    with pytest.raises(LibraryNotFoundError, match="media-search update"):
        library.view()


def test_doctor_finds_and_mends(library: Library) -> None:
    library.update("colours")
    assert library.doctor(repair=False) == []
    root = library.paths.root
    library.paths.frame(0).write_bytes(b"no picture")
    (root / "metadata.jsonl").write_text("{}\n")
    graph = next((root / "generations").glob("*/hnsw_index-*"))
    graph.chmod(0o644)
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(bytes(data))
    found = library.doctor(repair=True)
    assert {Path(finding.path).name for finding in found} >= {"0.jpg", "metadata.jsonl", graph.name}
    summary, indexed = library.update("colours")
    assert summary.changed == 1
    assert indexed is not None
    assert library.doctor(repair=False) == []
    assert "0_red.png" in _names(library, "red", 2)


def test_a_preview_writes_nothing(make: Callable[..., Library], photos: Path) -> None:
    library = make()
    assert len(library.preview([photos]).to_read) == 5
    assert not library.paths.root.exists()


def test_derived_files_are_made_again(library: Library) -> None:
    library.update("colours")
    root = library.paths.root
    before = (root / "metadata.jsonl").read_text()
    for name in ("metadata.jsonl", "embeddings.dat", "embeddings.idx", "hnsw_index.bin"):
        (root / name).unlink()
    library.update("colours")
    assert (root / "metadata.jsonl").read_text() == before
    assert (root / "embeddings.dat").exists()
