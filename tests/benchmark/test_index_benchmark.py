"""`media-search benchmark index` on tiny data: every part runs, and what it finds is right where that is known."""

import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fakes import COLOURS, paint
from semantic_media_search.benchmark.engine import charts
from semantic_media_search.benchmark.engine.figures import Figure, Row
from semantic_media_search.benchmark.engine.results import Result
from semantic_media_search.benchmark.index import crossmodal, loads, sweep
from semantic_media_search.benchmark.index.contestants import (
    EFS,
    PACKAGES,
    Builder,
    Contestant,
    K,
    Searcher,
    builders,
    ours,
)
from semantic_media_search.benchmark.index.crossmodal import captioned_crops, cross_modal_section
from semantic_media_search.benchmark.index.curves import (
    Built,
    Line,
    Point,
    build_in_turns,
    curves,
    exact_top,
    recall_of,
    seconds_at,
)
from semantic_media_search.benchmark.index.float_walk import float_contestant
from semantic_media_search.benchmark.index.synthetic import clip_shaped, extended, nearly_alike
from semantic_media_search.benchmark.index.vectors import Vectors, held_out, sentences_of
from semantic_media_search.cli import main
from semantic_media_search.errors import ConfigError
from semantic_media_search.index.hnsw import HNSWIndex
from vectors import clustered


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return Vectors(clustered(600, 16), clustered(20, 16, seed=1), "test vectors")


def test_times_are_read_off_between_the_points_of_each_round() -> None:
    points = [
        Point(10, 0.9, {"batch": [1.0, 2.0]}),
        Point(20, 1.0, {"batch": [4.0, 8.0]}),
    ]
    assert seconds_at(points, 0.95, "batch") == pytest.approx([2.0, 4.0])
    assert seconds_at(points, 0.5, "batch") == pytest.approx([1.0, 2.0])
    assert seconds_at(points[:1], 0.95, "batch") is None


def test_recall_counts_ties_and_no_id_twice(vectors: Vectors) -> None:
    rows = np.repeat(np.eye(12, dtype=np.float32), 2, axis=0)
    asked = Vectors(rows, np.ones((1, 12), np.float32) / np.float32(12**0.5), "ties")
    exact = exact_top(asked)
    assert recall_of(asked, np.arange(10, 20)[np.newaxis], exact) == 1
    assert recall_of(asked, np.array([[0, 0, 0, 0, 0, 1, 2, 3, 4, -1]]), exact) == pytest.approx(0.5)


def test_recall_of_all_rows_is_1_where_there_are_fewer_than_k() -> None:
    few = Vectors(clustered(7, 16), clustered(20, 16, seed=1), "few")
    exact = exact_top(few)
    assert exact.shape == (20, 7)
    assert Line(ours(few.rows), few, exact).point(50).recall == 1
    found = np.full((20, K), -1)
    found[:, :3] = np.argsort(-few.queries @ few.rows.T, axis=1)[:, :3]
    assert recall_of(few, found, exact) == pytest.approx(3 / 7)


def settings(**speeds: float | None) -> list[Row]:
    """A sweep's rows: M=16 is the default; about so many queries a second."""
    noise = (0.99, 1.0, 1.01, 1.0, 0.995)
    figures = {
        m: None if speed is None else Figure(tuple(speed * one for one in noise), "/s", more_is_better=True)
        for m, speed in speeds.items()
    }
    return [
        {"setting": sweep.name(int(m[1:]), 200), "efSearch": 10 * place, "speed": speed}
        for place, (m, speed) in enumerate(figures.items())
    ]


def costs(**of: tuple[float, int]) -> dict[str, Built]:
    """Seconds of a build, and bytes, of each setting."""
    return {
        sweep.name(int(m[1:]), 200): Built(None, [took] * 3, None, disk)  # type: ignore[arg-type]
        for m, (took, disk) in of.items()
    }


ALIKE = costs(M8=(1.0, 100), M16=(1.0, 100), M32=(1.0, 100))


