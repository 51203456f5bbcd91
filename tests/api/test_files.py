import errno
import os
import socket
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from colour_library import client_of, embed
from fakes import film as film_of
from fakes import paint
from semantic_media_search.api import selection_routes
from semantic_media_search.api.byte_ranges import UnsatisfiableRangeError, attachment, parse_range
from semantic_media_search.api.clips import ClipCache
from semantic_media_search.api.selection_routes import zip_of
from semantic_media_search.api.server import create_app
from semantic_media_search.ingest.catalog import Source
from semantic_media_search.library import Library
from semantic_media_search.media.video import VideoReader
from semantic_media_search.records import VIDEO
from video_makers import number_in, write_video


@pytest.fixture
def film(shared_library: Library) -> bytes:
    return Path(shared_library.view().video("vid_01").path).read_bytes()  # type: ignore[union-attr]


Raw = Callable[[str], tuple[int, bytes]]


@pytest.fixture(scope="module")
def raw(shared_library: Library) -> Iterator[Raw]:
    """Asks a real server for a path exactly as it is spelled; answers with the status and the body."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(create_app(shared_library.settings, shared_library), log_level="critical")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()

    def ask(path: str) -> tuple[int, bytes]:
        with socket.create_connection(listening.getsockname(), timeout=20) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            )
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    yield ask
    server.should_exit = True
    thread.join()
    listening.close()


def test_frames_are_jpegs_that_the_browser_may_keep(client: TestClient) -> None:
    answer = client.get("/frame/0")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(BytesIO(answer.content)).format == "JPEG"
    again = client.get("/frame/0", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head("/frame/0").headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    ("frame_id", "status"),
    [("16", 404), ("999999999", 404), (str(10**30), 404), ("-1", 422), ("abc", 422), ("1.5", 422)],
)
def test_unknown_frames(client: TestClient, frame_id: str, status: int) -> None:
    for address in (f"/frame/{frame_id}", f"/original/{frame_id}"):
        answer = client.get(address)
        assert answer.status_code == status
        assert answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/frame/../../catalog.sqlite", "/frame/..%2f..%2fcatalog.sqlite", "/frame/%2e%2e/%2e%2e/catalog.sqlite",
        "/app/../api/server.py", "/app/..%2fapi%2fserver.py", "/app/%2e%2e/api/server.py", "/app/..%5capi%5cserver.py",
        "/app//etc/passwd", "/video/..%2f..%2fetc%2fpasswd", "/video/%2fetc%2fpasswd", "/original/..%2f0",
        "/video/%252e%252e%252fetc", "/app/....//....//etc/passwd", "/picture/..%2f..%2fx",
    ],
)  # fmt: skip
def test_nothing_outside_the_library_can_be_read(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert b"import" not in answer.content and b"SQLite" not in answer.content


@pytest.mark.parametrize(
    "path",
    [
        "/app/../api/server.py", "/app/js/../../../api/server.py", "/app/../../../../../../../../etc/passwd",
        "/app/%2e%2e/api/server.py", "/app/%2e%2e%2fapi%2fserver.py", "/app/..%5capi%5cserver.py",
        "/app/%c0%ae%c0%ae/api/server.py", "/app/%c0%ae%c0%ae%c0%afapi%c0%afserver.py", "/app/%252e%252e/api/server.py",
        "/app/js/main.js%00.png", "/app/%00", "/frame/%00", "/frame/0%00", "/frame/../../catalog.sqlite",
        "/video/%00", "/video/vid_01%00", "/video/../../catalog.sqlite", "/video/%c0%ae%c0%ae%c0%afcatalog.sqlite",
        "/picture/%00", "/original/%00", "/app//etc/passwd", "//etc/passwd", "/app/..;/api/server.py",
    ],
)  # fmt: skip
def test_no_spelling_of_an_address_leaves_the_library(raw: Raw, path: str) -> None:
    """By a bare socket: clients such as httpx tidy `..` away before it is sent."""
    status, body = raw(path)
    assert status in (404, 422), body[:300]
    assert b"import" not in body and b"SQLite" not in body and b"root:" not in body
    assert b'"error"' in body


def test_ranges_of_a_video(client: TestClient, film: bytes) -> None:
    size = len(film)

    def ask(value: str | None, **more: str) -> tuple[int, bytes, str | None]:
        headers = more if value is None else {"Range": value, **more}
        answer = client.get("/video/vid_01", headers=headers)
        return answer.status_code, answer.content, answer.headers.get("content-range")

    assert ask(None) == (200, film, None)
    assert ask("bytes=0-1") == (206, film[:2], f"bytes 0-1/{size}")
    assert ask("bytes=100-") == (206, film[100:], f"bytes 100-{size - 1}/{size}")
    assert ask("bytes=-50") == (206, film[-50:], f"bytes {size - 50}-{size - 1}/{size}")
    assert ask(f"bytes=-{size * 2}") == (206, film, f"bytes 0-{size - 1}/{size}")
    assert ask(f"bytes={size - 1}-{size + 10}") == (206, film[-1:], f"bytes {size - 1}-{size - 1}/{size}")
    assert ask(f"bytes={size}-") == (416, b"", f"bytes */{size}")
    assert ask("bytes=-0") == (416, b"", f"bytes */{size}")
    for ignored in ("bytes=5-2", "bytes=a-b", "lines=0-1", "bytes=0-1,5-6", "bytes=-"):
        assert ask(ignored)[:2] == (200, film)
    etag = client.get("/video/vid_01").headers["etag"]
    assert ask("bytes=0-1", **{"If-Range": etag})[0] == 206
    assert ask("bytes=0-1", **{"If-Range": '"other"'})[:2] == (200, film)


def test_head_of_a_video(client: TestClient, film: bytes) -> None:
    answer = client.head("/video/vid_01", headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(film))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "video/mp4"
    assert client.get("/video/vid_99").status_code == 404


def test_ranges_of_numbers_beyond_all_bounds(client: TestClient, film: bytes) -> None:
    url = "/video/vid_01"
    huge = "9" * 5000
    answer = client.get(url, headers={"Range": f"bytes=0-{huge}"})
    assert (answer.status_code, answer.content) == (206, film)
    assert client.get(url, headers={"Range": f"bytes=-{huge}"}).content == film
    assert client.get(url, headers={"Range": f"bytes={huge}-"}).status_code == 416


@given(st.text(max_size=40) | st.from_regex(r"bytes=\d{0,6}-\d{0,6}", fullmatch=True), st.integers(0, 10_000))
def test_any_range_header_is_answered(header: str, size: int) -> None:
    try:
        span = parse_range(header, size)
    except UnsatisfiableRangeError:
        return
    if span is not None:
        assert 0 <= span[0] <= span[1] < size


def test_originals_are_served_as_what_they_are(client: TestClient, shared_library: Library) -> None:
    found = client.get("/search?q=red&k=1").json()["results"][0]
    answer = client.get(f"/original/{found['frame_id']}")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == Path(found["source_path"]).read_bytes()
    saved = client.get(f"/original/{found['frame_id']}?save=1")
    assert saved.headers["content-disposition"].startswith('attachment; filename="red.png"')


def test_file_names_cannot_break_a_header() -> None:
    header = attachment('a"b\r\nSet-Cookie: x\\é.png')
    assert "\r" not in header and "\n" not in header
    assert header.count('"') == 2


def test_a_clip_is_the_piece_asked_for(client: TestClient, tmp_path: Path) -> None:
    answer = client.get("/video/vid_01/clip?start=4&end=6.5")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    assert 'filename="film 0m04s-0m06.5s.mp4"' in answer.headers["content-disposition"]
    saved = tmp_path / "clip.mp4"
    saved.write_bytes(answer.content)
    with VideoReader(saved) as video:
        assert video.info.duration == pytest.approx(2.5, abs=0.13)
        assert video.info.plays_in_browsers
        red = next(video.sample(1)).pixels.mean(axis=(0, 1))
    assert red[0] > 150 and red[1] < 80
    part = client.get("/video/vid_01/clip?start=4&end=6.5", headers={"Range": "bytes=0-1"})
    assert (part.status_code, part.content) == (206, answer.content[:2])


@pytest.mark.parametrize(
    ("span", "needle"),
    [
        ("start=3&end=3", "before the end"),
        ("start=-1&end=3", "smallest value"),
        ("start=0&end=700", "at most 600"),
        ("start=90&end=95", "ends before"),
        ("start=a&end=3", "number"),
        ("start=nan&end=3", "start"),
        ("start=1", "end"),
    ],
)
def test_clips_that_cannot_be(client: TestClient, span: str, needle: str) -> None:
    answer = client.get(f"/video/vid_01/clip?{span}")
    assert answer.status_code == 422
    assert needle in answer.json()["detail"]


def test_clips_are_kept_within_a_bound(shared_library: Library) -> None:
    source = shared_library.view().video("vid_01")
    assert source is not None
    cache = ClipCache(most_bytes=1)
    first = cache.clip(source, 0, 1)
    assert cache.clip(source, 0, 1) == first
    second = cache.clip(source, 1, 2)
    assert second.exists() and not first.exists()
    cache.close()
    assert not second.exists()


def test_clips_of_a_video_whose_clock_starts_again_are_cut_by_the_librarys_times(tmp_path: Path) -> None:
    part = write_video(tmp_path / "part.mpg", "mpeg2video").read_bytes()
    path = tmp_path / "chapters.mpg"
    path.write_bytes(part + part)
    with VideoReader(path) as reader:
        assert len(list(reader.sample(1.0))) == 6
        source = Source(
            1, 1, str(path), VIDEO, path.stat().st_size, 0, video_id="vid_01", duration=reader.info.duration
        )
    cache = ClipCache()
    with VideoReader(cache.clip(source, 4.0, 6.0)) as reader:
        assert [number_in(frame.pixels) for frame in reader.sample(1.0)] == [25, 50]
    cache.close()


def test_a_selection_is_a_zip_of_originals(client: TestClient) -> None:
    found = client.get("/search?q=red&k=16").json()["results"]
    ids = ",".join(str(result["frame_id"]) for result in found)
    answer = client.post("/selection.zip", content=f"frames={ids}")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        held = {info.filename: archive.read(info) for info in archive.infolist()}
    assert held == {result["name"]: Path(result["source_path"]).read_bytes() for result in found}
    assert client.post("/selection.zip", content="frames=").status_code == 422
    assert client.post("/selection.zip", content="frames=../../etc/passwd").status_code == 422
    assert client.post("/selection.zip", content="frames=9999").status_code == 404


def test_names_in_a_zip_are_told_apart_and_what_is_gone_is_named(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "cat.jpg", tmp_path / "b" / "Cat.jpg", tmp_path / "gone.jpg"]
    for path in paths[:2]:
        path.parent.mkdir()
        path.write_bytes(path.parent.name.encode())
    with zipfile.ZipFile(BytesIO(b"".join(zip_of(paths)))) as archive:
        assert archive.read("cat.jpg") == b"a"
        assert archive.read("Cat (2).jpg") == b"b"
        assert "gone.jpg" in archive.read("not-saved.txt").decode()


def test_a_read_error_costs_one_file_of_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for path in paths:
        path.write_bytes(path.name.encode())

    class Failing(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    def opened(path: Path) -> BytesIO:
        return Failing() if path == paths[1] else BytesIO(path.read_bytes())

    monkeypatch.setattr(selection_routes, "open_regular", opened)
    with zipfile.ZipFile(BytesIO(b"".join(zip_of(paths)))) as archive:
        assert archive.testzip() is None
        assert (archive.read("0.jpg"), archive.read("2.jpg")) == (b"0.jpg", b"2.jpg")
        assert (
            "1.jpg could be read in part only: Input/output error" in archive.read("not-saved.txt").decode()
        )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no text")
def test_originals_whose_names_are_no_text(make: Callable[..., Library], tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    red = paint(photos / "red.png", "red")
    content = red.read_bytes()
    red.rename(photos / os.fsdecode(b"caf\xe9.png"))
    moved = film_of(photos / "a.mp4", ["red", "blue"]).rename(photos / os.fsdecode(b"\xff.mp4"))
    library = make()
    library.add_roots([photos])
    embed(library)
    with client_of(library) as client:
        assert client.get("/original/0").content == content
        assert client.get("/original/0", params={"save": True}).content == content
        assert client.get("/video/vid_01").content == moved.read_bytes()
        assert client.get("/video/vid_01/clip", params={"start": 0, "end": 1}).status_code == 200
        packed = client.post("/selection.zip", data={"frames": "0"}).content
        with zipfile.ZipFile(BytesIO(packed)) as archive:
            assert [archive.read(name) for name in archive.namelist()] == [content]


@pytest.mark.skipif(sys.platform != "linux", reason="what shows folders is xdg-open on Linux only")
def test_a_folder_is_shown_to_callers_on_this_machine(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = tmp_path / "shown"
    fake = tmp_path / "xdg-open"
    fake.write_text(f'#!/bin/sh\nprintf %s "$1" > {shown}.new && mv {shown}.new {shown}\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    found = client.get("/search?q=red&k=1").json()["results"][0]
    answer = client.post(f"/reveal/{found['frame_id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "no_file_manager")
    assert "no screen" in answer.json()["detail"]
    assert client.get("/health").json()["can_show_folders"] is False
    monkeypatch.setenv("DISPLAY", ":0")
    assert client.get("/health").json()["can_show_folders"] is True
    assert client.get(f"/reveal/{found['frame_id']}").status_code == 405
    assert client.post(f"/reveal/{found['frame_id']}").status_code == 204
    deadline = time.monotonic() + 10
    while not shown.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert shown.read_text() == found["folder"]
    assert client.post("/reveal/999").status_code == 404
    foreign = {"Origin": "http://evil.example"}
    assert client.post(f"/reveal/{found['frame_id']}", headers=foreign).status_code == 403


def test_a_selection_says_what_cannot_be_read(make: Callable[..., Library], tmp_path: Path) -> None:
    here, gone = (paint(tmp_path / "photos" / f"{colour}.png", colour) for colour in ("red", "blue"))
    library = make()
    library.add_roots([tmp_path / "photos"])
    embed(library)
    gone.unlink()
    with client_of(library) as client:
        answer = client.post("/selection", data={"frames": "0,1"}).json()
        assert (answer["files"], answer["bytes"]) == (1, here.stat().st_size)
        (reason,) = answer["missing"]
        assert "blue.png cannot be read: No such file" in reason


def test_the_schema_names_every_address(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {
        "/search",
        "/search/image",
        "/frame/{frame_id}",
        "/video/{video_id}",
        "/video/{video_id}/clip",
    } <= set(paths)
