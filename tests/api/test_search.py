import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from colour_library import PAYLOAD, client_of, embed, fill
from fakes import paint, paint_dated
from picture_makers import encoded, photo, png_claiming
from semantic_media_search.api import search_routes
from semantic_media_search.ingest.image_ingest import read_image
from semantic_media_search.library import Library
from semantic_media_search.library.writer import open_writer
from semantic_media_search.media.isolation import WorkerPool


def _names(answer: dict[str, list[dict[str, object]]]) -> list[object]:
    return [result["name"] for result in answer["results"]]


def test_results_are_the_plans_best_first(client: TestClient) -> None:
    answer = client.get("/search", params={"q": "red", "k": 3}).json()
    assert answer["query"] == "red"
    first = answer["results"][0]
    assert list(first)[:5] == ["frame_id", "video_id", "timestamp", "similarity", "frame_url"]
    assert (first["name"], first["video_id"], first["timestamp"]) == ("red.png", None, None)
    assert first["frame_url"] == f"/frame/{first['frame_id']}"
    similarities = [result["similarity"] for result in answer["results"]]
    assert similarities == sorted(similarities, reverse=True)
    assert all(0 <= similarity <= 1 for similarity in similarities)
    assert len(similarities) == 3


def test_pages_join_without_gap_or_overlap(client: TestClient) -> None:
    whole = client.get("/search?q=blue&k=16").json()
    parts = [client.get(f"/search?q=blue&k=5&offset={offset}").json() for offset in (0, 5, 10, 15)]
    ids = [result["frame_id"] for part in parts for result in part["results"]]
    assert ids == [result["frame_id"] for result in whole["results"]]
    assert sorted(ids) == list(range(16))
    assert [part["more"] for part in parts] == [True, True, True, False]


@pytest.mark.parametrize(
    ("query", "needle"),
    [
        ({}, "empty"),
        ({"q": ""}, "empty"),
        ({"q": "   "}, "empty"),
        ({"q": "x" * 10_000}, "at most 1000"),
        ({"q": "red", "k": "0"}, "smallest value is 1"),
        ({"q": "red", "k": "-1"}, "smallest value is 1"),
        ({"q": "red", "k": str(10**9)}, "largest value is 500"),
        ({"q": "red", "k": "abc"}, "whole number"),
        ({"q": "red", "k": "9" * 5000}, "k is"),
        ({"q": "red", "offset": "-1"}, "smallest value is 0"),
        ({"q": "red", "offset": "10001"}, "largest value is 10000"),
        ({"q": "red", "kind": "sound"}, "'image' or 'video'"),
        ({"q": "red", "after": "yesterday"}, "2024-05"),
        ({"q": "red", "after": "2024", "before": "2023"}, "exchange"),
        ({"q": "red", "folder": "nowhere"}, "nowhere"),
        ({"q": "red", "min_similarity": "nan"}, "min_similarity"),
        ({"q": "red", "group": "all"}, "moment"),
    ],
)
def test_wrong_input_is_refused_in_words(client: TestClient, query: dict[str, str], needle: str) -> None:
    answer = client.get("/search", params=query)
    assert answer.status_code == 422
    body = answer.json()
    assert needle in body["detail"]
    assert body["error"]["message"] and body["error"]["code"]


def test_odd_words_are_words(client: TestClient) -> None:
    for words in ("été à la plage", "👩‍👩‍👧", "a\x00b", "'; DROP TABLE frames; --", "%s%n", "<script>"):
        answer = client.get("/search", params={"q": words})
        assert answer.status_code == 200
        assert answer.json()["query"] == words


def test_moments_join_neighbouring_frames(client: TestClient) -> None:
    frames = client.get("/search?q=white&k=16").json()
    moments = client.get("/search?q=white&k=16&group=moment").json()
    assert len(frames["results"]) == 16
    film = [result for result in moments["results"] if result["video_id"]]
    assert len(film) < 4
    assert moments["results"][0]["name"] == "film.mp4"
    assert film[0]["moment"]["start"] == pytest.approx(8, abs=0.6)
    assert film[0]["moment"]["end"] == pytest.approx(12, abs=0.6)
    assert len([r for r in moments["results"] if not r["video_id"]]) == 4
    assert moments["more"] is False