@pytest.mark.parametrize(
    ("rows", "built", "said"),
    [
        (settings(M8=900, M16=1000, M32=1010), ALIKE, "M=16 efConstruction=200, efSearch 10 (no other"),
        (settings(M8=1500, M16=1000, M32=1300), ALIKE, "M=8 efConstruction=200, efSearch 0 (faster than"),
        (settings(M8=1300, M16=1000, M32=1500), ALIKE, "M=32 efConstruction=200, efSearch 20 (faster than"),
        (settings(M8=1000, M16=None, M32=1500), ALIKE, "M=32 efConstruction=200, efSearch 20 (faster than"),
        (settings(M8=None, M16=1000, M32=None), ALIKE, "M=16 efConstruction=200, efSearch 10 (no other"),
        (
            settings(M8=1300, M16=1000, M32=1500),
            costs(M8=(1.9, 140), M16=(1.0, 100), M32=(2.1, 100)),
            "M=8 efConstruction=200, efSearch 0 (faster than",
        ),
        (
            settings(M8=1300, M16=1000, M32=1500),
            costs(M8=(2.1, 100), M16=(1.0, 100), M32=(1.0, 160)),
            "M=16 efConstruction=200, efSearch 10 (no other",
        ),
    ],
)
def test_a_setting_is_recommended_that_is_affordable_and_faster_than_the_noise(
    rows: list[Row], built: dict[str, Built], said: str
) -> None:
    assert sweep.recommendation(rows, built).startswith(f"Recommended for recall 0.98: {said}")


def test_nothing_is_recommended_that_does_not_reach_the_recall() -> None:
    said = sweep.recommendation(settings(M8=None, M16=None, M32=None), ALIKE)
    assert said.startswith("No setting that is affordable reaches recall 0.98")


def test_settings_for_a_library_of_a_few_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "find_spec", lambda name: None)
    for seed, colour in enumerate(COLOURS):
        paint(tmp_path / "photos" / f"{colour}.png", colour, seed=seed)
    where = ["--library", str(tmp_path / "library")]
    update = ["update", str(tmp_path / "photos"), "--model", "starter", "--raw", str(tmp_path / "raw")]
    assert main([*update, *where, "--quiet"]) == 0
    output = tmp_path / "index.json"
    options = ["--this-library", "--only", "sweep", "--peers", "--rounds", "3"]
    options += ["--build-rounds", "1", "--output", str(output)]
    assert main(["benchmark", "index", *options, *where]) == 0
    (section,) = Result.read(output).sections
    assert all(row["speed"] is not None for row in section.rows)
    assert section.notes[0].startswith("Recommended for recall 0.98: M=")


def test_curves_tell_a_good_index_from_a_bad_one(vectors: Vectors) -> None:
    bad = Contestant(
        (1.0, 2.0),
        lambda effort: Searcher(lambda query: None, lambda queries: np.full((len(queries), K), -1)),
        holds_rows=True,
        save=None,
    )
    exact = exact_top(vectors)
    lines = {"good": Line(ours(vectors.rows), vectors, exact), "bad": Line(bad, vectors, exact)}
    found = curves(lines, 2)
    assert [point.effort for point in found["good"]] == list(EFS)
    assert found["good"][-1].recall > 0.99
    assert [point.recall for point in found["bad"]] == [0, 0]
    assert all(len(times) == 2 for point in found["good"] for times in point.times.values())


