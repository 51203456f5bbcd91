import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import ColourEncoder, film, paint, paint_dated
from semantic_media_search import __version__
from semantic_media_search.cli import main
from semantic_media_search.cli.commands import find, models
from semantic_media_search.cli.commands.build import summary_lines
from semantic_media_search.cli.commands.find import moment
from semantic_media_search.cli.console import Console
from semantic_media_search.errors import UnsupportedMediaError
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.ingest.isolated import IsolatedReaders
from semantic_media_search.library import index_run
from semantic_media_search.library.summary import IngestSummary
from semantic_media_search.records import SkippedFile

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number, colour in enumerate(["red", "green", "blue"]):
        paint(folder / f"{colour}.png", colour, seed=number)
    film(folder / "film.mp4", ["black", "yellow"])
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in an empty folder, with an encoder that sees colours."""
    encoder = ColourEncoder("starter")
    monkeypatch.setattr(models, "load_encoder", lambda *_args, **_options: encoder)
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


def test_from_a_folder_to_an_answer(run: Run, photos: Path) -> None:
    code, out, err = run("update", str(photos))
    assert (code, out) == (0, "")
    assert "4 new, 0 unchanged. Frames stored: 5." in err
    assert "starter" in err  # whoever did not choose the model is told which one it is
    code, out, err = run("search", "something", "yellow", "-k", "2")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["similarity", "moment", "file"]
    assert lines[1].endswith("film.mp4")
    assert lines[1].split()[1] == "0:01"
    assert len(lines) == 3
    assert "media-search index --model openai/clip-vit-base-patch32" in err


def test_json_is_the_apis_and_paths_are_the_originals(run: Run, photos: Path) -> None:
    run("update", str(photos))
    _, out, _ = run("search", "green", "--json", "-k", "1")
    answer = json.loads(out)
    assert answer["query"] == "green"
    (hit,) = answer["results"]
    assert list(hit)[:5] == ["frame_id", "video_id", "timestamp", "similarity", "frame_url"]
    assert hit["frame_url"] == f"/frame/{hit['frame_id']}"
    assert 0 <= hit["similarity"] <= 1
    assert hit["source_path"] == str(photos / "green.png")
    _, out, _ = run("search", "green", "--paths", "-k", "5")
    paths = out.splitlines()
    assert paths[0] == str(photos / "green.png")
    assert len(paths) == len(set(paths)) == 4  # a video is one file, however many frames answer


def test_the_plans_two_steps(run: Run, photos: Path) -> None:
    raw = photos.parent / "data" / "raw"
    (raw / "images").mkdir(parents=True)
    (photos / "red.png").rename(raw / "images" / "red.png")
    (raw / "images" / "film.mp4").write_bytes(b"a video does not belong here")
    assert run("ingest")[0] == 0
    code, _, err = run("search", "red")
    assert code == 1
    assert "media-search index" in err
    assert run("index")[0] == 0
    assert "red.png" in run("search", "red")[1]
    assert (photos.parent / "data" / "processed" / "metadata.jsonl").read_text().count("\n") == 1


def test_strict_makes_skipped_files_count(run: Run, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"\xff\xd8 no picture")
    code, _, err = run("ingest", str(photos), "--strict")
    assert code == 1
    assert "1 skipped" in err
    assert str(photos / "bad.jpg") in err
    code, out, _ = run("ingest", "--json")
    assert code == 0
    assert json.loads(out)["skipped"][0]["path"] == str(photos / "bad.jpg")


def test_a_video_that_is_cut_short_counts_in_every_strict_run(run: Run, photos: Path) -> None:
    film(photos / "film.mkv", ["black", "yellow", "green", "white"], seconds_each=3)
    whole = (photos / "film.mkv").read_bytes()
    (photos / "film.mkv").write_bytes(whole[: len(whole) // 2])
    code, _, err = run("ingest", str(photos), "--strict")
    assert code == 1
    assert err.count(str(photos / "film.mkv")) == 1
    code, _, err = run("ingest", "--strict")
    assert code == 1
    assert "5 unchanged" in err
    assert "Read in part: 1 in earlier runs" in err
    assert str(photos / "film.mkv") not in err
    os.utime(photos / "film.mkv", (0, 0))
    assert run("ingest", "--strict")[0] == 1
    (photos / "film.mkv").rename(photos / "cut.mkv")
    assert run("ingest", "--strict")[0] == 1
    code, out, _ = run("ingest", "--json")
    assert code == 0
    assert [file["path"] for file in json.loads(out)["read_in_part"]] == [str(photos / "cut.mkv")]


def test_what_care_does_as_json(run: Run, photos: Path) -> None:
    run("ingest", str(photos))
    told = json.loads(run("index", "--json")[1])
    assert (told["embedded"], told["indexed"], told["model"]) == (5, 5, "starter")
    (photos / "red.png").unlink()
    run("update")
    told = json.loads(run("compact", "--json")[1])
    assert told["frames"] == 1
    assert told["bytes_freed"] > 0
    assert json.loads(run("doctor", "--json")[1]) == {"findings": []}
    assert json.loads(run("forget", str(photos), "--json")[1]) == {"files": 3}


def test_a_dry_run_tells_what_is_new_changed_moved_and_gone(run: Run, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"")
    run("update", str(photos))
    (photos / "red.png").unlink()
    (photos / "green.png").rename(photos / "moved.png")
    paint(photos / "blue.png", "yellow", size=(80, 60))
    paint(photos / "new.png", "white", size=(90, 70))
    told = json.loads(run("update", "--dry-run", "--json")[1])
    names = ("new", "changed", "moved", "removed", "unchanged")
    assert [told[name] for name in names] == [1, 1, 1, 1, 1]
    assert told["skipped"] == [{"path": str(photos / "bad.jpg"), "reason": "it is empty (0 bytes)"}]
    assert "1 skipped before" in run("update", "--dry-run")[2]
    told = json.loads(run("update", "--dry-run", "--retry-skipped", "--json")[1])
    assert (told["changed"], told["skipped"]) == (2, [])


def test_how_alike_kept_frames_may_be_is_chosen(run: Run, photos: Path) -> None:
    film(photos / "still.mp4", ["black", "black", "black"])
    assert json.loads(run("ingest", str(photos), "--duplicate-threshold", "0", "--json")[1])["frames"] == 8


def test_reasons_that_differ_by_a_number_are_said_once() -> None:
    skipped = [SkippedFile(f"{size}.jpg", f"truncated after {size} bytes") for size in (12, 345)]
    lines = summary_lines(IngestSummary(skipped=[*skipped, SkippedFile("a.png", "it is empty (0 bytes)")]))
    assert lines[1:] == [
        "Skipped: it is empty (0 bytes)",
        "    a.png",
        "Skipped: truncated after ... bytes",
        "    12.jpg",
        "    345.jpg",
    ]


def test_lines_of_progress_tell_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("semantic_media_search.cli.console.time.monotonic", lambda: now)
    err = io.StringIO()
    progress = Console(err=err).progress()
    progress.start("Embedding", 400, "frames")
    now += 40
    progress.advance(100)
    assert err.getvalue() == "Embedding: 100 of 400 frames (2.5 a second, about 0:02:00 left)\n"


def test_files_of_other_formats_are_counted(run: Run, photos: Path) -> None:
    for name in ("a.psd", "b.PSD", "c.jxl"):
        (photos / name).write_bytes(b"8BPS")
    assert (
        "Not of a format that is read: 2 .psd, 1 .jxl.\n" in run("ingest", str(photos), str(photos.parent))[2]
    )
    assert json.loads(run("ingest", "--json")[1])["not_read"] == {".psd": 2, ".jxl": 1}


def test_a_film_among_the_raw_images_is_named_and_read_once_the_folder_is(run: Run, tmp_path: Path) -> None:
    images = tmp_path / "data" / "raw" / "images"
    paint(images / "sample.png", "yellow")
    film(images / "film.mp4", ["red"])
    code, _, err = run("ingest", "--raw", "data/raw")
    assert code == 0
    assert "1 new" in err
    assert (
        "Left out: it lies in a folder that is read for the other kind only; `media-search update FOLDER`"
        in err
    )
    assert f"    {images / 'film.mp4'}\n" in err
    (left_out,) = json.loads(run("ingest", "--json")[1])["left_out"]
    assert left_out["path"] == str(images / "film.mp4")
    assert str(images / "film.mp4") in run("ingest", str(images), "--dry-run")[1]
    assert json.loads(run("ingest", "--json")[1])["new"] == 0
    answer = json.loads(run("ingest", str(images), "--json")[1])
    assert (answer["new"], answer["unchanged"], answer["left_out"]) == (1, 1, [])
    answer = json.loads(run("ingest", "--raw", "data/raw", "--json")[1])
    assert (answer["new"], answer["unchanged"], answer["removed"], answer["left_out"]) == (0, 2, 0, [])


def test_a_film_that_another_folder_reads_is_not_left_out(run: Run, tmp_path: Path) -> None:
    images = tmp_path / "data" / "raw" / "images"
    film(images / "film.mp4", ["red"])
    run("ingest", "--raw", "data/raw")
    for _ in range(2):
        answer = json.loads(run("ingest", str(tmp_path / "data" / "raw"), "--json")[1])
        assert answer["left_out"] == []
    assert answer["unchanged"] == 1


def test_a_dry_run_writes_nothing(run: Run, photos: Path, tmp_path: Path) -> None:
    code, out, err = run("update", str(photos), "--dry-run")
    assert code == 0
    assert len(out.splitlines()) == 4
    assert "Nothing was written" in err
    assert not (tmp_path / "data").exists()


def test_status_tells_what_there_is(run: Run, photos: Path) -> None:
    assert run("status")[0] == 1
    run("ingest", str(photos))
    _, out, _ = run("status")
    assert "3 images, 1 videos" in out
    assert "none yet: run `media-search index`" in out
    run("index")
    _, out, _ = run("status")
    assert "5 of starter" in out
    other = paint(photos.parent / "other" / "white.png", "white").parent
    run("ingest", str(other))
    _, out, _ = run("status")
    assert f"    {photos}: 3 images, 1 videos\n" in out
    assert f"    {other}: 1 images\n" in out
    assert "Pending   1 frames without a vector" in out
    _, out, _ = run("status", "--json")
    told = json.loads(out)
    assert (told["frames"], told["pending_frames"]) == (6, 1)
    assert told["folders"] == {str(photos): {"image": 3, "video": 1}, str(other): {"image": 1}}
    assert told["library_bytes"] > told["frames_bytes"] > 0


def test_a_rebuild_that_was_interrupted_is_told_of_and_gone_on_with(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    run("update", str(photos))
    with monkeypatch.context() as patched:
        patched.setattr(index_run, "build_graph", interrupted)
        code, _, err = run("index", "--rebuild")
    assert (code, "run the command again to go on" in err) == (130, True)
    assert run("update")[0] == 0
    assert "Begun     5 vectors of starter: `media-search index --rebuild` goes on" in run("status")[1]
    assert json.loads(run("index", "--rebuild", "--json")[1])["embedded"] == 0
    assert "Begun" not in run("status")[1]


def test_models_lists_both(run: Run) -> None:
    _, out, _ = run("models", "--json")
    assert [model["name"] for model in json.loads(out)] == ["openai/clip-vit-base-patch32", "starter"]


def test_care(run: Run, photos: Path) -> None:
    assert run("doctor")[0] == 1  # there is no library, and none is made
    run("update", str(photos))
    assert run("doctor", "--check-only")[0] == 0
    (photos / "red.png").unlink()
    run("update")
    assert "1 frame;" in run("compact")[2]
    assert "red.png" not in run("search", "red", "--paths")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "a cat"), "data/processed; make one with"),
        (("update", "/no/such/folder"), "/no/such/folder is no folder"),
        (("update", "--fps", "0"), "fps is 0.0"),
        (("serve", "--host", "0.0.0.0"), "--token"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(*arguments)
    assert code == 1
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("media-search: ")
    assert message in line


def test_quiet_leaves_only_results(run: Run, photos: Path) -> None:
    assert run("update", str(photos), "--quiet")[1:] == ("", "")
    assert run("search", "red", "--quiet")[2] == ""


def test_wrong_usage_exits_with_2(run: Run) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("fly")
    assert stopped.value.code == 2


def test_version(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--version")
    assert capsys.readouterr().out == f"media-search {__version__}\n"


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [(None, "photo"), (0.0, "0:00"), (9.96, "0:10"), (65.0, "1:05"), (61.5, "1:01.5"), (3723.2, "1:02:03.2")],
)
def test_moments_read_like_a_clock(timestamp: float | None, text: str) -> None:
    assert moment(timestamp) == text


def test_a_search_does_not_wait_for_what_it_does_not_need() -> None:
    import subprocess

    code = (
        "import sys; from semantic_media_search.cli.main import build_parser; build_parser();"
        "from semantic_media_search.cli.commands import command; command('search'); command('status');"
        "heavy = {'numba', 'onnxruntime', 'av', 'PIL', 'fastapi', 'rich', 'huggingface_hub', 'httpx2'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_search_compares_all_rows_of_a_library_that_is_not_large(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("update", str(photos))
    opened: list[Path] = []
    load = HNSWIndex.load
    monkeypatch.setattr(HNSWIndex, "load", lambda path, rows: (opened.append(path), load(path, rows))[1])
    monkeypatch.setattr(find, "EXACT_BELOW", 2)
    run("search", "red")
    assert not opened, "the compiler need not be waited for"
    run("search", "red", "--ef", "50")
    assert len(opened) == 1
    monkeypatch.setattr(find, "EXACT_ONCE_BELOW", 2)
    run("search", "red")
    assert len(opened) == 2


def test_filters_narrow_a_search(run: Run, photos: Path) -> None:
    run("update", str(photos))

    def found(*flags: str) -> set[str]:
        code, out, _ = run("search", "red", "--paths", *flags)
        assert code == 0
        return {Path(line).name for line in out.splitlines()}

    assert found("--kind", "video") == {"film.mp4"}
    assert found("--kind", "image") == found("--kind", "photo") == {"red.png", "green.png", "blue.png"}
    assert found("--folder", str(photos)) == {"red.png", "green.png", "blue.png", "film.mp4"}
    assert found("--min-similarity", "0.9") == {"red.png"}
    assert found("--after", "2020") == set()
    code, _, err = run("search", "red", "--after", "soon")
    assert code == 1
    assert "--after is 'soon'" in err


def test_dates_filter_by_the_cameras_clock(run: Run, tmp_path: Path) -> None:
    for year in (2022, 2023):
        paint_dated(tmp_path / "dated" / f"{year}.jpg", "red", f"{year}:05:31 23:30:00", seed=year)
    run("update", str(tmp_path / "dated"))

    def found(*flags: str) -> set[str]:
        code, out, _ = run("search", "red", "--paths", *flags)
        assert code == 0
        return {Path(line).name for line in out.splitlines()}

    assert found("--after", "2023") == {"2023.jpg"}
    assert found("--before", "2022-05-31") == {"2022.jpg"}
    assert found("--after", "2022-05", "--before", "2023-05") == {"2022.jpg", "2023.jpg"}


def test_nothing_to_read_is_said_and_nothing_is_made(run: Run, tmp_path: Path) -> None:
    code, _, err = run("update")
    assert code == 1
    assert "name a folder" in err
    assert not (tmp_path / "data").exists()


def test_the_raw_folder_is_read_only_where_none_is_named_and_stays_away_once_forgotten(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "data" / "raw" / "images"
    paint(raw / "sample.png", "yellow")

    def held(library: str) -> set[str]:
        code, out, _ = run("search", "yellow", "--paths", "-k", "50", "--library", library)
        assert code == 0
        return {Path(line).name for line in out.splitlines()}

    run("update", str(photos), "--library", "mine")
    assert "red.png" in held("mine") and "sample.png" not in held("mine")
    run("update", "--library", "samples")
    assert held("samples") == {"sample.png"}
    run("update", str(photos), "--library", "samples")
    assert held("samples") == held("mine") | {"sample.png"}
    run("forget", str(raw), "--library", "samples")
    run("update", "--library", "samples")
    assert held("samples") == held("mine")
    run("update", "--raw", "data/raw", "--library", "samples")
    assert "sample.png" in held("samples")


def test_folders_of_ones_own_make_no_raw_folder(run: Run, photos: Path, tmp_path: Path) -> None:
    assert run("update", str(photos))[0] == 0
    assert not (tmp_path / "data" / "raw").exists()


def test_more_results_than_there_are(run: Run, photos: Path) -> None:
    run("update", str(photos))
    assert len(run("search", "red", "-k", "1000000000")[1].splitlines()) == 6


def test_a_full_disk_is_one_line(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from semantic_media_search.library.writer import FrameFlusher

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FrameFlusher, "write", full)
    code, _, err = run("ingest", str(photos), "--quiet")
    assert code == 1
    assert "No space left on device; what was finished is kept" in err


def test_a_port_that_is_taken_is_said(run: Run) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = run("serve", "--port", str(port))
    assert code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in err
    assert "--port" in err


def test_an_empty_folder_name_is_not_the_current_folder(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("update", "")
    assert "name is empty" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("--help",), ("index", "--help")])
def test_benchmarks_have_help(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        run("benchmark", *arguments)
    assert "usage: media-search benchmark" in capsys.readouterr().out


def test_a_similarity_that_cannot_be_is_refused(run: Run, photos: Path) -> None:
    run("update", str(photos))
    code, _, err = run("search", "red", "--min-similarity", "2")
    assert code == 1
    assert "min_similarity is 2.0; similarities are 0 to 1" in err


def test_a_skipped_file_is_told_of_once_and_read_again_on_request(run: Run, photos: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        (photos / name).write_bytes(b"")
    _, _, err = run("update", str(photos))
    assert "Skipped: it is empty (0 bytes)\n" in err
    assert err.count("is empty") == 1, "one reason for both files"
    assert str(photos / "one.jpg") in err
    code, _, err = run("update", "--strict")
    assert code == 1
    assert "2 skipped" in err
    assert "Skipped: 2 as in earlier runs; `media-search status` lists them" in err
    assert "one.jpg" not in err
    paint(photos / "new.png", "white")
    _, out, err = run("update", "--retry-skipped", "--json")
    assert json.loads(out)["skipped"] == [
        {"path": str(photos / name), "reason": "it is empty (0 bytes)"} for name in ("one.jpg", "two.jpg")
    ]


def test_a_file_that_a_later_version_can_read(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_new(*_: object, **__: object) -> None:
        raise UnsupportedMediaError("red.png is of a kind that is not known")

    with monkeypatch.context() as patched:
        patched.setattr(IsolatedReaders, "read_image", too_new)
        run("update", str(photos))
    assert "4 new" not in run("update")[2]
    _, _, err = run("update", "--retry-skipped")
    assert "3 changed" in err
    assert "red.png" in run("search", "red", "-k", "1")[1]


def test_a_folder_is_taken_out(run: Run, photos: Path, tmp_path: Path) -> None:
    paint(tmp_path / "more" / "white.png", "white")
    run("update", str(photos), str(tmp_path / "more"))
    code, _, err = run("forget", "more")
    assert (code, "1 file left the results" in err) == (0, True)
    assert str(tmp_path / "more") not in run("status")[1]
    assert "white.png" not in run("search", "white")[1]
    code, _, err = run("forget", "elsewhere")
    assert code == 1
    assert f"its folders are: {photos}" in err


def test_a_folder_is_taken_out_by_the_name_that_status_gives_it(run: Run, tmp_path: Path) -> None:
    for name in (os.fsdecode(b"inv\xff"), "line\nbreak"):
        paint(tmp_path / name / "white.png", "white")
        run("update", str(tmp_path / name))
        (shown,) = [line for line in run("status")[1].splitlines() if "file://" in line]
        code, _, err = run("forget", shown.strip().partition(": ")[0])
        assert (code, "1 file left the results" in err) == (0, True)
