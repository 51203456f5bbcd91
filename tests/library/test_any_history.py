"""Whatever happens to the files and to the program: each readable file is found once, as it is now."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from PIL import Image

from fakes import COLOURS, ColourEncoder
from semantic_media_search.config import Settings
from semantic_media_search.ingest.image_ingest import read_image
from semantic_media_search.ingest.isolated import IsolatedReaders
from semantic_media_search.library import Library, index_run, ingest_run
from semantic_media_search.library.progress import Silent

ENCODERS = {"colours": ColourEncoder(), "other": ColourEncoder("other", "07be2")}
ALWAYS, AWAY = "always.png", "away: "
WHICH = st.integers(0, 5)
COLOUR = st.sampled_from(list(COLOURS))
UPDATE = st.sampled_from([True, True, False])


class InProcessReaders(IsolatedReaders):
    """Reads photos in this process: starting workers for each run would take all the time."""

    def read_image(self, path: str, *, max_side: int = 512, jpeg_quality: int = 90) -> Any:
        return read_image(path, max_side=max_side, jpeg_quality=jpeg_quality)


class Stopping(Silent):
    """A person who presses Ctrl-C as the n-th thing is reported."""

    def __init__(self, after: int):
        self.left = after

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def start(self, stage: str, total: int | None, unit: str) -> None:
        self._count()

    def advance(self, count: int = 1) -> None:
        self._count()

    def finish(self) -> None:
        self._count()


class AnyHistory(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.photos, self.away = self.root / "photos", self.root / "away"
        self.photos.mkdir()
        # One that stays, so that the folder never looks like an unplugged disk.
        Image.new("RGB", (24, 24), COLOURS["white"]).save(self.photos / ALWAYS)
        self.files: dict[str, str] = {ALWAYS: "white"}
        self.model = "colours"
        self.clean = False
        self.written = 0
        library = Settings(library=self.root / "library", threads=1)
        self.library = Library(library, ENCODERS.__getitem__)
        self.library.add_roots([self.photos])

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    # what a person does to the files

    @rule(which=WHICH, colour=COLOUR, then=UPDATE)
    def add(self, which: int, colour: str, then: bool) -> None:
        self._write(self._new_name(which), colour, then)

    @rule(which=WHICH, colour=COLOUR, then=UPDATE)
    def edit(self, which: int, colour: str, then: bool) -> None:
        self._write(self._one_of(self.photos, which), colour, then)

    @rule(which=WHICH)
    def damage(self, which: int) -> None:
        name = self._one_of(self.photos, which)
        if name == ALWAYS:
            return
        self.written += 1
        (self.photos / name).write_bytes(b"\x89PNG\r\n\x1a\n no picture %d" % self.written)
        self.files.pop(name, None)
        self.clean = False

    @rule(which=WHICH, then=UPDATE)
    def put_away(self, which: int, then: bool) -> None:
        name = self._one_of(self.photos, which)
        self._move(name, f"{AWAY}{name}", then)

    @rule(which=WHICH, same_name=st.booleans(), then=UPDATE)
    def put_back(self, which: int, same_name: bool, then: bool) -> None:
        if any(self.away.rglob("*.png")):
            name = self._one_of(self.away, which)
            self._move(f"{AWAY}{name}", name if same_name else self._new_name(which), then)

    @rule(which=WHICH, then=UPDATE)
    def rename(self, which: int, then: bool) -> None:
        self._move(self._one_of(self.photos, which), self._new_name(which), then)

    @rule(one=WHICH, other=WHICH, then=UPDATE)
    def swap(self, one: int, other: int, then: bool) -> None:
        first, second = self._one_of(self.photos, one), self._one_of(self.photos, other)
        if first != second:
            self._move(first, "swap.png", False)
            self._move(second, first, False)
            self._move("swap.png", second, then)

    @rule(one=WHICH, other=WHICH, then=UPDATE)
    def rename_over(self, one: int, other: int, then: bool) -> None:
        first, second = self._one_of(self.photos, one), self._one_of(self.photos, other)
        if first != second:
            self._move(first, second, then)

    def _one_of(self, folder: Path, which: int) -> str:
        """A file of the folder, but for the one that is always there; that one where there is no other."""
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
        others = [name for name in names if name != ALWAYS]
        return others[which % len(others)] if others else names[0]

    def _new_name(self, which: int) -> str:
        self.written += 1
        return f"{'sub/' if which % 3 == 0 else ''}{self.written}.png"

    def _write(self, name: str, colour: str, then: bool) -> None:
        self.written += 1  # no two files have the same bytes, so that moves are told from copies
        pixels = np.full((24, 24, 3), COLOURS[colour], np.uint8)
        pixels[0, 0] = (self.written % 256, self.written // 256, 0)
        (self.photos / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(self.photos / name)
        self.files[name] = colour
        self._changed(then)

    def _move(self, name: str, to: str, then: bool) -> None:
        if ALWAYS in (name, to):
            return
        place = self._place(to)
        place.parent.mkdir(parents=True, exist_ok=True)
        self._place(name).replace(place)
        self.files.pop(to, None)
        if name in self.files:
            self.files[to] = self.files.pop(name)
        self._changed(then)

    def _place(self, name: str) -> Path:
        return self.away / name.removeprefix(AWAY) if name.startswith(AWAY) else self.photos / name

    def _changed(self, then: bool) -> None:
        self.clean = False
        if then:
            self.update()

    # what a person does with the program

    @rule()
    def update(self) -> None:
        self.library.update(self.model)
        self.clean = True

    @rule()
    def ingest(self) -> None:
        self.library.ingest()
        self.clean = False

    @rule(after=st.integers(0, 12))
    def update_until_interrupted(self, after: int) -> None:
        with suppress(KeyboardInterrupt):
            self.library.update(self.model, Stopping(after))
        self.clean = False

    @precondition(lambda self: self.clean)
    @rule(after=st.integers(0, 4))
    def compact_until_interrupted(self, after: int) -> None:
        with suppress(KeyboardInterrupt):
            self.library.compact(Stopping(after))

    @precondition(lambda self: self.clean)
    @rule()
    def compact(self) -> None:
        self.library.compact()

    @precondition(lambda self: self.clean)
    @rule(model=st.sampled_from(list(ENCODERS)), rebuild=st.booleans())
    def embed_anew(self, model: str, rebuild: bool) -> None:
        self.library.build_index(model, rebuild=rebuild)
        self.model = model

    @precondition(lambda self: self.clean)
    @rule(model=st.sampled_from(list(ENCODERS)), rebuild=st.booleans(), after=st.integers(0, 8))
    def embed_anew_until_interrupted(self, model: str, rebuild: bool, after: int) -> None:
        with suppress(KeyboardInterrupt):
            self.library.build_index(model, Stopping(after), rebuild=rebuild)
            self.model = model

    @invariant()
    def what_is_there_is_found_once(self) -> None:
        if not self.clean:
            return
        view = self.library.view()
        hits = view.search_text("white", 100)
        there = {name: colour for name, colour in self.files.items() if not name.startswith(AWAY)}
        found = Counter(Path(hit.frame.source_path).relative_to(self.photos).as_posix() for hit in hits)
        assert found == Counter(there.keys())
        for name, colour in there.items():
            best = view.search_text(colour, 100)[0].similarity
            mine = next(
                hit.similarity
                for hit in view.search_text(colour, 100)
                if hit.frame.source_path == str(self.photos / name)
            )
            assert mine == pytest.approx(best, abs=0.01), "it is found by what it shows now"
        lines = (self.root / "library" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
        assert sorted(json.loads(line)["frame_id"] for line in lines) == sorted(
            hit.frame.frame_id for hit in hits
        )
        assert [json.loads(line)["frame_id"] for line in lines] == sorted(hit.frame.frame_id for hit in hits)
        assert self.library.status().pending_frames == 0
        findings = self.library.doctor(repair=False)
        assert [f for f in findings if "that no commit names" not in f.problem] == []


@pytest.fixture(autouse=True)
def _readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ingest_run, "IsolatedReaders", InProcessReaders)
    monkeypatch.setattr(index_run, "COMMIT_ROWS", 2)
    yield


def _run(examples: int, steps: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        AnyHistory,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            phases=[Phase.generate],  # the first history that fails is short enough to be read
        ),
    )


def test_any_history() -> None:
    _run(15, 20)


@pytest.mark.exhaustive
def test_very_many_histories() -> None:
    _run(500, 40)
