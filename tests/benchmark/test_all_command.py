"""`benchmark all`: every kind that can be measured here, with the options that are its own."""

import argparse
from pathlib import Path

import pytest

from benchmark_results import result
from semantic_media_search.benchmark import all_command, query_command, retrieval_command
from semantic_media_search.benchmark.index import command as index_command
from semantic_media_search.benchmark.kinds import module_of
from semantic_media_search.benchmark.media import ingest_command, media_command
from semantic_media_search.cli import main
from semantic_media_search.config import Settings


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
