"""The measuring engine itself: turns, noise, verdicts, tables, files and pages."""

import argparse
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

from semantic_media_search.benchmark import all_command, query_command, retrieval_command
from semantic_media_search.benchmark.engine import charts
from semantic_media_search.benchmark.engine.charts import draw_svg
from semantic_media_search.benchmark.engine.compare import (
    BETTER,
    CHANGED,
    GONE,
    NO_RATIO,
    UNKNOWN,
    WITHIN_NOISE,
    WORSE,
    Difference,
    Machine,
    compare,
    incomparable,
    verdict,
)
from semantic_media_search.benchmark.engine.figures import Figure, Row, rate, times_as_fast
from semantic_media_search.benchmark.engine.memory import allocated, peak_memory, peak_of_tree
from semantic_media_search.benchmark.engine.results import Chart, Result, Section
from semantic_media_search.benchmark.engine.session import Session
from semantic_media_search.benchmark.engine.tables import cell_text, table_lines
from semantic_media_search.benchmark.engine.timing import in_turns, turns
from semantic_media_search.benchmark.environment import commit_of, environment
from semantic_media_search.benchmark.index import command as index_command
from semantic_media_search.benchmark.kinds import module_of
from semantic_media_search.benchmark.media import ingest_command, media_command
from semantic_media_search.cli import main
from semantic_media_search.config import Settings
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


def around(value: float, unit: str = "s", *, more: bool = False, seed: int = 0) -> Figure:
    noise = np.random.default_rng(seed).normal(0, 0.01, 7)
    return Figure(tuple(value * (1 + noise)), unit, more)


def test_verdicts_need_more_than_the_noise() -> None:
    assert verdict(around(1), around(1, seed=1))[2] == WITHIN_NOISE
    assert verdict(around(1), around(1.2, seed=1))[2] == WORSE
    assert verdict(around(1), around(0.8, seed=1))[2] == BETTER
    assert verdict(around(1, more=True), around(0.8, more=True))[2] == WORSE
    assert verdict(around(1), Figure((2.0, 2.0), "s"))[2] == UNKNOWN
    noisy = Figure((0.5, 1.0, 1.5, 0.7, 1.3), "s")
    assert verdict(noisy, around(1.3))[2] == WITHIN_NOISE


@pytest.mark.parametrize("repeats", [3, 4, 5, 9])
def test_equal_measurements_hardly_ever_get_a_verdict(repeats: int) -> None:
    random = np.random.default_rng(5)
    pairs = [[Figure(tuple(random.lognormal(0, 0.1, repeats)), "s") for _ in range(2)] for _ in range(300)]
    called = sum(verdict(before, after)[2] != WITHIN_NOISE for before, after in pairs)
    assert called <= 2


@pytest.mark.parametrize(("repeats", "spread"), [(3, 0.01), (5, 0.03), (7, 0.05)])
def test_a_change_of_30_percent_is_seen_where_repeats_do_not_scatter_widely(
    repeats: int, spread: float
) -> None:
    random = np.random.default_rng(6)

    def figure(times: float) -> Figure:
        return Figure(tuple(times * random.lognormal(0, spread, repeats)), "s")

    pairs = [(figure(1), figure(1.3 if number % 2 else 1 / 1.3)) for number in range(100)]
    found = [verdict(before, after)[2] for before, after in pairs]
    assert sum(one == (WORSE if number % 2 else BETTER) for number, one in enumerate(found)) >= 95


def test_what_a_comparison_could_have_shown_is_said() -> None:
    quiet, noisy = around(1), Figure((0.5, 1.0, 1.5, 0.7, 1.3), "s")
    times = [
        Difference("", before, after, *verdict(before, after)).visible
        for before, after in ((quiet, around(1, seed=1)), (noisy, noisy), (quiet, Figure((2.0,), "s")))
    ]
    assert times[0] is not None
    assert times[1] is not None
    assert 1.03 < times[0] < 1.1 < times[1]
    assert times[2] is None
    assert (
        verdict(quiet, Figure(tuple(times[0] * 1.02 * t for t in around(1, seed=1).repeats), "s"))[2] == WORSE
    )


def test_a_machine_that_got_slower_is_no_news() -> None:
    slower = Machine(1.1, 1.4, 1.25)
    assert verdict(around(1), around(1.25), slower)[2] == WITHIN_NOISE
    assert verdict(around(1), around(1.6), slower)[2] == WORSE
    assert verdict(around(1, "/s", more=True), around(0.8, "/s", more=True), slower)[2] == WITHIN_NOISE
    assert verdict(around(1, "x", more=True), around(0.8, "x", more=True), slower)[2] == WORSE