def test_another_contestant_goes_first_in_each_round(vectors: Vectors) -> None:
    order: list[str] = []

    def contestant(name: str) -> Contestant:
        def search(queries: np.ndarray) -> np.ndarray:
            order.append(name)
            return np.zeros((len(queries), K), np.int64)

        return Contestant((1.0,), lambda effort: Searcher(lambda query: None, search), True, None)

    exact = exact_top(vectors)
    found = curves({name: Line(contestant(name), vectors, exact) for name in "abc"}, 3)
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"
    assert list(found) == ["a", "b", "c"]
    order.clear()

    def builder(name: str) -> Builder:
        return lambda rows: order.append(name) or contestant(name)

    built = build_in_turns({name: builder(name) for name in "abc"}, vectors.rows, 3, lambda line: None)
    assert "".join(name for name in order)[6:] == "abc" + "bca" + "cab"
    assert list(built) == ["a", "b", "c"]
    assert all(len(one.build_seconds) == 3 for one in built.values())


def test_the_graph_walked_on_floats_gives_exact_answers(vectors: Vectors) -> None:
    index = HNSWIndex(16)
    index.build(vectors.rows)
    exact = exact_top(vectors)
    searcher = float_contestant(index).at(320)
    ids = searcher.batch(vectors.queries)
    assert recall_of(vectors, ids, exact) > 0.99
    np.testing.assert_array_equal(searcher.single(vectors.queries[3]), ids[3:4])
    many = float_contestant(index).at(320).batch(np.repeat(vectors.queries, 30, axis=0))
    np.testing.assert_array_equal(many, np.repeat(ids, 30, axis=0))


@pytest.mark.exhaustive
def test_every_peer_that_the_benchmark_requires_takes_part(vectors: Vectors) -> None:
    required = (Path(__file__).parents[2] / "requirements-bench.txt").read_text(encoding="utf-8")
    assert set(PACKAGES) <= {line.partition("==")[0] for line in required.splitlines()}
    makers, versions, notes = builders(PACKAGES)
    assert (set(versions), notes) == (set(PACKAGES), [])
    finds_what_exact_search_finds(makers, vectors)


def test_every_installed_peer_finds_what_exact_search_finds(vectors: Vectors) -> None:
    quick = ["hnswlib", "faiss-cpu", "usearch", "voyager"]
    makers, versions, notes = builders(quick)
    assert set(versions) == {name for name in quick if find_spec(name.removesuffix("-cpu"))}
    assert bool(notes) == (len(versions) < 4)
    finds_what_exact_search_finds(makers, vectors)


def finds_what_exact_search_finds(makers: dict[str, Builder], vectors: Vectors) -> None:
    exact = exact_top(vectors)
    for name, maker in makers.items():
        contestant = maker(vectors.rows)
        searcher = contestant.at(200)
        ids = searcher.batch(vectors.queries)
        assert ids.shape == (20, K), name
        assert recall_of(vectors, ids, exact) > 0.97, name
        searcher.single(vectors.queries[0])


def test_where_exact_search_is_faster_is_said() -> None:
    def row(allowed: int, ratio: float) -> dict[str, object]:
        return {"which": "random", "allowed": allowed, "against exact, gathered": Figure((ratio,), "x", True)}

    note = loads.slower_note([row(5_000, 3.0), row(10, 0.5)])  # type: ignore[list-item]
    assert note.endswith("at so many rows allowed: 10 (random, 0.50x).")
    assert "Never slower" in loads.slower_note([row(5_000, 3.0)])  # type: ignore[list-item]


def test_a_peer_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="no peer comes from 'pinecone'"):
        builders(["pinecone"])


def test_vectors_are_extended_by_the_rule(vectors: Vectors) -> None:
    fewer = extended(vectors, 100, 8)
    assert fewer.rows.shape == (100, 8)
    more = extended(vectors, 1500, 8)
    np.testing.assert_array_equal(more.rows[:100], fewer.rows)
    np.testing.assert_array_equal(more.queries, fewer.queries)
    np.testing.assert_allclose(np.linalg.norm(more.rows, axis=1), 1, atol=1e-5)
    assert len(np.unique(more.rows, axis=0)) == 1500
    np.testing.assert_allclose(more.rows[600:].mean(axis=0), fewer.rows.mean(axis=0), atol=0.2)


