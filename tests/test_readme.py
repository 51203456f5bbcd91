"""Each command that the README shows is run here, in its order, in a copy of the project, as a person would."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from colour_library import ENCODERS
from semantic_media_search.api.server import create_app
from semantic_media_search.config import Settings
from semantic_media_search.library import Library

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SERVERS = ("python scripts/run_server.py", "media-search serve")


def readme_commands() -> list[str]:
    """Every line of the README's bash blocks."""
    blocks = re.findall(
        r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows, in a folder of their own, and a home with one picture in it."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, clone: Path) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    (home / "Pictures").mkdir()
    (home / ".config").mkdir()
    if (Path.home() / ".config" / "pip").is_dir():  # where this machine gets its packages from
        shutil.copytree(Path.home() / ".config" / "pip", home / ".config" / "pip")
    return os.environ | {
        "HOME": str(home),
        "HF_HOME": str(home / "hub"),
        "HF_HUB_OFFLINE": "1",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone / "src"),
        "NUMBA_CACHE_DIR": str(home / "numba"),
    }


def _run(command: str, clone: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=clone, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@contextmanager
def _serving(command: str, clone: Path, environment: dict[str, str]) -> Iterator[None]:
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 8000)) != 0, "something else listens on port 8000"
    process = subprocess.Popen(shlex.split(command), cwd=clone, env=environment)
    try:
        for _ in range(200):
            try:
                with urllib.request.urlopen("http://127.0.0.1:8000/health", timeout=5) as answer:
                    assert answer.status == 200
                    break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) in (0, 130, -signal.SIGINT)


def test_every_command_of_the_readme_runs(clone: Path, environment: dict[str, str]) -> None:
    venv = BIN.parent
    for stamp in ("ready", "ready-dev"):  # this environment has what the requirement files name
        assert (venv / stamp).exists() or os.environ.get("CI") != "true"
    server = ""
    seen = set()
    for command in readme_commands():
        seen.add(command.split()[0])
        if command == "make run":
            out = _run(f"make run SERVE=0 VENV={venv} -o {venv}/ready", clone, environment)
            assert out.count("similarity  moment    file") == 3
            assert "chelsea.png" in out
        elif command == "make test":
            out = _run(
                f"make --dry-run test VENV={venv} -o {venv}/ready -o {venv}/ready-dev", clone, environment
            )
            assert "scripts/check.py" in out
        elif command.startswith("pip install"):
            assert (clone / command.split()[-1]).is_file()  # test_fresh_environment installs it for real
        elif command in SERVERS:
            server = command
            with _serving(command, clone, environment):
                pass
        elif command.startswith("curl"):
            with _serving(server, clone, environment):
                assert '"results"' in _run(
                    command.replace("curl", "curl --silent --fail"), clone, environment
                )
        else:
            _run(command, clone, environment)
    assert seen == {"make", "pip", "python", "curl", "media-search"}


def test_the_table_names_every_address(tmp_path: Path) -> None:
    settings = Settings(library=tmp_path)
    served = create_app(settings, Library(settings, ENCODERS.__getitem__)).openapi()["paths"]
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## API")[2]
    named = set(re.findall(r"`(?:GET|POST) ([^`?]+)", table))
    assert set(served) <= named
    assert named - set(served) == {"/"}


@pytest.mark.exhaustive
def test_fresh_environment(clone: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """The plan's commands in an empty virtual environment, after nothing but `pip install -r requirements.txt`."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    fresh = environment | {"PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    fresh.pop("PYTHONPATH")
    _run("pip install --quiet -r requirements.txt", clone, fresh)
    _run("python scripts/fetch_samples.py", clone, fresh)
    _run("python scripts/ingest_all.py", clone, fresh)
    _run("python scripts/build_index.py", clone, fresh)
    with _serving("python scripts/run_server.py", clone, fresh):
        address = "http://localhost:8000/search?q=red%20hoodie%20dog&k=10"
        assert '"similarity"' in _run(f'curl --silent --fail "{address}"', clone, fresh)
