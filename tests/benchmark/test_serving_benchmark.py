"""`media-search benchmark start`, `serve`, `size` and `page` on a library of a few painted pictures."""

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from fakes import COLOURS, paint
from semantic_media_search.benchmark.engine.figures import number
from semantic_media_search.benchmark.engine.results import Result
from semantic_media_search.benchmark.engine.session import Session
from semantic_media_search.benchmark.serving import browser, processes, start_command
from semantic_media_search.benchmark.serving import library as serving_library
from semantic_media_search.benchmark.serving.library import recall_note, recall_of
from semantic_media_search.benchmark.serving.processes import get, run_program, serving
from semantic_media_search.cli import main
from semantic_media_search.config import Settings
from semantic_media_search.errors import LibraryError


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serving")
    for count, colour in enumerate(COLOURS):
        paint(folder / "photos" / f"{colour}.png", colour, seed=count)
    made = ["update", str(folder / "photos"), "--library", str(folder / "library")]
    assert main([*made, "--model", "starter", "--raw", str(folder / "raw"), "--quiet"]) == 0
    return folder / "library"


def measure(kind: str, library: Path, *options: str) -> Result:
    output = library.parent / f"{kind}.json"
    assert main(["benchmark", kind, "--library", str(library), "--output", str(output), *options]) == 0
    return Result.read(output)


def test_start(library: Path) -> None:
    (section,) = measure("start", library, "--rounds", "1").sections
    times = {str(row["process"]): number(row["time"]) or 0.0 for row in section.rows}
    assert times["python, doing nothing"] < times["media-search search"] < 60
    assert len(times) == 5
    assert any("nothing is compiled" in note for note in section.notes)
    searches = {row["process"]: row["recall"] for row in section.rows if row["recall"] is not None}
    assert len(searches) == 2
    assert set(searches.values()) == {1.0}


@pytest.mark.parametrize(
    ("rows", "recalls", "compiled"),
    [
        (5_000, {"search": 1.0, "serve": 0.98}, "media-search serve, and one search, compiling anew"),
        (100_000, {"search": 0.98, "serve": 0.98}, "media-search search, compiling anew"),
    ],
)
def test_start_says_of_each_search_whether_it_goes_by_the_graph(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
    recalls: dict[str, float],
    compiled: str,
) -> None:
    """`media-search search` compares all rows of a library of 5,000; the server walks the graph."""
    cold: list[str] = []

    def program(arguments: list[str], further: dict[str, str] | None = None) -> str:
        cold.extend(["search"] if further else [])
        return ""

    @contextmanager
    def server(place: Path, further: dict[str, str] | None = None) -> Iterator[SimpleNamespace]:
        cold.extend(["serve"] if further else [])
        yield SimpleNamespace(connect=lambda: SimpleNamespace(close=lambda: None))

    generation = SimpleNamespace(ef_search=80, recall=0.98, rows=rows)
    view = SimpleNamespace(index=object(), generation=generation)
    session = Session("start", lambda line: None, tmp_path / "start.json")
    monkeypatch.setattr(serving_library, "open_session", lambda *_: (session, view))
    monkeypatch.setattr(start_command, "run_program", program)
    monkeypatch.setattr(start_command, "run_command", lambda command: "")
    monkeypatch.setattr(start_command, "serving", server)
    monkeypatch.setattr(start_command, "get", lambda connection, path: b"")
    start_command.run(argparse.Namespace(rounds=1), Settings(), lambda line: None)
    (section,) = session.result.sections
    found = {str(row["process"]): row["recall"] for row in section.rows}
    assert found["media-search search"] == recalls["search"]
    assert found["media-search serve, and one search"] == recalls["serve"]
    assert [name for name in found if "compiling" in name] == [compiled]
    assert cold == [compiled.split()[1].rstrip(",")]
    assert found[compiled] == recalls[cold[0]] == 0.98
    assert any("compares all of them" in note for note in section.notes) == (rows < 100_000)
    assert any("by the graph at ef 80" in note for note in section.notes)