def test_a_frame_is_described_as_its_search_describes_it(client: TestClient) -> None:
    similar = client.get("/search?q=white&k=1").json()["results"][0]["frame_id"]
    for asked in ("q=white", f"similar={similar}", f"q=red&similar={similar}"):
        for result in client.get(f"/search?{asked}&k=16&group=moment").json()["results"]:
            if result["similar"]:
                continue
            told = client.get(f"/frame/{result['frame_id']}/info?{asked}&group=moment").json()
            assert told.pop("similarity") == pytest.approx(result.pop("similarity"), abs=1e-6)
            assert told.pop("strength") == pytest.approx(result.pop("strength"), abs=1e-3)
            assert told == result
    assert "similarity" not in client.get(f"/frame/{similar}/info").json()


def test_pages_of_moments_join(client: TestClient) -> None:
    whole = client.get("/search?q=red&k=16&group=moment").json()["results"]
    pages = [client.get(f"/search?q=red&k=2&group=moment&offset={n}").json() for n in range(0, len(whole), 2)]
    assert [r["frame_id"] for page in pages for r in page["results"]] == [r["frame_id"] for r in whole]


def test_filters_limit_the_results(client: TestClient) -> None:
    def found(**given: object) -> list[object]:
        return _names(client.get("/search", params={"q": "red", "k": 16, **given}).json())

    assert set(found(kind="video")) == {"film.mp4"}
    assert set(found(kind="image")) == {"red.png", "green.png", "blue.png", PAYLOAD}
    assert set(found(folder="trip")) == {"red.png", "green.png", "blue.png"}
    assert found(folder="odd names", kind="video") == []
    assert set(found(min_similarity=0.9)) == {"red.png", "film.mp4"}
    assert found(after="2020") == []


def test_counts_stand_beside_the_filters(client: TestClient) -> None:
    counts = client.get("/filters").json()
    assert counts["total"] == counts["passing"] == 5
    assert counts["kinds"] == {"image": 4, "video": 1}
    folders = {folder["name"]: folder["items"] for folder in counts["folders"]}
    assert folders == {"photos": 5, "trip": 3, "odd names": 1}
    trip = next(folder["id"] for folder in counts["folders"] if folder["name"] == "trip")
    assert "/" not in trip
    narrowed = client.get("/filters", params={"folder": trip, "kind": "image"}).json()
    assert (narrowed["passing"], narrowed["total"]) == (3, 5)
    assert narrowed["kinds"] == {"image": 3, "video": 0}


def test_the_library_can_be_browsed(client: TestClient) -> None:
    shown = client.get("/browse?k=3").json()
    rest = client.get("/browse?k=3&offset=3").json()
    assert sorted(map(str, _names(shown) + _names(rest))) == sorted(
        ["red.png", "green.png", "blue.png", PAYLOAD, "film.mp4"]
    )
    assert (shown["more"], rest["more"]) == (True, False)


def test_search_by_picture_and_by_frame(client: TestClient, tmp_path: Path) -> None:
    picture = paint(tmp_path / "query.png", "blue", (900, 700), seed=77)
    answer = client.post("/search/image?k=2", content=picture.read_bytes()).json()
    assert _names(answer)[0] == "blue.png"
    again = client.get("/search", params={"picture": answer["picture"], "k": 2}).json()
    assert again["results"] == answer["results"]
    small = client.get(answer["picture_url"])
    assert small.headers["content-type"] == "image/jpeg"
    frame_id = answer["results"][0]["frame_id"]
    like = client.get("/search", params={"similar": frame_id, "k": 16}).json()
    assert frame_id not in [result["frame_id"] for result in like["results"]]
    both = client.get("/search", params={"similar": frame_id, "q": "green", "k": 3}).json()
    assert "green.png" in _names(both)


@pytest.mark.parametrize("name", ["JPEG", "turned JPEG", "PNG with alpha", "HEIF"])
def test_a_query_picture_has_the_vector_that_its_file_would_get(client: TestClient, name: str) -> None:
    """Read in a worker, it is to be what ingest makes of the same bytes: in process here."""
    pixels, options = photo(1600, 1200), {}
    if name == "PNG with alpha":
        clear = np.full((1200, 1600, 1), 255, np.uint8)
        clear[:, :700] = 0
        pixels = np.concatenate([pixels, clear], axis=2)
    elif name == "turned JPEG":
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {"exif": exif}
    data = encoded(pixels, name.split()[-1] if "JPEG" in name else name.split()[0], **options)
    serving = client.app.state.serving  # type: ignore[attr-defined]
    settings = serving.settings
    (frame,) = read_image(io.BytesIO(data), max_side=settings.max_side, jpeg_quality=settings.jpeg_quality)
    held = serving.pictures.get(client.post("/search/image", content=data).json()["picture"])
    assert np.array_equal(held.vector, serving.view().encoder.encode_pixels([frame.pixels])[0])
    shown = np.asarray(Image.open(io.BytesIO(held.jpeg)))
    assert shown.shape[0] / shown.shape[1] == pytest.approx(
        4 / 3 if name == "turned JPEG" else 3 / 4, rel=0.02
    )


