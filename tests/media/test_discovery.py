"""The walk: a stable order, odd names, loops, and nothing that is no media."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_media_search.errors import SourceFolderError
from semantic_media_search.ingest.discovery import Noticed, discover, path_to_text, text_to_path
from semantic_media_search.media.formats import IMAGE_EXTENSIONS, NOT_READ_EXTENSIONS, VIDEO_EXTENSIONS
from semantic_media_search.media.raw import RAW_EXTENSIONS
from semantic_media_search.records import IMAGE, VIDEO


def plant(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")


def found(root: Path, only_kind: str | None = None) -> list[str]:
    return [os.path.relpath(candidate.path, root) for candidate in discover(root, only_kind)]


def test_images_come_first_and_the_order_is_by_folder_and_name(tmp_path: Path) -> None:
    plant(
        tmp_path, "b.jpg", "a.MP4", "B.png", "z/c.webp", "a/d.mov", "a/b/e.heic", "notes.txt", "jpg", "é.jpg"
    )
    assert found(tmp_path) == ["B.png", "b.jpg", "é.jpg", "a/b/e.heic", "z/c.webp", "a.MP4", "a/d.mov"]
    assert found(tmp_path, IMAGE) == ["B.png", "b.jpg", "é.jpg", "a/b/e.heic", "z/c.webp"]
    assert found(tmp_path, VIDEO) == ["a.MP4", "a/d.mov"]


def test_size_and_time_are_told(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(1, 1_600_000_000_123_456_789))
    (candidate,) = discover(tmp_path)
    assert (candidate.size, candidate.kind) == (5, IMAGE)
    assert candidate.mtime_ns == (tmp_path / "a.jpg").stat().st_mtime_ns


def test_hidden_and_system_files_are_left_out(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "a.jpg",
        "._a.jpg",
        ".DS_Store",
        "Thumbs.db",
        ".thumbnails/a.jpg",
        "$RECYCLE.BIN/a.jpg",
        "@eaDir/a.jpg",
        "__MACOSX/a.jpg",
        "My.photoslibrary/originals/1/x.heic",
        "My.photoslibrary/resources/derivatives/x.jpg",
        "processed/catalog.sqlite",
        "processed/frames/0.jpg",
    )
    assert found(tmp_path) == ["a.jpg", "My.photoslibrary/originals/1/x.heic"]


def test_loops_of_links_end_and_real_folders_come_first(tmp_path: Path) -> None:
    plant(tmp_path, "real/a.jpg", "elsewhere/b.jpg")
    root = tmp_path / "root"
    plant(root, "z/c.jpg")
    (root / "a_link").symlink_to(tmp_path / "real")
    (root / "again").symlink_to(tmp_path / "real")
    (root / "z" / "up").symlink_to(root)
    (tmp_path / "real" / "back").symlink_to(root / "z")
    (root / "file.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    (root / "broken.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (root / "self.jpg").symlink_to(root / "self.jpg")
    assert found(root) == ["file.jpg", "z/c.jpg", "a_link/a.jpg"]


def test_what_is_no_regular_file_is_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    plant(tmp_path, "folder.jpg/inner.jpg")
    assert found(tmp_path) == ["folder.jpg/inner.jpg"]


def test_odd_names_are_found_and_opened_again(tmp_path: Path) -> None:
    names = [
        b"a\nb.jpg",
        "\U0001f408.jpg".encode(),
        b"\xff\xfe.jpg",
        b"%FF.jpg",
        b"x" * 251 + b".jpg",
        b" .jpg",
    ]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    candidates = list(discover(tmp_path))
    assert len(candidates) == len(names)
    for candidate in candidates:
        candidate.path.encode("utf-8")
        path = text_to_path(candidate.path)
        assert Path(path).read_bytes() == os.path.basename(os.fsencode(path))  # noqa: PTH119
    uris = [candidate.path for candidate in candidates if candidate.path.startswith("file://")]
    assert len(uris) == 1
    assert uris[0].endswith("/%FF%FE.jpg")


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name))
def test_every_path_survives_as_text(name: bytes) -> None:
    path = os.fsdecode(b"/" + name)
    text = path_to_text(path)
    text.encode("utf-8")
    assert text_to_path(text) == path


def test_a_root_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceFolderError, match="gone cannot be listed: No such file"):
        list(discover(tmp_path / "gone"))
    plant(tmp_path, "a.jpg")
    with pytest.raises(SourceFolderError, match="Not a directory"):
        list(discover(tmp_path / "a.jpg"))


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "a.jpg", "locked/b.jpg", "open/c.jpg")
    scandir = os.scandir

    def guarded(path: str):
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    noticed = Noticed()
    paths = [candidate.path for candidate in discover(tmp_path, noticed=noticed)]
    assert [os.path.relpath(path, tmp_path) for path in paths] == ["a.jpg", "open/c.jpg"]
    assert list(noticed.closed) == [str(tmp_path / "locked")]


def test_formats_that_are_not_read_are_noticed(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg", "b/c.PSD", "d.jxl", ".e.jxl", "notes.txt", "f.wmv")
    noticed = Noticed()
    assert len(list(discover(tmp_path, IMAGE, noticed))) == 1
    assert noticed.not_read == {str(tmp_path / "b" / "c.PSD"), str(tmp_path / "d.jxl")}


def test_no_format_is_both_read_and_not() -> None:
    assert not NOT_READ_EXTENSIONS & (IMAGE_EXTENSIONS | RAW_EXTENSIONS | VIDEO_EXTENSIONS)


def test_what_cannot_be_looked_at_is_reported_and_what_is_gone_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that may be listed but whose files may not be looked at, and links to a disk that is not there."""
    root, disk, empty = tmp_path / "root", tmp_path / "disk", tmp_path / "empty"
    plant(root, "a.jpg", "closed/b.jpg", "closed/c.jpg")
    plant(disk, "d.jpg")
    empty.mkdir()
    (root / "unplugged").symlink_to(tmp_path / "nowhere", target_is_directory=True)
    (root / "bare").symlink_to(empty, target_is_directory=True)
    (root / "unplugged.jpg").symlink_to(tmp_path / "nowhere" / "e.jpg")
    (root / "deleted.jpg").symlink_to(disk / "gone.jpg")
    (root / "self.jpg").symlink_to(root / "self.jpg")
    scandir = os.scandir

    class Closed:
        """An entry of a folder without the right to enter it."""

        def __init__(self, entry: "os.DirEntry[str]"):
            self.name, self.path, self.is_dir, self.is_symlink = (
                entry.name,
                entry.path,
                entry.is_dir,
                entry.is_symlink,
            )

        def stat(self) -> os.stat_result:
            raise PermissionError(13, "Permission denied", self.path)

    class Listing(list):
        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            pass

    def guarded(path: str):
        if not path.endswith("closed"):
            return scandir(path)
        with scandir(path) as entries:
            return Listing(Closed(entry) for entry in entries)

    monkeypatch.setattr(os, "scandir", guarded)
    noticed = Noticed()
    paths = [candidate.path for candidate in discover(root, noticed=noticed)]
    assert paths == [str(root / "a.jpg")]
    assert sorted((Path(path).name, type(error)) for path, error in noticed.closed.items()) == [
        ("bare", FileNotFoundError),
        ("closed", PermissionError),
        ("unplugged", FileNotFoundError),
        ("unplugged.jpg", FileNotFoundError),
    ]
