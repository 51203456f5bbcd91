"""The measuring engine itself: turns, noise, verdicts, tables, files and pages."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest

from benchmark_results import result
from semantic_media_search.benchmark import all_command
from semantic_media_search.benchmark.engine import charts
from semantic_media_search.benchmark.engine.charts import draw_svg
from semantic_media_search.benchmark.engine.figures import Figure, Row, rate, times_as_fast
from semantic_media_search.benchmark.engine.memory import allocated, peak_memory, peak_of_tree
from semantic_media_search.benchmark.engine.results import Chart, Result, Section
from semantic_media_search.benchmark.engine.session import Session
from semantic_media_search.benchmark.engine.tables import cell_text, table_lines
from semantic_media_search.benchmark.engine.timing import in_turns, turns
from semantic_media_search.benchmark.environment import commit_of, environment
from semantic_media_search.benchmark.index import command as index_command
from semantic_media_search.benchmark.media import media_command
from semantic_media_search.cli import main
from semantic_media_search.errors import ConfigError


def test_jobs_take_turns_and_each_goes_first_in_its_turn() -> None:
    order: list[str] = []
    times = in_turns({name: lambda name=name: order.append(name) for name in "abc"}, 3)
    assert "".join(order) == "abc" + "abcbcacab"
    assert {name: len(taken) for name, taken in times.items()} == {"a": 3, "b": 3, "c": 3}


@pytest.mark.parametrize("count", range(8))
def test_each_goes_first_and_follows_each_other_equally_often(count: int) -> None:
    rounds = [turns(range(count), number) for number in range(2 * count)]
    assert all(sorted(order) == list(range(count)) for order in rounds)
    assert sorted(order[0] for order in rounds) == sorted([*range(count)] * 2)
    followed = Counter(pair for order in rounds for pair in pairwise(order))
    assert followed == dict.fromkeys(permutations(range(count), 2), 2)


def test_short_jobs_are_done_often_enough_and_their_time_is_that_of_once() -> None:
    calls = 0

    def job() -> None:
        nonlocal calls
        calls += 1
        sum(range(2_000))

    (times,) = in_turns({"job": job}, 3, at_least=0.005).values()
    assert calls > 10
    assert all(0 < taken < 0.005 for taken in times)


def test_a_figure_is_its_median_with_a_robust_spread() -> None:
    figure = Figure((1.0, 1.1, 0.9, 50.0, 1.0), "s")
    assert figure.value == 1.0
    assert figure.spread == pytest.approx(0.148, abs=0.01)
    assert Figure((3.0,), "s").spread is None
    assert Figure.from_json(json.loads(json.dumps(figure.to_json()))) == figure
    with pytest.raises(ValueError, match="at least one"):
        Figure((), "s")
    with pytest.raises(ConfigError):
        Figure.from_json({"unit": "s"})


def test_rates_and_ratios_are_made_turn_by_turn() -> None:
    assert rate(10, [2.0, 5.0]).repeats == (5.0, 2.0)
    assert times_as_fast([1.0, 2.0], [3.0, 8.0]).repeats == (3.0, 4.0)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "-"),
        ("words", "words"),
        (7, "7"),
        (12_345, "12,345"),
        (0.12345, "0.1235"),
        (Figure((1234.0,), "/s"), "1,234/s"),
        (Figure((0.5, 0.5), "s"), "0.500 s ±0%"),
        (Figure((2.5,), "x"), "2.50x"),
    ],
)
def test_cells_in_print(cell: object, text: str) -> None:
    assert cell_text(cell) == text  # type: ignore[arg-type]


def test_without_matplotlib_the_page_has_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(charts, "find_spec", lambda name: None)
    drawn = result(1)
    drawn.sections[0].charts.append(Chart("Times", "name", "time"))
    drawn.write(tmp_path / "a.json")
    page = tmp_path / "page.html"
    assert main(["benchmark", "report", str(tmp_path / "a.json"), "--output", str(page)]) == 0
    html = page.read_text(encoding="utf-8")
    assert "<h3>Part</h3>" in html
    assert "<td>one</td>" in html
    assert "matplotlib is not installed" in html
    assert "<svg" not in html


@pytest.mark.parametrize("kind", ["all", "index", "report"])
def test_a_file_in_the_way_is_found_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    result(1).write(tmp_path / "a.json")
    done: list[str] = []
    monkeypatch.setattr(media_command, "run", lambda *_: done.append("media"))
    monkeypatch.setattr(index_command, "encoded_sentences", lambda *_: done.append("encoded"))
    monkeypatch.setattr(index_command, "sentences_of", lambda *_: ["one"])
    options = {
        "all": ["--only", "media", "--output", "file"],
        "index": ["--output", "file/x.json"],
        "report": ["a.json", "--output", "file/x.html"],
    }
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", kind, *options[kind]]) == 1
    assert "choose another --output" in capsys.readouterr().err
    assert done == []


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 1}', '{"schema": 99}'])
def test_files_that_are_no_results_are_refused(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "latest.json"
    path.write_text(content)
    assert main(["benchmark", "report", str(path)]) == 1
    assert "latest.json" in capsys.readouterr().err


def test_a_session_prints_writes_and_draws(tmp_path: Path) -> None:
    said: list[str] = []
    session = Session("index", said.append, tmp_path / "deep" / "out.json", model="none")
    rows = [{"n": n, "speed": Figure((float(n),), "/s", more_is_better=True)} for n in (1, 2, 4)]
    session.add(
        Section("growth", "Growth", ("n",), rows, ["a note"], [Chart("Speed", "n", "speed", log_x=True)])
    )
    session.close()
    assert "== Growth" in said
    assert "   a note" in said
    assert "model none" in said[1]
    assert "numpy " in said[1]
    stored = Result.read(tmp_path / "deep" / "out.json")
    assert stored.sections[0].rows == rows
    assert {"date", "processor", "load", "model", "calibration"} <= set(stored.environment)
    if (tmp_path / "deep" / "out-growth.png").exists():
        assert (tmp_path / "deep" / "out-growth.png").read_bytes()[:4] == b"\x89PNG"


def test_a_result_names_memory_and_commit(tmp_path: Path) -> None:
    if hasattr(os, "sysconf"):
        assert 0 < float(str(environment()["memory"]).removesuffix(" GiB")) < 1e5
    assert environment().get("commit") == commit_of(Path(all_command.__file__))
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def git(*words: str) -> str:
        author = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        command = ["git", *author, *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    known, other = tmp_path / "known.py", tmp_path / "other.py"
    known.write_text("")
    other.write_text("")
    assert commit_of(known) is None
    git("init", "--quiet")
    git("add", "known.py")
    git("commit", "--quiet", "--message", "one")
    head = git("rev-parse", "HEAD").strip()
    assert commit_of(known) == head
    assert commit_of(other) is None
    known.write_text("changed")
    assert commit_of(known) == f"{head}-dirty"


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file" / "out.json", tmp_path):
        with pytest.raises(ConfigError, match="choose another --output"):
            Session("index", print, place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("given", ["0", "-3", "many"])
def test_nothing_is_measured_no_times(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in (
        ["serve", "--clients"],
        ["size", "--rounds"],
        ["pipeline", "--count"],
        ["index", "--growth"],
    ):
        with pytest.raises(SystemExit):
            main(["benchmark", *option, given])
        assert "at least 1" in (said := capsys.readouterr().err) or "no whole number" in said


def test_charts_show_units_the_fitted_power_and_what_each_bar_comes_to() -> None:
    pytest.importorskip("matplotlib")
    rows: list[Row] = [
        {"n": n, "part": f"part {n}", "time": Figure((0.9 * n**2, 1.0 * n**2, 1.2 * n**2), "ms"), "once": n}
        for n in (1, 10, 2000)
    ]
    growth = draw_svg(
        Chart("Growth", "n", "time", log_x=True, log_y=True, fit=True), Section("s", "S", ("n",), rows)
    )
    for text in ("Growth", "time (ms)", "N^2.00", "2,000", "10,000"):
        assert f">{text}</text>" in growth, text
    bars = draw_svg(Chart("Bars", "part", "time"), Section("s", "S", ("part",), rows))
    for text in ("part 2000", "4,000,000", "time (ms)"):
        assert f">{text}</text>" in bars, text
    assert "<svg" in draw_svg(
        Chart("One", "n", "once", log_x=True, fit=True), Section("s", "S", ("n",), rows[:1])
    )


def test_tables_align() -> None:
    section = Section("s", "S", ("name",), [{"name": "a", "n": 1}, {"name": "long", "n": 1000, "more": None}])
    assert list(table_lines(section)) == ["== S", "name      n  more", "a         1  -", "long  1,000  -"]


def test_memory_is_that_of_what_was_held() -> None:
    with allocated() as held:
        kept = np.ones(3_000_000, np.uint8)
        np.ones(9_000_000, np.uint8)
    assert len(kept) <= (held.bytes or 0) < 4_000_000
    with peak_memory() as small:
        pass
    with peak_memory() as large, peak_of_tree() as tree:
        np.ones(80_000_000, np.uint8)
        for _ in range(20):
            np.ones(80_000_000, np.uint8)
    if small.bytes is None or large.bytes is None:
        pytest.skip("this system does not say how much memory a process holds")
    assert 60_000_000 < large.bytes - small.bytes < 120_000_000
    assert tree.bytes is not None