def test_serve(library: Path) -> None:
    (section,) = measure(
        "serve", library, "--rounds", "2", "--requests", "24", "--clients", "1", "4"
    ).sections
    assert [(row["clients"], row["words"]) for row in section.rows] == [
        (1, "asked before"),
        (1, "new words"),
        (4, "asked before"),
        (4, "new words"),
    ]
    for row in section.rows:
        p50, p95, p99 = (number(row[column]) for column in ("p50", "p95", "p99"))
        assert 0 < p50 <= p95 <= p99  # type: ignore[operator]
        assert number(row["throughput"]) > 0  # type: ignore[operator]
        assert row["recall"] == 1
    assert any("its searches are exact" in note for note in section.notes)


def test_recall_is_that_of_the_generation() -> None:
    generation = SimpleNamespace(ef_search=80, recall=0.98765)
    view = SimpleNamespace(index=object(), generation=generation)
    assert recall_of(view) == 0.9877  # type: ignore[arg-type]
    assert "at ef 80; recall against exact search, measured after the build: 0.9877" in recall_note(view)  # type: ignore[arg-type]
    generation.recall = None
    assert recall_of(view) is None  # type: ignore[arg-type]
    assert "was not measured" in recall_note(view)  # type: ignore[arg-type]


def test_a_server_that_says_much_is_not_stopped_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "server.py"
    script.write_text(
        "import socket, sys\n"
        "with socket.create_server(('127.0.0.1', 0)) as listener:\n"
        "    port = listener.getsockname()[1]\n"
        "    print(f'Serving http://127.0.0.1:{port} until Ctrl-C', file=sys.stderr, flush=True)\n"
        "    for _ in range(20_000):\n"
        "        print('a message that nobody waits for', file=sys.stderr)\n"
        "    connection, _ = listener.accept()\n"
        "    connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')\n"
        "    connection.recv(1000)\n"
        "    connection.close()\n"
        "    sys.stdin.read()\n"
    )
    monkeypatch.setattr(processes, "_PROGRAM", (sys.executable, str(script)))
    with serving(tmp_path) as server, closing(server.connect()) as connection:
        assert get(connection, "/") == b"ok"


def test_a_server_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "server.py"
    script.write_text("import sys\nsys.exit('no room for a library')\n")
    monkeypatch.setattr(processes, "_PROGRAM", (sys.executable, str(script)))
    with pytest.raises(LibraryError, match="ended with code 1: no room for a library"), serving(tmp_path):
        pass


def test_size(library: Path) -> None:
    disk, memory = measure("size", library, "--rounds", "1").sections
    sizes = {str(row["part"]): number(row["MB"]) or 0.0 for row in disk.rows}
    assert sizes["frames"] > 0
    assert sizes["vectors and index"] >= 6 * 768 * 4 / 1e6 - 0.01
    once = {(path.stat().st_ino): path.stat().st_size for path in library.rglob("*") if path.is_file()}
    assert sum(sizes.values()) == pytest.approx(sum(once.values()) / 1e6, abs=0.05)
    if memory.rows[0]["memory"] is not None:
        assert number(memory.rows[0]["memory"]) > 5  # type: ignore[operator]


@pytest.mark.browser
def test_page(library: Path) -> None:
    if not any(map(shutil.which, browser._NAMES)) and not os.environ.get("CI"):
        pytest.skip("no Chromium found")
    (section,) = measure("page", library, "--rounds", "2", "--searches", "2", "--key-ms", "20").sections
    half = {str(row["step"]): number(row["p50"]) or 0.0 for row in section.rows}
    assert list(half) == [
        "key to request",
        "request to answer",
        "answer to first tile",
        "key to first tile",
        "key to first thumbnail",
    ]
    assert all(len(row["p50"].repeats) == 2 for row in section.rows)  # type: ignore[union-attr]
    assert half["request to answer"] > 0
    assert half["key to first tile"] > 0
    assert half["key to first thumbnail"] >= half["key to first tile"]
    assert any("its searches are exact" in note for note in section.notes)


def test_the_page_needs_a_browser(
    library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(browser, "_NAMES", ("no-such-browser",))
    assert main(["benchmark", "page", "--library", str(library)]) == 1
    assert "no browser found under the names no-such-browser; install Chromium" in capsys.readouterr().err


def test_failures_are_said(library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LibraryError, match=r"search|no library|holds no"):
        run_program(["search", "x", "--library", str(tmp_path / "nowhere")])
    with (
        serving(library) as server,
        closing(server.connect()) as connection,
        pytest.raises(LibraryError, match="404"),
    ):
        get(connection, "/frame/999999")
    assert main(["benchmark", "serve", "--library", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err
