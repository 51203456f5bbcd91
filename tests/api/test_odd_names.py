"""Files with odd names, from the folder to every place at which they come out again."""

import io
import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from colour_library import client_of
from fakes import ColourEncoder, film, paint
from semantic_media_search.cli import main
from semantic_media_search.cli.commands import models
from semantic_media_search.config import Settings
from semantic_media_search.ingest.discovery import text_to_path
from semantic_media_search.library import Library

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of these names")

FOLDER = os.fsdecode(b"holi\xefday\nof \xf0\x9f\x8f\x96")
PHOTOS = [
    "line\nbreak and\ttab.png",
    "\N{DOG FACE}.png",
    "\N{DOG FACE}" * 62 + "abc.png",  # 255 bytes, the most there may be
    os.fsdecode(b"caf\xe9.png"),
    " '\"\\%2e%0a;&<b>$(x)`.png",
    "\x1b[31mred\N{RIGHT-TO-LEFT OVERRIDE}gpj.png",
    "-rf.png",
    "file:.png",
]
FILMS = [os.fsdecode(b"\xff\n.mp4"), "\N{CLAPPER BOARD}.mp4"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line, on a library in the current folder, with an encoder that sees colours."""
    monkeypatch.setattr(models, "load_encoder", lambda *_args, **_options: ColourEncoder("starter"))
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "--library", "library"])
        return code, *capsys.readouterr()

    return run_command


@pytest.fixture
def media(tmp_path: Path, run: Run) -> dict[Path, bytes]:
    """Photos and films with odd names in odd folders, as a library holds them; what is in each."""
    paths: list[Path] = []
    for number, name in enumerate(PHOTOS):
        plain = paint(tmp_path / "photos" / f"{number}.png", "red", seed=number)
        folder = plain.parent / FOLDER if number % 2 else plain.parent
        folder.mkdir(exist_ok=True)
        paths.append(plain.rename(folder / name))
    for number, name in enumerate(FILMS):
        plain = film(tmp_path / "photos" / f"{number}.mp4", ["red", "blue"][: number + 1])
        paths.append(plain.rename(plain.parent / name))
    (tmp_path / "photos" / os.fsdecode(b"no\npicture\xfe.png")).write_bytes(b"nothing")
    code, _, err = run("update", "photos")
    assert code == 0
    assert f"{len(paths)} new" in err
    assert "no%0Apicture%FE.png" in err
    return {path: path.read_bytes() for path in paths}


@pytest.fixture
def client(tmp_path: Path, media: dict[Path, bytes]) -> Iterator[TestClient]:
    assert media
    encoder = ColourEncoder("starter")
    with client_of(Library(Settings(library=tmp_path / "library", threads=2), lambda _: encoder)) as client:
        yield client


def test_the_command_line(media: dict[Path, bytes], run: Run) -> None:
    _, out, _ = run("search", "red", "-k", "50", "--json")
    found = json.loads(out)["results"]
    assert {Path(text_to_path(hit["source_path"])) for hit in found} == set(media)
    _, out, _ = run("search", "red", "-k", "50", "--paths")
    lines = out.split("\n")[:-1]
    assert len(lines) == len(media)
    assert {Path(text_to_path(line)) for line in lines} == set(media)
    for command in (["search", "red", "-k", "50"], ["status"], ["update", "--dry-run"]):
        code, out, err = run(*command)
        assert code == 0
        assert "\x1b" not in out + err
        (out + err).encode()  # no half characters, which a terminal would refuse
    _, out, _ = run("status", "--json")
    assert json.loads(out)["files"] == {"ok": len(media), "skipped": 1}
    _, out, _ = run("search", "red", "-k", "50", "--paths", "--folder", FOLDER)
    assert len(out.splitlines()) == len(PHOTOS) // 2
    assert run("update", "photos")[2].startswith(f"Files: 0 new, {len(media)} unchanged, 1 skipped")
    assert run("doctor", "--check-only")[:2] == (0, "")


def test_the_api(media: dict[Path, bytes], client: TestClient) -> None:
    found = client.get("/search?q=red&k=50").json()["results"]
    assert {Path(text_to_path(hit["source_path"])) for hit in found} == set(media)
    for hit in found:
        path = Path(text_to_path(hit["source_path"]))
        assert client.get(hit["frame_url"]).headers["content-type"] == "image/jpeg"
        assert client.get(f"/frame/{hit['frame_id']}/info").json()["name"] == hit["name"]
        for saved in (False, True):
            assert client.get(f"/original/{hit['frame_id']}", params={"save": saved}).content == media[path]
        inside = client.get("/search", params={"q": "red", "k": 50, "folder": hit["folder_id"]}).json()
        names = {other["name"] for other in inside["results"]}
        assert hit["name"] in names
        if hit["video_id"]:
            assert client.get(f"/video/{hit['video_id']}").content == media[path]
            clip = client.get(f"/video/{hit['video_id']}/clip", params={"start": 0, "end": 1})
            assert clip.status_code == 200
            assert client.get(f"/video/{hit['video_id']}/timeline?q=red").status_code == 200
    assert {hit["name"] for hit in found} >= {
        PHOTOS[0],
        PHOTOS[1],
        PHOTOS[2],
        "caf\ufffd.png",
        "\ufffd\n.mp4",
    }


def test_folders_are_whole(media: dict[Path, bytes], client: TestClient) -> None:
    """A folder is one, whatever the names in it are."""
    folders = client.get("/filters").json()["folders"]
    assert {folder["name"]: folder["items"] for folder in folders} == {
        "photos": len(media),
        "holi\ufffdday\nof \N{BEACH WITH UMBRELLA}": len(PHOTOS) // 2,
    }
    assert len(client.get("/browse?k=50").json()["results"]) == len(media)


def test_a_selection(media: dict[Path, bytes], client: TestClient) -> None:
    found = client.get("/search?q=red&k=50").json()["results"]
    form = {"frames": ",".join(str(hit["frame_id"]) for hit in found)}
    said = client.post("/selection", data=form).json()
    assert (said["files"], said["missing"]) == (len(media), [])
    with zipfile.ZipFile(io.BytesIO(client.post("/selection.zip", data=form).content)) as archive:
        assert archive.testzip() is None
        held = sorted(archive.read(name) for name in archive.namelist())
        archive.extractall(Path("unpacked"))
    assert held == sorted(media.values())
