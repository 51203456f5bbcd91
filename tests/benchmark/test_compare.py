"""Two results held against each other: what is a change, and what is noise."""

from pathlib import Path

import numpy as np
import pytest

from benchmark_results import around, result
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
from semantic_media_search.benchmark.engine.figures import Figure, Row
from semantic_media_search.benchmark.engine.results import Chart, Result, Section
from semantic_media_search.cli import main
from semantic_media_search.errors import ConfigError


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


def test_results_of_two_commits_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, further in zip(paths, ({"commit": "one"}, {"commit": "two", "memory": "2.0 GiB"}), strict=True):
        one = result(1)
        one.environment |= further
        one.write(path)
    assert main(["benchmark", "compare", *map(str, paths)]) == 0
    assert "commit: one -> two" in capsys.readouterr().out
