"""Reading and ingest beside others, on tiny data; that it is as fast as promised is for the exhaustive tests."""

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from semantic_media_search.benchmark.engine import timing
from semantic_media_search.benchmark.engine.figures import Figure, number
from semantic_media_search.benchmark.engine.results import Result
from semantic_media_search.benchmark.media import ingest_command, media_command, pipeline_command
from semantic_media_search.benchmark.media.contests import contest, photo_contests, video_contests
from semantic_media_search.benchmark.media.peers import rclip_like, transformers_pipeline
from semantic_media_search.benchmark.media.pipeline_command import packing_section
from semantic_media_search.benchmark.media.samples import (
    VIDEO_KINDS,
    many_photos,
    textured_pictures,
    write_photos,
    write_videos,
)
from semantic_media_search.benchmark.media.stages import StageTimes
from semantic_media_search.cli import main
from semantic_media_search.embeddings.catalog import KNOWN_MODELS
from semantic_media_search.errors import ConfigError
from video_makers import write_video


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two photographs of 12 megapixels."""
    return write_photos(tmp_path_factory.mktemp("photos"), textured_pictures(2, side=100), 2)


def test_a_contest_is_a_ratio_of_turns() -> None:
    row = contest("job", "peer", 10, lambda: None, lambda: sum(range(200_000)), 3)
    assert number(row["ratio"]) > 1  # type: ignore[operator]
    assert isinstance(row["ours"], Figure)
    assert len(row["ours"].repeats) == 3


def test_photos_are_read_faithfully(photos: Sequence[Path]) -> None:
    rows = list(photo_contests(photos[:1], rounds=1))
    assert rows[0]["beside"] == "Pillow, full decode"
    assert all(0 < number(row["apart"]) < 1.0 for row in rows)  # type: ignore[operator]


def test_videos_are_read_at_the_asked_instants(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    (row,) = video_contests({"small": write_video(tmp_path / "a.mp4", frames=75)}, 1.0, rounds=1)
    assert number(row["apart"]) <= 0.5  # type: ignore[operator]


def test_many_photos_are_few_files(photos: Sequence[Path], tmp_path: Path) -> None:
    names = many_photos(tmp_path / "many", photos, 5)
    assert len({name.name for name in names}) == 5
    assert names[0].read_bytes() == names[2].read_bytes() == photos[0].read_bytes()


def test_photographs_can_be_made_of_a_persons_own(tmp_path: Path, photos: Sequence[Path]) -> None:
    assert len(media_command.pictures_of(photos[0].parent, 1)) == 1
    with pytest.raises(ConfigError, match=r"no \.jpg"):
        media_command.pictures_of(tmp_path, 1)


def test_packing_by_hand() -> None:
    def times(*seconds: float) -> dict[str, StageTimes]:
        return {str(place): StageTimes([second], None) for place, second in enumerate(seconds)}

    section = packing_section(
        alone=[times(1.0, 3.0)],
        together=[[times(2.0, 6.0), times(2.0, 6.0)]],
        photos=4,
        ingests=[10.0],
        ingested=8,
        cores=2,
        peak=None,
    )
    assert [number(row["photos"]) for row in section.rows] == [2.0, 1.0, 0.8]
    assert [number(row["ingest reaches"]) for row in section.rows] == pytest.approx([40, 80, 100])


def test_the_pipeline_command(
    tmp_path: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(media_command, "write_photos", lambda *_: photos)
    output = tmp_path / "pipeline.json"
    options = ["--count", "3", "--rounds", "1", "--vectors", "300", "--output", str(output)]
    assert main(["benchmark", "pipeline", *options]) == 0
    stages, packing = Result.read(output).sections
    names = ["read, content hash", "decode", "resize", "JPEG", "perceptual hash", "encode", "write"]
    assert [row["stage"] for row in stages.rows] == [*names, "index of 300 vectors"]
    assert all(number(row["items a second"]) > 0 for row in stages.rows)  # type: ignore[operator]
    assert 0 < number(packing.rows[0]["ingest reaches"]) < 150  # type: ignore[operator]
    assert number(stages.rows[-1]["recall@10 at ef 50"]) > 0.9  # type: ignore[operator]
    assert "Stages perfectly packed" in capsys.readouterr().out


def test_what_the_pipeline_command_measures_takes_turns(
    tmp_path: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def at_once(processes: int, request: object) -> list[dict[str, StageTimes]]:
        order.append("alone" if processes == 1 else "together")
        return [{"read": StageTimes([1.0], None)}] * processes

    monkeypatch.setattr(media_command, "write_photos", lambda *_: photos)
    monkeypatch.setattr(pipeline_command, "measure_at_once", at_once)
    monkeypatch.setattr(pipeline_command, "_seconds_to_ingest", lambda *_: order.append("ingest") or 1.0)
    options = ["--count", "2", "--rounds", "3", "--vectors", "300"]
    monkeypatch.setenv("MEDIA_SEARCH_THREADS", "2")
    assert main(["benchmark", "pipeline", *options, "--output", str(tmp_path / "out.json")]) == 0
    warm_up, *measured = order
    assert warm_up == "ingest"
    rounds = [measured[start : start + 3] for start in (0, 3, 6)]
    assert [one[0] for one in rounds] == ["alone", "together", "ingest"]
    assert all(set(one) == {"alone", "together", "ingest"} for one in rounds)


def test_an_rclip_like_pipeline_gives_one_vector_a_photo(tmp_path: Path, photos: list[Path]) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["pixel_values", "axes"], ["image_embeds"], keepdims=0)],
        "means",
        [helper.make_tensor_value_info("pixel_values", kinds.FLOAT, ["b", 3, 224, 224])],
        [helper.make_tensor_value_info("image_embeds", kinds.FLOAT, ["b", 3])],
        [helper.make_tensor("axes", kinds.INT64, [2], [2, 3])],
    )
    (tmp_path / "onnx").mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(tmp_path / "onnx" / "vision_model.onnx"))
    paths = [*photos, *photos, *photos, *photos, *photos]
    named = many_photos(tmp_path / "many", photos, len(paths))
    rclip_like(tmp_path, 2)(named, tmp_path / "vectors.db")
    rows = (
        sqlite3.connect(tmp_path / "vectors.db").execute("SELECT vector FROM images ORDER BY path").fetchall()
    )
    vectors = np.stack([np.frombuffer(row[0], np.float32) for row in rows])
    assert vectors.shape == (10, 3)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-6)


def test_a_model_of_another_size_than_the_peers_is_refused() -> None:
    starter = next(model.folder for model in KNOWN_MODELS if model.name == "starter")
    assert starter is not None
    with pytest.raises(ConfigError, match=r"no pictures of 224 x 224.*export_clip\.py random"):
        rclip_like(starter, 1)


@pytest.mark.exhaustive
def test_a_transformers_pipeline_gives_one_vector_a_photo(tmp_path: Path, photos: list[Path]) -> None:
    pytest.importorskip("transformers")
    transformers_pipeline(2)(photos[:1], tmp_path / "vectors.npy")
    assert np.load(tmp_path / "vectors.npy").shape == (1, 512)


def test_the_ingest_command(
    tmp_path: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str | int] = []

    def quick(*_: object) -> Callable[[Sequence[Path], Path], None]:
        return lambda paths, out: seen.append(len(paths))

    def ours(*_: object) -> Callable[[Path], dict[str, float]]:
        ingest = real_ours(*_)  # type: ignore[arg-type]
        return lambda out: seen.append("ours") or ingest(out)  # type: ignore[func-returns-value]

    def missing(*_: object) -> None:
        raise ImportError("No module named 'torch'")

    monkeypatch.setattr(media_command, "write_photos", lambda *_: photos)
    real_ours = ingest_command._ours
    monkeypatch.setattr(ingest_command, "_ours", ours)
    monkeypatch.setattr(ingest_command, "rclip_like", quick)
    monkeypatch.setattr(ingest_command, "transformers_pipeline", missing)
    starter = next(model.folder for model in KNOWN_MODELS if model.name == "starter")
    options = [
        "--model",
        str(starter),
        "--count",
        "3",
        "--rounds",
        "2",
        "--output",
        str(tmp_path / "ingest.json"),
    ]
    assert main(["benchmark", "ingest", *options]) == 0
    assert "transformers + Pillow left out: No module named 'torch'" in capsys.readouterr().out
    (section,) = Result.read(tmp_path / "ingest.json").sections
    assert [row["pipeline"] for row in section.rows] == [
        ingest_command.OURS,
        ingest_command.OURS_WHOLE,
        "rclip-like: ONNX Runtime, batch 8, full decode",
    ]
    assert seen == ["ours", 3, 3, "ours", "ours", 3]  # the first two warm up
    assert json.loads((tmp_path / "ingest.json").read_text())["environment"]["threads"] >= 1
    assert main(["benchmark", "ingest", "--model", str(tmp_path / "absent")]) == 1
    assert "export_clip.py random" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_reading_takes_the_part_of_their_processor_time_that_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds of the processor, not of the clock: a busy machine halves or doubles a ratio of the latter."""
    pytest.importorskip("cv2")
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=time.process_time))
    made = write_photos(tmp_path, textured_pictures(12), 6)
    assert number(next(photo_contests(made, 3))["ratio"]) >= 2.5  # type: ignore[operator]
    videos = write_videos(tmp_path, made[0], 10)
    for row, kind, least in zip(video_contests(videos, 1.0, 3), VIDEO_KINDS, (3.0, 1.7, 1.1), strict=True):
        assert number(row["ratio"]) >= least, kind  # type: ignore[operator]
        assert number(row["apart"]) <= 0.5  # type: ignore[operator]
