"""A server that is up while its library is added to, thinned out, compacted and embedded anew."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from colour_library import client_of, fill
from fakes import COLOURS, paint
from semantic_media_search.library import Library
from semantic_media_search.library.view import LibraryView

ADDRESSES = [
    "/search?q=red&k=5",
    "/search?q=white&group=moment&kind=video",
    "/search?similar=0",
    "/filters",
    "/browse",
    "/health",
    "/frame/0",
    "/frame/3/info?q=red",
    "/video/vid_01/timeline?q=red",
]
SEEN_WITHIN_SECONDS = 5.0


def test_no_request_fails_and_what_is_new_is_seen_soon(make: Callable[..., Library], tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos")
    library = make()
    library.add_roots([photos])
    library.update("colours")
    answered: Counter[int] = Counter()
    failed: list[str] = []
    over = threading.Event()
    with client_of(library) as client:

        def ask() -> None:
            for address in itertools.cycle(ADDRESSES):
                if over.is_set():
                    return
                answer = client.get(address)
                answered[answer.status_code] += 1
                if answer.status_code >= 500:
                    failed.append(f"{address}: {answer.status_code} {answer.text[:200]}")

        def frames() -> int:
            return int(client.get("/health").json()["frame_count"])

        asking = [threading.Thread(target=ask) for _ in range(2)]
        for thread in asking:
            thread.start()
        try:
            before = frames()
            writer = make()
            for number, colour in enumerate(COLOURS):
                paint(photos / "new" / f"{colour}.png", colour, seed=50 + number)
            writer.update("colours")
            committed = time.monotonic()
            while frames() < before + len(COLOURS):
                assert time.monotonic() - committed < SEEN_WITHIN_SECONDS
            for path in (photos / "new").iterdir():
                path.unlink()
            writer.update("colours")
            writer.compact()
            writer.build_index("other")
            writer.build_index("colours", rebuild=True)
            while client.get("/search?q=red").json()["model"] != "colours":
                assert time.monotonic() - committed < 60
        finally:
            over.set()
            for thread in asking:
                thread.join()
    assert failed == []
    assert answered[200] > 50


def test_a_library_that_is_moved_away_and_made_anew(make: Callable[..., Library], tmp_path: Path) -> None:
    """The server shows what is in the folder now, although the new library's commits have the old one's numbers."""
    library = make()
    for colour in ("red", "blue"):
        paint(tmp_path / colour / f"{colour}.png", colour)
    library.add_roots([tmp_path / "red"])
    library.update("colours")
    place = library.paths.root
    with client_of(library) as client:

        def shown() -> list[str]:
            return [Path(hit["source_path"]).name for hit in client.get("/search?q=red").json()["results"]]

        assert shown() == ["red.png"]
        place.rename(tmp_path / "away")
        assert client.get("/search?q=red").status_code == 503
        again = make()
        again.add_roots([tmp_path / "blue"])
        again.update("colours")
        assert again.commit().commit_id == library.commit().commit_id
        assert shown() == ["blue.png"]
        assert client.get("/health").json()["frame_count"] == 1
        again.paths.root.rename(tmp_path / "later")
        (tmp_path / "away").rename(place)
        assert shown() == ["red.png"]


def test_nothing_else_waits_while_a_library_is_opened(
    make: Callable[..., Library], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = make()
    library.add_roots([fill(tmp_path / "photos")])
    library.update("colours")
    begun, go_on = threading.Event(), threading.Event()
    whole = library._open_view

    def slow() -> LibraryView:
        begun.set()
        assert go_on.wait(30)
        return whole()

    monkeypatch.setattr(library, "_open_view", slow)
    with ThreadPoolExecutor(2) as threads:
        view = threads.submit(library.view)
        assert begun.wait(30)
        try:
            assert threads.submit(library.commit).result(timeout=10).commit_id > 0
        finally:
            go_on.set()
        assert view.result(timeout=30).frame_count > 0


def test_a_server_started_with_a_model_goes_on_when_another_is_chosen(
    make: Callable[..., Library], tmp_path: Path
) -> None:
    library = make()
    library.add_roots([fill(tmp_path / "photos")])
    library.update("colours")
    with client_of(make(model="colours")) as client:
        before = client.get("/search?q=red&k=3").json()["results"]
        make().build_index("other")
        answer = client.get("/search?q=red&k=3")
        assert (answer.status_code, answer.json()["results"]) == (200, before)
