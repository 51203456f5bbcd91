"""Libraries that cannot be written: they are searched as ever, and every change is refused before it begins."""

import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes import ColourEncoder, paint
from processes import importing_as_here
from semantic_media_search.config import Settings
from semantic_media_search.library import Library

Run = Callable[..., subprocess.CompletedProcess[str]]
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for colour in ("red", "green", "blue"):
        folder = paint(tmp_path / "photos" / f"{colour}.png", colour).parent
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "semantic_media_search",
                *arguments,
                "--library",
                str(tmp_path / "library"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=importing_as_here(),
            preexec_fn=_heed_permissions,
        )

    return run_command


def _heed_permissions() -> None:
    """Have the program that is run next obey the permissions of files, as root does not by itself."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            assert libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0


@pytest.fixture
def closed(tmp_path: Path, photos: Path, run: Run) -> Iterator[Path]:
    """A library whose folders may not be written."""
    made = run("update", "--model", "starter", str(photos))
    assert made.returncode == 0, made.stderr
    library = tmp_path / "library"
    folders = [library, *(path for path in library.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield library
    for folder in folders:
        folder.chmod(0o755)


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")  # the readers' marks
    }


def test_a_library_that_may_not_be_written(closed: Path, photos: Path, run: Run) -> None:
    before = _content(closed)
    assert "red.png" in run("search", "red", "--paths").stdout
    assert "3 of starter" in run("status").stdout
    (photos / "red.png").unlink()
    for command in (["update"], ["compact"], ["forget", str(photos)], ["index"], ["ingest"]):
        refused = run(*command)
        assert refused.returncode == 1, command
        assert "cannot write to the library folder" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert _content(closed) == before


def test_a_library_on_a_disk_that_is_mounted_read_only(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Library(Settings(library=tmp_path / "library", threads=1), lambda _: ColourEncoder())
    first.add_roots([photos])
    first.update("colours")
    with sqlite3.connect(tmp_path / "library" / "catalog.sqlite") as writer:
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = tmp_path / "disc"
    shutil.copytree(tmp_path / "library", copy, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    whole = os.statvfs(copy)
    mounted = os.statvfs_result([*whole[:8], whole.f_flag | os.ST_RDONLY, *whole[9:]])
    monkeypatch.setattr(os, "statvfs", lambda _: mounted)
    library = Library(Settings(library=copy), lambda _: ColourEncoder())
    assert library.view().search_text("red", 1)[0].frame.source_path.endswith("red.png")
    assert not list(copy.glob("catalog.sqlite-*")), "on such a disk nothing could have been made beside it"
