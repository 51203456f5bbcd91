"""Decoders that crash, hang or are killed, and files that go, in the middle of a whole update: neighbours are found."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from fakes import COLOURS, ColourEncoder, film, paint
from semantic_media_search.config import Settings
from semantic_media_search.ingest import isolated
from semantic_media_search.library import Library
from semantic_media_search.media.isolation import WorkerPool

VERDICTS = {"crashes.png": "crashed (SIGSEGV)", "crashes.mp4": "crashed (SIGSEGV)", "hangs.png": "hung"}
NO_VERDICTS = {
    "is_killed.png": "killed (SIGKILL)",
    "is_killed.mp4": "killed (SIGKILL)",
    "vanishes.png": "No such file",
    "vanishes.mp4": "No such file",
    "is_closed.png": "symbolic links",
}
HANG_SECONDS = 15.0  # a worker that only starts slowly must not count as one that hangs


def _media(folder: Path, faulty: Iterable[str]) -> Path:
    for number, colour in enumerate(COLOURS):
        paint(folder / f"{colour}.png", colour, seed=number)
    film(folder / "film.mp4", ["red", "white"])
    for number, name in enumerate(faulty):
        path = folder / name
        _ = film(path, ["blue", "black"]) if path.suffix == ".mp4" else paint(path, "green", seed=90 + number)
        with path.open("ab") as file:
            file.write(bytes([number]))  # no two have the same contents
    return folder


def _library(folder: Path, media: Path) -> Library:
    library = Library(Settings(library=folder, threads=1), lambda _: ColourEncoder())
    library.add_roots([media])
    return library


def _found(library: Library) -> list[tuple[str, float | None, float]]:
    hits = library.view().search_text("green", 100)
    return sorted(
        (hit.frame.source_path, hit.frame.timestamp or 0.0, round(hit.similarity, 5)) for hit in hits
    )


def _update_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdicts: dict[str, str], no_verdicts: dict[str, str]
) -> Library:
    """With the faults, then without: the second run reads what there was no verdict on."""
    media = _media(tmp_path / "media", verdicts | no_verdicts)
    library = _library(tmp_path / "library", media)
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        patched.setattr(
            isolated, "WorkerPool", lambda _, size, __: WorkerPool("faulty_decoder", size, HANG_SECONDS)
        )
        summary, _ = library.update("colours")
    reasons = {Path(file.path).name: file.reason for file in summary.skipped}
    assert reasons.keys() == verdicts.keys() | no_verdicts.keys()
    for name, words in (verdicts | no_verdicts).items():
        assert words in reasons[name]
    assert {Path(path).stem for path, _, _ in _found(library)} == {*COLOURS, "film"}
    assert library.doctor(repair=False) == []

    for hidden in media.glob(".*"):
        hidden.replace(media / hidden.name[1:])
    again, _ = library.update("colours")
    assert {Path(file.path).name for file in again.skipped} == verdicts.keys(), "only a verdict stands"
    return library


def test_one_of_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = {"crashes.png": VERDICTS["crashes.png"]}
    no_verdicts = {name: NO_VERDICTS[name] for name in ("is_killed.png", "vanishes.png", "is_closed.png")}
    library = _update_twice(tmp_path, monkeypatch, verdicts, no_verdicts)
    stems = {Path(path).stem for path, _, _ in _found(library)}
    assert stems == {*COLOURS, "film", "is_killed", "vanishes", "is_closed"}


@pytest.mark.exhaustive
def test_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = _update_twice(tmp_path, monkeypatch, VERDICTS, NO_VERDICTS)
    library.update("colours", retry_skipped=True)
    undisturbed = _library(tmp_path / "undisturbed", tmp_path / "media")
    undisturbed.update("colours")
    assert _found(library) == _found(undisturbed)
    assert library.doctor(repair=False) == []
