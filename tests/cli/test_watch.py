"""`watch` as a person runs it: what comes, goes or moves is followed, another writer is waited out, Ctrl-C ends it."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from fakes import ColourEncoder, paint
from processes import importing_as_here
from semantic_media_search.cli import main
from semantic_media_search.cli.commands import care, models
from semantic_media_search.config import Settings
from semantic_media_search.embeddings.loading import load_encoder
from semantic_media_search.errors import LibraryBusyError, LibraryNotFoundError
from semantic_media_search.library import Library
from semantic_media_search.library.writer import open_writer

PATIENCE = 180.0
Watching = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return paint(tmp_path / "photos" / "red.png", "red").parent


@pytest.fixture
def watching(tmp_path: Path, photos: Path) -> Iterator[Watching]:
    begun: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "semantic_media_search", "watch", str(photos), *options]
        begun.append(
            subprocess.Popen(
                [*command, "--library", str(tmp_path / "library"), "--model", "starter"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=tmp_path,  # away from a `data/raw` that stands in the current folder, which a library reads too
                env=importing_as_here(),
            )
        )
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def _frames(folder: Path) -> int:
    try:
        return Library(Settings(library=folder), load_encoder).view().frame_count
    except LibraryNotFoundError:
        return 0


def _held(folder: Path) -> dict[int, str]:
    """The names of the files in the results, by frame_id."""
    try:
        view = Library(Settings(library=folder), load_encoder).view()
    except LibraryNotFoundError:
        return {}
    return {hit.frame.frame_id: Path(hit.frame.source_path).name for hit in view.search_text("red", 50)}


def _states(folder: Path) -> dict[str, int]:
    return Library(Settings(library=folder), load_encoder).status().files


class Updates:
    """What the updates of a process said that they did, as they say it."""

    def __init__(self, process: subprocess.Popen[str]):
        self._process = process
        self._said: list[dict[str, int]] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(json.loads(line))

    def come_to(self, **counts: int) -> bool:
        """Whether, within a while, this is what all updates did together."""
        return _wait_for(
            lambda: all(sum(update[of] for update in self._said) == count for of, count in counts.items())
        )


def _wait_for(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.2)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_comes_is_found_until_it_is_stopped(
    watching: Watching, tmp_path: Path, photos: Path, number: signal.Signals
) -> None:
    process = watching()
    assert _wait_for(lambda: _frames(tmp_path / "library") == 1)
    paint(photos / "blue.png", "blue")
    assert _wait_for(lambda: _frames(tmp_path / "library") == 2)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "Traceback" not in out + err


def test_another_writer_is_waited_out(watching: Watching, tmp_path: Path, photos: Path) -> None:
    process = watching()
    assert _wait_for(lambda: _frames(tmp_path / "library") == 1)
    with ExitStack() as held:

        def hold() -> bool:
            with suppress(LibraryBusyError):  # the first update may not be over yet
                held.enter_context(open_writer(tmp_path / "library"))
                return True
            return False

        assert _wait_for(hold)
        paint(photos / "blue.png", "blue")
        assert process.stderr is not None
        assert any("trying again" in line for line in process.stderr)
    paint(photos / "green.png", "green")
    assert _wait_for(lambda: _frames(tmp_path / "library") == 3)


def test_what_is_deleted_or_moved_is_followed(watching: Watching, tmp_path: Path, photos: Path) -> None:
    """A file that is renamed, or moved to another folder, keeps its frame and is not embedded again."""
    library = tmp_path / "library"
    paint(photos / "blue.png", "blue")
    paint(photos / "green.png", "green")
    updates = Updates(watching("--json"))
    assert _wait_for(lambda: _held(library) == {0: "blue.png", 1: "green.png", 2: "red.png"})
    (photos / "blue.png").unlink()
    assert _wait_for(lambda: _held(library) == {1: "green.png", 2: "red.png"})
    (photos / "green.png").rename(photos / "meadow.png")
    assert _wait_for(lambda: _held(library) == {1: "meadow.png", 2: "red.png"})
    (photos / "trip").mkdir()
    (photos / "red.png").rename(photos / "trip" / "sunset.png")
    assert _wait_for(lambda: _held(library) == {1: "meadow.png", 2: "sunset.png"})
    assert updates.come_to(embedded=3, moved=2, removed=1)


@pytest.mark.parametrize("mount_point_stays", [True, False])
def test_an_unplugged_folder_loses_nothing(
    watching: Watching, tmp_path: Path, photos: Path, mount_point_stays: bool
) -> None:
    """A folder that goes, or is empty of a sudden, as where its disk is unplugged: then it is back with what is new."""
    library = tmp_path / "library"
    paint(photos / "blue.png", "blue")
    updates = Updates(watching("--json"))
    whole = {0: "blue.png", 1: "red.png"}
    assert _wait_for(lambda: _held(library) == whole)
    photos.rename(tmp_path / "elsewhere")
    if mount_point_stays:
        photos.mkdir()
    assert _wait_for(lambda: _states(library) == {"unavailable": 2})
    assert _held(library) == whole
    paint(tmp_path / "elsewhere" / "green.png", "green")
    if mount_point_stays:
        shutil.rmtree(photos)
    (tmp_path / "elsewhere").rename(photos)
    assert _wait_for(lambda: _states(library) == {"ok": 3})
    assert _wait_for(lambda: _held(library) == whole | {2: "green.png"})
    paint(photos / "white.png", "white")  # and is followed as before
    assert _wait_for(lambda: _states(library) == {"ok": 4})
    assert updates.come_to(embedded=4, removed=0)


@pytest.mark.parametrize("named", [[], ["--model", "starter"]])
def test_a_model_that_was_changed_beside_it_is_followed(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, named: list[str]
) -> None:
    encoders = {"starter": ColourEncoder("starter"), "other": ColourEncoder("other", "07be2")}
    beside = Library(Settings(library=tmp_path / "library", threads=1), encoders.__getitem__)

    def rounds(*_: object) -> Iterator[None]:
        yield
        beside.build_index("other")
        paint(photos / "blue.png", "blue")
        yield

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "load_encoder", lambda name, **_: encoders[name])
    monkeypatch.setattr(care, "changes", rounds)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main(["watch", str(photos), "--library", str(tmp_path / "library"), *named]) == 0
    assert beside.view().generation.model.name == "other"
    assert len(beside.view().search_text("blue", 5)) == 2
    if named:  # begun with another model than the library's, it says so and ends
        assert main(["watch", "--library", str(tmp_path / "library"), *named]) == 1