def test_what_is_no_picture_is_refused(client: TestClient) -> None:
    for body, needle in ((b"", "no body"), (b"hello", "no picture"), (b"\xff\xd8\xff\xe0broken", "damaged")):
        answer = client.post("/search/image", content=body)
        assert answer.status_code == 422
        assert needle in answer.json()["detail"]
    assert client.get("/search?picture=0000").status_code == 404
    assert client.get("/search?similar=999").status_code == 404


@pytest.mark.parametrize("side", [14_143, 30_000, 65_000])
def test_a_picture_of_too_many_pixels_is_too_large(client: TestClient, side: int) -> None:
    pictures = [png_claiming(side, side), f"P6 {side} {side} 255\n".encode() + bytes(100)]
    avif = bytearray(encoded(photo(60, 40), "AVIF"))
    place = avif.index(b"ispe") + 8
    avif[place : place + 8] = struct.pack(">II", side, side)
    for picture in [*pictures, bytes(avif)]:
        answer = client.post("/search/image", content=picture)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "picture_too_large")
        assert "pixels" in answer.json()["detail"]
    assert client.post("/search/image", content=bytes((64 << 20) + 1)).status_code == 413


def test_a_picture_beyond_the_memory_there_is_is_too_large(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(search_routes, "encode_jpeg", out_of_memory)
        answer = client.post("/search/image", content=encoded(photo(60, 40), "PNG"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "picture_too_large")
        assert "send a smaller one" in answer.json()["detail"]
    with faulty_decoders(client, monkeypatch):
        for picture in (b"wants_memory.png", b"is_killed.png"):
            assert client.post("/search/image", content=picture).status_code == 413


@contextmanager
def faulty_decoders(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Decoders that do what the bytes of a picture say."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    with WorkerPool("faulty_decoder", 1) as pool, monkeypatch.context() as patched:
        patched.setattr(client.app.state.serving.readers, "_pool", pool)  # type: ignore[attr-defined]
        yield


def test_health_says_what_there_is(client: TestClient) -> None:
    health = client.get("/health").json()
    assert (health["status"], health["frame_count"], health["embedding_dim"]) == ("ok", 16, 64)
    assert (health["model"], health["generation"], health["pending_frames"]) == ("colours", 1, 0)
    assert {"hnsw_nodes", "ef_search", "recall", "target_recall"} <= health.keys()


def test_a_library_that_is_not_ready_says_what_to_run(make: Callable[..., Library], tmp_path: Path) -> None:
    library = make()
    with client_of(library) as client:
        for status, command in (("missing", "media-search update"), ("empty", "media-search update")):
            if status == "empty":
                with open_writer(library.paths.root):
                    pass
            answer = client.get("/search?q=red")
            assert answer.status_code == 503
            assert command in answer.json()["detail"]
            health = client.get("/health")
            assert (health.status_code, health.json()["status"]) == (200, status)
        library.add_roots([fill(tmp_path / "photos")])
        library.ingest()
        assert "media-search index" in client.get("/search?q=red").json()["detail"]
        assert client.get("/health").json()["status"] == "half-built"
        embed(library)
        assert client.get("/search?q=red").status_code == 200
        assert client.get("/health").json()["status"] == "ok"


def test_a_running_server_picks_up_a_commit(make: Callable[..., Library], tmp_path: Path) -> None:
    library = make()
    photos = fill(tmp_path / "photos")
    library.add_roots([photos])
    embed(library)
    with client_of(library) as client:
        assert client.get("/health").json()["frame_count"] == 16
        assert "black.png" not in _names(client.get("/search?q=black&k=16").json())
        paint(photos / "black.png", "black", seed=5)
        # Another process writes: another Library object on the same folder.
        embed(Library(library.settings, library._load_encoder))
        assert "black.png" in _names(client.get("/search?q=black&k=16").json())
        assert client.get("/health").json()["frame_count"] == 17


def test_strength_tells_a_match_from_the_rest(make: Callable[..., Library], tmp_path: Path) -> None:
    library = make()
    for number in range(60):
        paint(tmp_path / "photos" / f"{number:02}.png", ["white", "black", "green"][number % 3], seed=number)
    paint(tmp_path / "photos" / "needle.png", "red", seed=99)
    library.add_roots([tmp_path / "photos"])
    embed(library)
    with client_of(library) as client:
        hit = client.get("/search?q=red&k=3").json()
        assert hit["good"] is True
        assert hit["results"][0]["name"] == "needle.png"
        assert hit["results"][0]["strength"] > 0.9 > 0.3 > hit["results"][1]["strength"]
        assert client.get("/search?q=blue&k=3").json()["good"] is False


def test_timeline_covers_the_video(client: TestClient) -> None:
    line = client.get("/video/vid_01/timeline?q=red").json()
    assert line["duration"] == pytest.approx(12, abs=0.3)
    times = [point["timestamp"] for point in line["points"]]
    assert np.all(np.diff(times) > 0)
    best = [point["timestamp"] for point in line["points"] if point["similarity"] > 0.9]
    assert (min(best), max(best)) == (pytest.approx(4, abs=0.6), pytest.approx(7, abs=0.6))
    assert client.get("/video/vid_01/timeline").status_code == 422
    assert client.get("/video/vid_99/timeline?q=red").status_code == 404


def test_copies_of_a_photo_are_one_result(make: Callable[..., Library], tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    picture = Image.fromarray(photo(400, 300))
    picture.save(photos / "a.png")
    picture.save(photos / "b.jpg", quality=40)
    picture.resize((200, 150)).save(photos / "c.png")
    Image.fromarray(photo(400, 300, seed=7)).save(photos / "other.png")
    library = make()
    library.add_roots([photos])
    embed(library)
    with client_of(library) as client:
        grouped = client.get("/search?q=red&group=moment").json()["results"]
        assert sorted(len(result["similar"]) for result in grouped) == [0, 2]
        copies = {result["frame_id"] for result in grouped} | {
            i for result in grouped for i in result["similar"]
        }
        assert copies == {0, 1, 2, 3}
        plain = client.get("/search?q=red").json()["results"]
        assert len(plain) == 4
        assert "similar" not in plain[0]


def test_undated_items_are_counted(client: TestClient) -> None:
    counts = client.get("/filters", params={"after": "2020"}).json()
    assert (counts["total"], counts["passing"], counts["undated"]) == (5, 0, 5)
    assert client.get("/filters", params={"after": "2020", "kind": "video"}).json()["undated"] == 1


def test_a_video_is_refused_as_query_picture(client: TestClient) -> None:
    film = client.get("/video/vid_01").content
    answer = client.post("/search/image", content=film)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("this is a video")
    assert "still picture" in answer.json()["error"]["hint"]


def test_a_query_picture_that_crashes_its_decoder_costs_itself_alone(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = paint(tmp_path / "red.png", "red").read_bytes()
    with faulty_decoders(client, monkeypatch):
        answer = client.post("/search/image", content=b"crashes.png")
        assert answer.status_code == 422
        assert answer.json()["error"]["message"] == "the picture is damaged: its decoder crashed (SIGSEGV)"
        answer = client.post("/search/image", content=picture)
        assert answer.json()["results"][0]["similarity"] > 0.9


def test_dates_filter_by_the_cameras_clock(make: Callable[..., Library], tmp_path: Path) -> None:
    for year in (2022, 2023):
        paint_dated(tmp_path / "photos" / f"{year}.jpg", "red", f"{year}:05:31 23:30:00", seed=year)
    paint(tmp_path / "photos" / "undated.png", "red", seed=7)
    library = make()
    library.add_roots([tmp_path / "photos"])
    embed(library)
    with client_of(library) as client:

        def found(**dates: str) -> set[str]:
            answer = client.get("/search", params={"q": "red", **dates})
            return {result["name"] for result in answer.json()["results"]}

        assert found() == {"2022.jpg", "2023.jpg", "undated.png"}
        assert found(after="2023") == found(after="2023-05-31") == {"2023.jpg"}
        assert found(before="2022") == found(before="2022-05") == found(before="2022-05-31") == {"2022.jpg"}
        assert found(after="2022-05-31T23:30:01", before="2023-05-31T23:29:59") == set()
        assert found(after="2022-05-31T23:30:00", before="2022-05-31T23:30:00") == {"2022.jpg"}
        counts = client.get("/filters", params={"after": "2023"}).json()
        assert (counts["passing"], counts["undated"]) == (1, 1)
