"""A disk that fails while a decoder reads says nothing of the file, whatever word the decoder has for it."""

import errno
import io
import os
import threading
from pathlib import Path
from typing import Any

import av
import pytest

from picture_makers import encoded, photo
from semantic_media_search.errors import DecodeError, MediaUnreadableError
from semantic_media_search.media import container, opening
from semantic_media_search.media.decode import decode_image
from semantic_media_search.media.opening import open_regular
from semantic_media_search.media.video import VideoReader
from video_makers import write_video

PICTURES = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000"]


class Failing(io.BytesIO):
    """Bytes on a disk that fails once so many were read."""

    def __init__(self, data: bytes, after: int, number: int) -> None:
        super().__init__(data)
        self.after, self.number = after, number

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self.tell() > self.after:
            raise OSError(self.number, os.strerror(self.number))
        return data


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOMEM])
@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_on_a_disk_that_fails(kind: str, number: int) -> None:
    data = encoded(photo(240, 160), kind)
    assert decode_image(io.BytesIO(data)).pixels.shape == (160, 240, 3)
    for after in (100, len(data) // 2):
        with pytest.raises(MediaUnreadableError, match=f"cannot be read: {os.strerror(number)}"):
            decode_image(Failing(data, after, number))


@pytest.mark.parametrize("number", [None, errno.EINVAL])
def test_what_contents_do_is_a_verdict(monkeypatch: pytest.MonkeyPatch, number: int | None) -> None:
    """Pillow's own errors have no number; a damaged file may lead to a place in it that cannot be."""

    def load(_: object) -> None:
        raise OSError("truncated") if number is None else OSError(number, os.strerror(number))

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(DecodeError, match="is damaged"):
        decode_image(io.BytesIO(encoded(photo(24, 16), "PNG")))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_a_video_on_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    data = write_video(tmp_path / name, frames=75, size=(96, 64)).read_bytes()
    opened: list[Failing] = []

    def open_failing_after(after: int) -> VideoReader:
        opened.append(Failing(data, after, errno.EIO))
        return VideoReader(name)

    monkeypatch.setattr(container, "_BUFFER_BYTES", 1 << 10)
    monkeypatch.setattr(container, "open_regular", lambda _: opened[-1])
    with open_failing_after(len(data)) as reader:
        assert list(reader.sample(1.0))
        assert reader.problem is None
    for after in (80, len(data) // 2, len(data) - 1):
        with (
            pytest.raises(MediaUnreadableError, match=rf"{name} cannot be read: Input/output error"),
            open_failing_after(after) as reader,
        ):
            list(reader.sample(1.0))
    assert all(file.closed for file in opened)


def test_no_memory_for_a_video_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"anything")

    def short(*_: object, **__: object) -> None:
        raise av.error.MemoryError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(container.av, "open", short)
    with pytest.raises(MediaUnreadableError, match="not enough memory"):
        VideoReader(tmp_path / "a.mp4")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_a_pipe_that_takes_a_files_place_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes after the file was looked at and before it is opened."""
    place, pipe = tmp_path / "a.jpg", tmp_path / "pipe"
    place.write_bytes(b"a file")
    os.mkfifo(pipe)
    whole: Any = os.open
    monkeypatch.setattr(opening.os, "open", lambda _, *rest: whole(pipe, *rest))
    failures: list[BaseException] = []

    def read() -> None:
        try:
            open_regular(place)
        except MediaUnreadableError as error:
            failures.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert "is no regular file" in str(failures)