def result(value: float, plain: float = 1.0, benchmark: str = "index", fixed: float = 1.0) -> Result:
    section = Section("part", "Part", ("name",), [{"name": "one", "time": around(value), "size": plain}])
    section.rows.append({"name": f"only in {value}", "time": around(1)})
    return Result(benchmark, {"calibration": around(fixed).to_json()}, [section])


def test_results_are_compared_where_both_have_a_figure(tmp_path: Path) -> None:
    found = compare(result(1), result(2, plain=3))
    assert [(one.place, one.verdict) for one in found] == [
        ("part, one, time", WORSE),
        ("part, one, size", CHANGED),
        ("part, only in 1", GONE),
    ]
    assert compare(result(1), result(2, fixed=2))[0].verdict == WITHIN_NOISE
    with pytest.raises(ConfigError, match="same kind"):
        compare(result(1), result(1, benchmark="serve"))


@pytest.mark.parametrize(
    ("name", "value"), [("rows", 20_000), ("model", "other"), ("processor", "other"), ("split", None)]
)
def test_runs_on_other_data_or_machines_are_compared_only_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, value: object
) -> None:
    facts = {"rows": 10_000, "model": "starter", "processor": "one", "split": "dev"}
    runs = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, further in zip(runs, ({}, {name: value, "load": 3.0, "numpy": "9"}), strict=True):
        one = result(1)
        one.environment |= facts | further
        one.write(path)
    asked = ["benchmark", "compare", *map(str, runs)]
    assert main(asked) == 1
    refused = capsys.readouterr().err
    assert f"{name}: {facts[name]} and {value}" in refused
    assert "--force" in refused
    assert "numpy" not in refused
    assert main([*asked, "--force"]) == 0
    assert main(["benchmark", "compare", str(runs[0]), str(runs[0])]) == 0


def test_sections_of_other_titles_were_not_measured_on_the_same() -> None:
    other = result(1)
    other.sections[0].title = "Part: 7 vectors"
    assert incomparable(result(1), other) == ["part: 'Part' and 'Part: 7 vectors'"]
    assert incomparable(result(1), result(2)) == []


def test_what_is_no_longer_there_is_the_worst_news(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = result(1), result(1)
    for one, speed in ((before, around(100, "/s", more=True)), (after, None)):
        rows: list[Row] = [{"recall": "0.99", "index": "ours", "speed": speed}]
        one.sections.append(Section("at-recall", "At recall", ("recall", "index"), rows))
    before.sections[1].rows.append({"recall": "0.99", "index": "a peer", "speed": around(1)})
    before.sections.append(Section("growth", "Growth", ("n",), [{"n": 1, "time": around(1)}]))
    found = compare(before, after)
    assert [(one.place, one.verdict) for one in found if one.verdict != WITHIN_NOISE] == [
        ("at-recall, 0.99 ours, speed", GONE),
        ("at-recall, 0.99 a peer", GONE),
        ("growth", GONE),
    ]
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, one in zip(paths, (before, after), strict=True):
        one.write(path)
    assert main(["benchmark", "compare", *map(str, paths)]) == 0
    printed = capsys.readouterr().out
    assert "no longer there: at-recall, 0.99 ours, speed: 100/s" in printed
    assert "no longer there: growth\n" in printed
    assert "5 figures: 3 no longer there, 0 worse" in printed
    assert [one.verdict for one in compare(after, before) if one.verdict != WITHIN_NOISE] == [CHANGED]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), WITHIN_NOISE),
        ((0.0, 1.0, 2.0), (1.0, 2.0, 3.0), WITHIN_NOISE),
        ((5.0, 5.1, 5.2), (0.0, 0.0, 0.0), NO_RATIO),
        ((-2.0, -2.1, -2.2), (-4.0, -4.1, -4.2), NO_RATIO),
    ],
)
def test_figures_that_are_not_above_0_have_no_ratio(
    before: tuple[float, ...], after: tuple[float, ...], said: str
) -> None:
    assert verdict(Figure(before, "MB"), Figure(after, "MB")) == (None, None, said)


