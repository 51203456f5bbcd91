"""`watch` as a person runs it: files that come are found, another writer is waited out, Ctrl-C ends it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from fakes import paint
from processes import importing_as_here
from semantic_media_search.config import Settings
from semantic_media_search.embeddings.loading import load_encoder
from semantic_media_search.errors import LibraryBusyError, LibraryNotFoundError
from semantic_media_search.library import Library
from semantic_media_search.library.writer import open_writer

PATIENCE = 60.0


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return paint(tmp_path / "photos" / "red.png", "red").parent


@pytest.fixture
def watching(tmp_path: Path, photos: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    begun: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "semantic_media_search", "watch", str(photos)]
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


def _wait_for(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.2)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_comes_is_found_until_it_is_stopped(
    watching: Callable[[], subprocess.Popen[str]], tmp_path: Path, photos: Path, number: signal.Signals
) -> None:
    process = watching()
    assert _wait_for(lambda: _frames(tmp_path / "library") == 1)
    paint(photos / "blue.png", "blue")
    assert _wait_for(lambda: _frames(tmp_path / "library") == 2)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "Traceback" not in out + err


def test_another_writer_is_waited_out(
    watching: Callable[[], subprocess.Popen[str]], tmp_path: Path, photos: Path
) -> None:
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