def test_synthetic_texts_lie_apart_from_pictures() -> None:
    shaped, words = clip_shaped(400, 30, 128)
    own = (shaped.queries @ shaped.rows.T).max(axis=1).mean()
    assert (words @ shaped.rows.T).max(axis=1).mean() < own
    assert np.linalg.norm(shaped.rows.mean(axis=0)) > 0.5


@pytest.mark.parametrize("count", [4, 60, 400])
def test_frames_nearly_alike(count: int) -> None:
    vectors = Vectors(clustered(count, 128), clustered(30, 128, seed=1), "x")
    frames, like_them = nearly_alike(vectors)
    assert frames.rows.shape == vectors.rows.shape
    assert like_them.shape == frames.queries.shape
    np.testing.assert_array_equal(frames.queries, vectors.queries)
    real = (frames.rows[:, np.newaxis] == vectors.rows).all(axis=2).any(axis=1)
    assert real.sum() == count // 2
    nearest = (like_them @ frames.rows[~real].T).max(axis=1)
    assert (nearest > 0.95).all()
    assert not (like_them[:, np.newaxis] == frames.rows).all(axis=2).any(), "none is indexed itself"


def test_rows_and_queries_are_held_apart() -> None:
    drawn = np.concatenate([clustered(50, 8), clustered(50, 8)])
    held = held_out(drawn, 1000, 20, "x")
    assert (len(held.rows), len(held.queries)) == (30, 20)
    assert not (held.rows[:, np.newaxis] == held.queries).all(axis=2).any()
    with pytest.raises(ConfigError, match="too few"):
        held_out(drawn, 1000, 30, "x")
    with pytest.raises(ConfigError, match="zero or not finite"):
        held_out(np.concatenate([drawn, np.zeros((1, 8), np.float32)]), 1000, 20, "x")


def test_sentences_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("one\n\ntwo\none\n three \n")
    assert sorted(sentences_of(path, 10)) == ["one", "three", "two"]
    assert len(sentences_of(path, 2)) == 2


def test_crops_of_photographs_and_their_captions(tmp_path: Path) -> None:
    photos = tmp_path / "images"
    captions = [
        {
            "file": paint(photos / f"{colour}.png", colour).name,
            "split": "dev",
            "captions": [f"all {colour}", colour],
        }
        for colour in COLOURS
    ]
    (tmp_path / "captions.json").write_text(
        json.dumps([*captions, {"file": "gone", "split": "", "captions": ["x"]}])
    )
    said: list[str] = []
    where = (tmp_path, tmp_path / "captions.json", "dev", 20, 6, tmp_path / "cache", said.append)
    crops, words = captioned_crops(*where)
    assert crops.rows.shape == (20, 768)
    assert words.shape == (6, 768)
    assert "6 crops of each of 6 photographs" in said[0]
    assert "crops of 5 photographs of captions.json, split dev" in crops.text
    captioned_crops(*where)
    assert len(said) == 1
    section = cross_modal_section("photos", {"ours": ours}, crops, words, 1)
    assert {row["line"] for row in section.rows} == {"ours, like the rows", "ours, words"}
    with pytest.raises(ConfigError, match="none of the photographs"):
        captioned_crops(tmp_path / "cache", *where[1:])
    with pytest.raises(ConfigError, match="split 'val'"):
        captioned_crops(*where[:2], "val", *where[3:])


class OneVectorAPhotograph:
    """An encoder whose vectors say of which photograph a crop is, by its colour, and which crop it is."""

    info = SimpleNamespace(fingerprint="colours")

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    def encode_pixels(self, pictures: list[np.ndarray]) -> np.ndarray:
        colours = np.array([picture.mean(axis=(0, 1)) for picture in pictures], np.float32)
        return np.concatenate([colours, self.random.random((len(pictures), 1), np.float32)], axis=1)

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        return np.array([[float(text), 0, 0, 0] for text in texts], np.float32)


