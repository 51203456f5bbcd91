"""SIGKILL at any moment, a disk that is full, two writers at once: what was committed is whole, and the next run
ends where an undisturbed one does.
"""

import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest

from fakes import COLOURS, ColourEncoder, film, paint
from processes import importing_as_here
from semantic_media_search.config import Settings
from semantic_media_search.errors import LibraryNotFoundError
from semantic_media_search.index.hnsw import HNSWIndex
from semantic_media_search.library import Library

ENCODERS = {"colours": ColourEncoder(), "other": ColourEncoder("other", "07be2")}
GONE = ("03.png", "11.png", "17.png", "film0.mp4")
RECALL_AT = 10
DRIVER = Path(__file__).with_name("update_driver.py")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    for number in range(40):
        paint(folder / f"{number:02d}.png", list(COLOURS)[number % len(COLOURS)], seed=number)
    for number in range(2):
        film(folder / f"film{number}.mp4", ["red", "black", "white", "green"])
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


def _run(
    library: Path, photos: Path, *work: str, largest_file: int = resource.RLIM_INFINITY
) -> subprocess.Popen[bytes]:
    """An update in a process of its own, in which writing any file beyond `largest_file` bytes fails."""
    return subprocess.Popen(
        [sys.executable, str(DRIVER), str(library), str(photos), *work],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=importing_as_here(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY)),
    )


def _start(library: Path, photos: Path, *work: str) -> subprocess.Popen[bytes]:
    process = _run(library, photos, *work)
    assert process.stdout is not None
    with process.stdout as lines:
        assert lines.readline() == b"begun\n"
    return process


@pytest.fixture(scope="module")
def undisturbed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    library = tmp_path_factory.mktemp("whole") / "library"
    process = _start(library, photos)
    began = time.monotonic()
    assert process.wait() == 0
    return library, time.monotonic() - began


def _open(folder: Path) -> Library:
    return Library(Settings(library=folder), ENCODERS.__getitem__)


def _visible(folder: Path) -> dict[int, str]:
    """The names of the files whose frames a reader sees now, by frame_id."""
    try:
        view = _open(folder).view()
    except LibraryNotFoundError:
        return {}
    frames = view.frames(view.store.frame_ids.tolist())
    return {frame.frame_id: Path(frame.source_path).name for frame in frames}


def _kill(
    process: subprocess.Popen[bytes], folder: Path, seen: dict[int, str], gone: Collection[str] = ()
) -> None:
    """Kill it, and check what it leaves: whole, and no less than was `seen` before, but for files that are `gone`."""
    _check_nothing_is_lost(folder, seen, gone)
    process.kill()
    process.wait()
    _check_committed_is_whole(folder)
    _check_nothing_is_lost(folder, seen, gone)


def _check_nothing_is_lost(folder: Path, seen: dict[int, str], gone: Collection[str]) -> None:
    """Whatever was `seen` before is still visible; what is visible now is added to it."""
    now = _visible(folder)
    assert {number: name for number, name in seen.items() if name not in gone}.items() <= now.items()
    seen.update(now)


def _check_committed_is_whole(folder: Path) -> None:
    """Whatever a reader can see is all there: frames, vectors, graph."""
    library = _open(folder)
    try:
        view = library.view()
    except LibraryNotFoundError:
        return
    for frame_id in view.store.frame_ids.tolist():
        assert library.paths.frame(frame_id).read_bytes()[-2:] == b"\xff\xd9"
    if len(view.store.frame_ids):
        assert view.search_text("red", 3)


def _check_same(folder: Path, whole: Path) -> None:
    strip = lambda text: text.replace(str(folder), "").replace(str(whole), "")  # noqa: E731
    assert strip((folder / "metadata.jsonl").read_text()) == strip((whole / "metadata.jsonl").read_text())
    assert (folder / "embeddings.idx").read_text() == (whole / "embeddings.idx").read_text()
    frames = sorted(path.name for path in (whole / "frames").iterdir())
    assert sorted(path.name for path in (folder / "frames").iterdir()) == frames
    assert all((folder / "frames" / n).read_bytes() == (whole / "frames" / n).read_bytes() for n in frames)
    np.testing.assert_allclose(
        np.fromfile(folder / "embeddings.dat", np.float32),
        np.fromfile(whole / "embeddings.dat", np.float32),
        atol=1e-6,
    )
    assert _open(folder).doctor(repair=False) == []  # among it the graph's own rules
    assert _recall(folder) >= _recall(whole) >= 0.99


def _recall(folder: Path) -> float:
    """What share of the nearest vectors the graph finds, by distance, asked for each of its own vectors."""
    view = _open(folder).view()
    vectors, generation = np.asarray(view.store.vectors), view.generation
    index = HNSWIndex.load(view.paths.generation(generation.generation) / generation.index_file, vectors)
    assert len(index) == len(vectors)
    exact = np.sort(vectors @ vectors.T, axis=1)[:, -RECALL_AT]
    _, cosines = index.search_batch(vectors, RECALL_AT)
    return float(np.mean(cosines >= exact[:, np.newaxis] - 1e-5))


