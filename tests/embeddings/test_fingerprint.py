"""A fingerprint changes with the weights, and costs nothing on the second start."""

import hashlib
import os
from pathlib import Path

import pytest

from clip_export import Oracle
from semantic_media_search.embeddings import OnnxEncoder, fingerprint
from semantic_media_search.embeddings.fingerprint import cache_folder, content_hash


@pytest.fixture(autouse=True)
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read from end to end."""
    read: list[Path] = []
    original = fingerprint._hash

    def record(path: Path) -> str:
        read.append(path)
        return original(path)

    monkeypatch.setattr(fingerprint, "_hash", record)
    return read


def large_file(path: Path, fill: bytes = b"x") -> Path:
    path.write_bytes(fill * (5 << 20))
    return path


@pytest.mark.parametrize(
    "name", ["onnx/vision_model.onnx", "onnx/text_model.onnx", "tokenizer.json", "preprocessor_config.json"]
)
def test_any_file_that_decides_the_vectors_changes_it(copied: Path, name: str) -> None:
    before = OnnxEncoder(copied).info
    with (copied / name).open("ab") as file:
        file.write(b" ")
    after = OnnxEncoder(copied).info
    assert before.fingerprint != after.fingerprint
    assert (before.name, before.dim) == (after.name, after.dim)


def test_it_is_the_same_wherever_the_model_lies(tiny_clip: Oracle, copied: Path) -> None:
    assert OnnxEncoder(copied).info.fingerprint == OnnxEncoder(tiny_clip.folder).info.fingerprint
    assert OnnxEncoder(copied).info.name == str(copied)


def test_a_large_file_is_read_once(tmp_path: Path, hashed: list[Path]) -> None:
    path = large_file(tmp_path / "weights")
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [content_hash(path) for _ in range(3)] == [expected] * 3
    assert hashed == [path]


def test_a_large_file_that_changed_is_read_again_even_at_its_old_time(
    tmp_path: Path, hashed: list[Path]
) -> None:
    path = large_file(tmp_path / "weights")
    before, times = content_hash(path), path.stat()
    large_file(path, b"y")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert content_hash(path) != before
    assert len(hashed) == 2


def test_the_hubs_cache_already_knows_it(tmp_path: Path, hashed: list[Path]) -> None:
    digest = hashlib.sha256(b"content").hexdigest()
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / digest).write_bytes(b"content")
    (tmp_path / "model.onnx").symlink_to(f"blobs/{digest}")
    assert content_hash(tmp_path / "model.onnx") == digest
    assert hashed == []


@pytest.mark.parametrize("damage", ["not json", "[]", '{"FILE": [1, 2]}', '{"FILE": null}'])
def test_damaged_notes_are_made_anew(tmp_path: Path, hashed: list[Path], damage: str) -> None:
    path = large_file(tmp_path / "weights")
    notes = tmp_path / "notes.json"
    notes.write_text(damage.replace("FILE", str(path)))
    first = content_hash(path, notes=notes)
    assert content_hash(path, notes=notes) == first
    assert len(hashed) == 1


def test_notes_lie_in_the_persons_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "semantic-media-search"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/semantic-media-search")


def test_where_notes_cannot_be_kept_it_is_read_each_time(tmp_path: Path, hashed: list[Path]) -> None:
    path = large_file(tmp_path / "weights")
    (tmp_path / "file").write_text("no folder")
    assert (
        content_hash(path, notes=tmp_path / "file" / "notes.json")
        == hashlib.sha256(path.read_bytes()).hexdigest()
    )
    content_hash(path, notes=tmp_path / "file" / "notes.json")
    assert len(hashed) == 2
