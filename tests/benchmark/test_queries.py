import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fakes import COLOURS, ColourEncoder, paint
from semantic_media_search.benchmark.engine.results import Result
from semantic_media_search.benchmark.queries import QueryBenchmark, measure_random
from semantic_media_search.cli import main
from semantic_media_search.cli.commands import models
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.search.brute_force import BruteForceIndex
from vectors import clustered, unit

ROOT = Path(__file__).parents[2]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number in range(24):
        paint(tmp_path / "photos" / f"{number}.png", list(COLOURS)[number % 6], seed=number)
    encoder = ColourEncoder("starter")
    monkeypatch.setattr(models, "load_encoder", lambda *_args, **_options: encoder)
    monkeypatch.chdir(tmp_path)
    assert main(["update", "photos", "--quiet"]) == 0
    return tmp_path


def test_the_plans_options_lines_and_schema(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = library / "data" / "benchmarks" / "latest.json"
    options = ["--queries", "a red cat", "blue", "--ef-search", "32", "64", "--k", "5", "--repeat", "3"]
    assert main(["benchmark", "queries", *options, "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert ", load " in printed
    assert f"Written to {output}" in printed
    for line in ("Average search latency: ", "P95 search latency: ", "HNSW recall@5 vs brute-force: 1.00"):
        assert line in printed
    document = json.loads(output.read_text())
    assert document["encode_ms"] > 0
    assert [(row["query"], row["ef_search"]) for row in document["per_query"]] == [
        ("a red cat", 32),
        ("a red cat", 64),
        ("blue", 32),
        ("blue", 64),
    ]
    row = document["per_query"][0]
    plans = [
        "query",
        "ef_search",
        "recall",
        "hnsw_ms",
        "brute_ms",
        "speedup",
        "hnsw_results",
        "brute_results",
    ]
    assert list(row)[:8] == plans
    assert len(row["hnsw_results"]) == len(row["brute_results"]) == 5
    assert row["speedup"] == pytest.approx(row["brute_ms"] / row["hnsw_ms"])
    assert list(document["aggregates"]) == ["32", "64"]
    keys = ["queries", "avg_recall", "avg_hnsw_ms", "avg_brute_ms", "avg_speedup"]
    assert list(document["aggregates"]["32"])[:5] == keys
    assert document["aggregates"]["32"]["queries"] == 2
    (section,) = Result.read(output).sections
    assert [row["search"] for row in section.rows] == ["exact", "graph, ef 32", "graph, ef 64"]
    assert all(len(row["mean of all queries"].repeats) == 3 for row in section.rows)
    assert main(["benchmark", "compare", str(output), str(output)]) == 0


def view_of(rows: np.ndarray, folder: Path) -> SimpleNamespace:
    """As much of a library's view as is measured, with a graph over all rows."""
    graph = HNSWIndex(rows.shape[1])
    graph.build(rows)
    graph.save(folder / "graph")
    return SimpleNamespace(
        generation=SimpleNamespace(index_file="graph", generation=1),
        paths=SimpleNamespace(generation=lambda number: folder),
        store=SimpleNamespace(vectors=rows, rows=len(rows), frame_ids=np.arange(len(rows)) + 1000),
    )


def test_the_graph_is_measured_and_not_exact_search_in_its_place(tmp_path: Path) -> None:
    """Rows without any structure are hard: at a small ef no graph finds all that exact search finds."""
    view = view_of(unit(np.random.default_rng(0).standard_normal((1_500, 64))), tmp_path)
    found = measure_random(view, 20, [10, 1_500], 10).to_json()  # type: ignore[arg-type]
    assert 0.3 < found["aggregates"]["10"]["avg_recall"] < 0.95
    assert found["aggregates"]["1500"]["avg_recall"] > 0.99
    assert any(row["hnsw_results"] != row["brute_results"] for row in found["per_query"])


def test_exact_search_and_every_ef_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(clustered(200, 16), tmp_path)
    asked: list[int] = []
    graphs, exact = HNSWIndex.search, BruteForceIndex.search
    monkeypatch.setattr(
        HNSWIndex, "search", lambda self, v, k, ef: asked.append(ef) or graphs(self, v, k, ef)
    )
    monkeypatch.setattr(BruteForceIndex, "search", lambda self, v, k: asked.append(0) or exact(self, v, k))
    found = measure_random(view, 4, [16, 32, 64], 5, 2)  # type: ignore[arg-type]
    rounds = [tuple(asked[start : start + 4]) for start in range(0, len(asked), 4)]
    assert len(rounds) == 1 + 4 * 2  # each is warmed up first
    assert all(set(one) == {0, 16, 32, 64} for one in rounds)
    assert sorted(one[0] for one in rounds[1:]) == sorted([0, 16, 32, 64] * 2)
    after_exact = [one[one.index(0) + 1] for one in rounds[1:] if one[-1] != 0]
    assert sorted(after_exact) == sorted([16, 32, 64] * 2)
    assert {ef: np.shape(times) for ef, times in found.times.items()} == dict.fromkeys(
        (0, 16, 32, 64), (4, 2)
    )


def test_the_script_does_what_the_plan_says(tmp_path: Path) -> None:
    for number in range(12):
        paint(tmp_path / "photos" / f"{number}.png", list(COLOURS)[number % 6], seed=number)
    assert main(["update", str(tmp_path / "photos"), "--quiet", "--library", str(tmp_path / "library"),
                 "--raw", str(tmp_path / "raw"), "--model", "starter"]) == 0  # fmt: skip
    options = ["--queries", "a cat", "a skyline at night", "--ef-search", "32", "64", "128", "--k", "5"]
    options += ["--repeat", "3", "--measure-build", "--output", "data/benchmarks/latest.json"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "benchmark.py"), *options],
        cwd=tmp_path,
        env=os.environ | {"MEDIA_SEARCH_LIBRARY": str(tmp_path / "library"), "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for ef in (32, 64, 128):
        at = lines.index(f"ef_search {ef}, 2 queries")
        starts = ["  Average search latency: ", "  P50 search latency: ", "  P95 search latency: "]
        starts += ["  P99 search latency: ", "  HNSW recall@5 vs brute-force: 1.00 "]
        assert all(line.startswith(start) for line, start in zip(lines[at + 1 :], starts, strict=False))
    document = json.loads((tmp_path / "data" / "benchmarks" / "latest.json").read_text())
    assert [(row["query"], row["ef_search"]) for row in document["per_query"]] == [
        (query, ef) for query in ("a cat", "a skyline at night") for ef in (32, 64, 128)
    ]
    assert all(len(row["hnsw_results"]) == 5 for row in document["per_query"])
    assert list(document["aggregates"]) == ["32", "64", "128"]
    assert document["build"]["vectors"] == 12


def test_random_queries_and_a_file_of_queries(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "queries", "--random", "20", "--ef-search", "24", "--k", "10"]) == 0
    printed = capsys.readouterr().out
    assert "ef_search 24, 20 queries" in printed
    assert "P99 search latency: " in printed
    stored = Result.read(library / "data" / "benchmarks" / "queries.json")
    assert (stored.environment["repeat"], "load" in stored.environment) == (1, True)
    assert (
        main(["benchmark", "queries", "--random", "4", "--repeat", "5", "--ef-search", "24", "32", "24"]) == 0
    )
    assert "ef_search 24, 4 queries" in capsys.readouterr().out
    (section,) = Result.read(library / "data" / "benchmarks" / "queries.json").sections
    assert all(len(row["mean of all queries"].repeats) == 5 for row in section.rows)
    (library / "queries.txt").write_text("red\n\ngreen\n")
    assert main(["benchmark", "queries", "--queries-file", "queries.txt"]) == 0
    assert "ef_search 32, 2 queries" in capsys.readouterr().out


def test_other_searches_are_not_compared(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"cat": ["--queries", "a cat"], "x": ["--queries", "x"], "random": ["--random", "1"]}
    for name, options in asked.items():
        options += ["--ef-search", "24", "--repeat", "3", "--output", f"{name}.json"]
        assert main(["benchmark", "queries", *options]) == 0
    for name in ("x", "random"):
        assert main(["benchmark", "compare", "cat.json", f"{name}.json"]) == 1
        assert "asked: a cat (texts " in capsys.readouterr().err
    assert main(["benchmark", "compare", "cat.json", "x.json", "--force"]) == 0


def test_more_results_than_there_are_vectors(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--queries", "red", "--ef-search", "64", "--k", "50", "--output", "out.json"]
    assert main(["benchmark", "queries", *asked]) == 0
    assert "The index holds 24 vectors, so that 24 results a search are measured, not 50." in (
        printed := capsys.readouterr().out
    )
    assert "recall@24" in printed
    document = json.loads((library / "out.json").read_text())
    assert document["k"] == document["environment"]["k"] == 24


def test_the_build_is_measured_elsewhere(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path for path in (library / "data").rglob("*") if path.suffix != ".sqlite-shm")
    assert main(["benchmark", "queries", "--queries", "red", "--measure-build", "--output", "out.json"]) == 0
    assert "embed and index 24 vectors" in capsys.readouterr().out
    assert json.loads((library / "out.json").read_text())["build"]["vectors"] == 24
    after = sorted(path for path in (library / "data").rglob("*") if path.suffix != ".sqlite-shm")
    assert [path for path in after if "catalog" not in path.name] == [
        p for p in before if "catalog" not in p.name
    ]


def test_percentiles_are_over_every_repeat() -> None:
    times = [[1.0, 1.0, 100.0], [2.0, 2.0, 2.0]]
    rows = [
        {"ef_search": 32, "recall": 1.0, "hnsw_ms": median, "brute_ms": 4.0, "speedup": 4.0 / median}
        for median in (1.0, 2.0)
    ]
    found = QueryBenchmark(5, 1.0, rows, {0: times, 32: times}).to_json()["aggregates"]["32"]
    assert found["avg_hnsw_ms"] == 1.5
    assert found["p50_hnsw_ms"] == 2.0
    assert found["p99_hnsw_ms"] > 90


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ef-search", "4", "--k", "5"), "ef_search 4 is below k 5"),
        (("--queries-file", "absent.txt"), "absent.txt"),
        (("--queries-file", "photos/0.png"), "cannot read the queries in photos/0.png"),
        (("--repeat", "0"), "--repeat"),
        (("--random", "5", "--queries", "red"), "--random takes the place of --queries"),
        (("--random", "5", "--queries-file", "absent.txt"), "--random takes the place of --queries"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    library: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert main(["benchmark", "queries", *options]) == 1
    assert message in capsys.readouterr().err