def _kill_often(kills: int, seed: int, photos: Path, undisturbed: tuple[Path, float], tmp_path: Path) -> None:
    whole, seconds = undisturbed
    moments = random.Random(seed)
    folder = tmp_path / "library"
    done, seen = 0, dict[int, str]()
    while done < kills:
        process = _start(folder, photos)
        try:
            process.wait(timeout=moments.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            _kill(process, folder, seen)
            done += 1
            continue
        assert process.returncode == 0
        _check_same(folder, whole)
        shutil.rmtree(folder)  # it came through: begin again, for the kills that are left
        seen = {}
    assert _start(folder, photos).wait() == 0
    _check_same(folder, whole)


def test_killed_at_15_moments(photos: Path, undisturbed: tuple[Path, float], tmp_path: Path) -> None:
    _kill_often(15, 0, photos, undisturbed, tmp_path)


def _fill_often(times: int, seed: int, photos: Path, undisturbed: tuple[Path, float], tmp_path: Path) -> None:
    whole, _ = undisturbed
    largest = max(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    sizes = random.Random(seed)
    for number in range(times):
        folder = tmp_path / str(number)
        full = 0
        while full < 2:
            before = _visible(folder)
            process = _run(folder, photos, largest_file=int(largest ** sizes.uniform(0.5, 1.0)))
            said, _ = process.communicate(timeout=120)
            if process.returncode == 0:
                break
            assert b"Error" in said
            full += 1
            _check_committed_is_whole(folder)
            assert before.items() <= _visible(folder).items()
        assert _start(folder, photos).wait(timeout=120) == 0
        _check_same(folder, whole)


def test_a_disk_that_is_full(photos: Path, undisturbed: tuple[Path, float], tmp_path: Path) -> None:
    """No file may grow beyond a bound, a different one each time: frames, vectors, catalogue and graph are all hit."""
    _fill_often(3, 0, photos, undisturbed, tmp_path)


@pytest.mark.exhaustive
def test_a_disk_that_is_full_in_many_places(
    photos: Path, undisturbed: tuple[Path, float], tmp_path: Path
) -> None:
    _fill_often(40, 1, photos, undisturbed, tmp_path)


def test_two_at_once(photos: Path, undisturbed: tuple[Path, float], tmp_path: Path) -> None:
    """Of programs that begin together one writes, the others say so and change nothing."""
    folder = tmp_path / "library"
    processes = [_run(folder, photos) for _ in range(3)]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert any(process.returncode == 0 for process in processes)
    for process, words in zip(processes, said, strict=True):
        assert process.returncode == 0 or b"LibraryBusyError" in words
    _check_same(folder, undisturbed[0])


def _kill_care_often(kills: int, seed: int, photos: Path, tmp_path: Path) -> None:
    """Kill while deleted files leave, while it is compacted, and while another model embeds everything anew."""
    media, before, folder = tmp_path / "media", tmp_path / "before", tmp_path / "library"
    shutil.copytree(photos, media)
    assert _start(before, media).wait(timeout=120) == 0
    for name in GONE:
        (media / name).unlink()
    whole = tmp_path / "whole"
    shutil.copytree(before, whole)
    process = _start(whole, media, "care")
    began = time.monotonic()
    assert process.wait(timeout=120) == 0
    seconds = time.monotonic() - began
    moments = random.Random(seed)
    shutil.copytree(before, folder)
    done, seen = 0, _visible(before)
    while done < kills:
        process = _start(folder, media, "care")
        try:
            process.wait(timeout=moments.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            _kill(process, folder, seen, GONE)
            done += 1
            continue
        assert process.returncode == 0
        _check_same(folder, whole)
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
    assert _start(folder, media, "care").wait(timeout=120) == 0
    _check_same(folder, whole)
    hits = _open(folder).view().search_text("red", 100)
    assert not {Path(hit.frame.source_path).name for hit in hits} & set(GONE)


def test_killed_while_it_is_thinned_out_and_embedded_anew(photos: Path, tmp_path: Path) -> None:
    _kill_care_often(8, 2, photos, tmp_path)


@pytest.mark.exhaustive
def test_killed_often_while_it_is_thinned_out_and_embedded_anew(photos: Path, tmp_path: Path) -> None:
    _kill_care_often(100, 3, photos, tmp_path)


@pytest.mark.exhaustive
def test_killed_at_200_moments(photos: Path, undisturbed: tuple[Path, float], tmp_path: Path) -> None:
    _kill_often(200, 1, photos, undisturbed, tmp_path)