def test_no_crop_of_a_photograph_that_is_asked_with_is_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossmodal, "load_encoder", lambda name: OneVectorAPhotograph())
    names = [f"{number}.png" for number in range(30)]
    for number, name in enumerate(names):
        Image.new("RGB", (40, 30), (250 - 8 * number, 8 * number + 1, 60)).save(tmp_path / name)
    items = [
        {"file": name, "split": "dev" if number < 20 else "train", "captions": [str(number)]}
        for number, name in enumerate(names)
    ]
    (tmp_path / "captions.json").write_text(json.dumps(items))
    where = (tmp_path, tmp_path / "captions.json", "dev", 60, 8, tmp_path / "cache", lambda line: None)
    crops, words = captioned_crops(*where)  # type: ignore[arg-type]

    def photographs(vectors: np.ndarray) -> set[int]:
        return {round((250 * red_share) / 8) for red_share in vectors[:, 1] / (vectors[:, 0] + vectors[:, 1])}

    indexed, asked = photographs(crops.rows), photographs(crops.queries)
    assert (len(crops.rows), len(crops.queries)) == (60, 8)
    assert (len(indexed), len(asked)) == (18, 2)
    assert not indexed & asked
    assert indexed | asked == set(range(20))
    assert {int(number) for number in words[:, 0]} <= indexed


def test_the_whole_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(charts, "find_spec", lambda name: None)  # drawing is tested with the engine
    monkeypatch.setattr(loads, "_TURN_SECONDS", 0.001)
    sentences = tmp_path / "lines.txt"
    words = ["red", "old", "small", "loud", "wet", "round", "cold", "new"]
    things = ["dog", "house", "boat", "tree", "car", "bird", "cup", "road", "lamp", "shoe"]
    sentences.write_text("\n".join(f"a {word} {thing} {place}" for word in words for thing in things
                                   for place in ("at sea", "at home", "in town")))  # fmt: skip
    output = tmp_path / "out" / "index.json"
    options = ["--sentences", str(sentences), "--rows", "220", "--queries", "20", "--rounds", "3"]
    parts = ["--peers", "hnswlib", "--growth", "60", "200", "--growth-dim", "32"]
    assert main(["benchmark", "index", *options, *parts, "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    found = {section.name: section for section in Result.read(output).sections}
    wanted = [
        "build",
        "curves",
        "at-recall",
        "codes",
        "threads",
        "filters",
        "sweep",
        "clip-shaped",
        "alike",
        "growth",
    ]
    assert list(found) == wanted
    assert "give --photos DIR" in printed
    assert "no chart" in printed
    assert "The same index each time" in printed
    assert all(row["recall@10"] >= 0.95 for row in found["filters"].rows)  # type: ignore[operator]
    assert [row["fewest results"] for row in found["filters"].rows] == [
        min(10, int(row["allowed"]))  # type: ignore[arg-type]
        for row in found["filters"].rows
    ]
    speed, ratio = (found["at-recall"].rows[0][column] for column in ("speed", "against hnswlib"))
    assert isinstance(speed, Figure)
    assert len(speed.repeats) == 3
    assert (ratio is None) == ("hnswlib left out" in printed)
    assert "Recommended for recall 0.98: M=" in printed
    options[1] = str(tmp_path / "none.txt")  # which nothing that has vectors of its own reads
    assert main(["benchmark", "index", *options, "--only", "clip-shaped", "--output", str(output)]) == 0
    assert "Encoding" not in capsys.readouterr().out


def test_the_command_refuses_what_it_cannot_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "index", "--vectors", str(tmp_path / "absent.npy")]) == 1
    assert "absent.npy" in capsys.readouterr().err
    np.save(tmp_path / "few.npy", clustered(10, 8))
    assert main(["benchmark", "index", "--vectors", str(tmp_path / "few.npy")]) == 1
    assert "too few" in capsys.readouterr().err
    assert main(["benchmark", "index", "--photos", str(tmp_path)]) == 1
    assert "belong together" in capsys.readouterr().err