def test_the_commands_compare_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after, page = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "page.html"
    result(1).write(before)
    result(2).write(after)
    assert main(["benchmark", "compare", str(before), str(after)]) == 0
    printed = capsys.readouterr().out
    assert "part, one, time: 1.00 s" in printed
    assert ": worse" in printed
    assert "2 figures: 1 no longer there, 1 worse, 0 better" in printed
    assert "Half of them would have shown a change of " in printed
    assert main(["benchmark", "compare", str(before), str(before), "--all"]) == 0
    assert ": within noise" in capsys.readouterr().out
    assert main(["benchmark", "report", str(before), "--output", str(tmp_path / "tables.md")]) == 0
    assert "| name | time | size |" in (tmp_path / "tables.md").read_text(encoding="utf-8")
    pytest.importorskip("matplotlib")
    stored = Result.read(after)
    stored.sections[0].title = "<b>Part</b>"
    stored.sections[0].charts.append(Chart("Times", "name", "time"))
    stored.write(after)
    assert main(["benchmark", "report", str(before), str(after), "--output", str(page)]) == 0
    html = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;Part&lt;/b&gt;" in html
    assert html.count("<svg") == 1
    assert "http" not in html.replace("http://www.w3.org", "").replace("https://matplotlib.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "")


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


def test_results_of_two_commits_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, further in zip(paths, ({"commit": "one"}, {"commit": "two", "memory": "2.0 GiB"}), strict=True):
        one = result(1)
        one.environment |= further
        one.write(path)
    assert main(["benchmark", "compare", *map(str, paths)]) == 0
    assert "commit: one -> two" in capsys.readouterr().out


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


def test_all_leaves_out_what_cannot_be_measured_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, object] = {}

    def run(arguments: argparse.Namespace, settings: object, say: object) -> None:
        asked["count"], asked["pictures"] = arguments.count, arguments.pictures
        result(1).write(arguments.output)

    monkeypatch.setattr(media_command, "run", run)
    monkeypatch.chdir(tmp_path)
    only = ["--only", "media", "ingest", "size", "--pictures", "holidays"]
    assert main(["benchmark", "all", *only, "--library", "nowhere", "--output", "out"]) == 0
    printed = capsys.readouterr().out
    assert "left out: give --model FOLDER" in printed
    assert "left out: " in printed.partition("#### benchmark size")[2]
    assert asked == {"count": 4, "pictures": Path("holidays")}
    assert "<h3>Part</h3>" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_all_passes_on_what_each_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, argparse.Namespace] = {}
    kinds = {"queries": query_command, "retrieval": retrieval_command, "index": index_command}
    for kind, module in kinds.items():

        def run(arguments: argparse.Namespace, settings: object, say: object, kind: str = kind) -> None:
            asked[kind] = arguments
            result(1, benchmark=kind).write(arguments.output)

        monkeypatch.setattr(module, "run", run)
    monkeypatch.chdir(tmp_path)
    where = ["--photos", "p", "--captions", "c.json", "--split", "dev", "--output", "out"]
    assert main(["benchmark", "all", "--only", *kinds, "--scale", "full", *where]) == 0
    assert list(asked) == ["queries", "retrieval", "index"]
    assert asked["queries"].random == 1000
    for kind in ("retrieval", "index"):
        found = asked[kind]
        assert (found.photos, found.captions, found.split) == (Path("p"), Path("c.json"), "dev")
    asked.clear()
    assert main(["benchmark", "all", "--only", *kinds, "--output", "out"]) == 0
    assert list(asked) == ["queries", "index"]


def test_the_export_that_ingest_is_measured_with_is_no_model_of_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, object] = {}
    for kind, module in {"queries": query_command, "ingest": ingest_command}.items():

        def run(arguments: argparse.Namespace, settings: Settings, say: object, kind: str = kind) -> None:
            seen[kind] = settings.model if kind == "queries" else arguments.model
            result(1, benchmark=kind).write(arguments.output)

        monkeypatch.setattr(module, "run", run)
    monkeypatch.chdir(tmp_path)
    assert (
        main(["benchmark", "all", "--only", "queries", "ingest", "--model", "export", "--output", "out"]) == 0
    )
    assert seen == {"queries": Settings().model, "ingest": Path("export")}


@pytest.mark.parametrize("scale", [all_command._SMALL, all_command._FULL])
def test_the_options_of_each_scale_are_ones_that_its_kind_takes(scale: dict[str, list[str]]) -> None:
    for kind, options in scale.items():
        parser = argparse.ArgumentParser()
        module_of(kind).add_arguments(parser)
        needed = ["--model", "x"] if kind == "ingest" else []
        parser.parse_args([*options, *needed])


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
