"""The scorer of text-to-image search against figures worked out by hand, and the layouts it reads."""

import json

import numpy as np
import pytest
from PIL import Image

from semantic_media_search.benchmark.__main__ import main
from semantic_media_search.benchmark.engine.results import Result
from semantic_media_search.benchmark.retrieval import average_precision, ndcg, score_retrieval, score_vectors
from semantic_media_search.benchmark.retrieval_sets import read_retrieval_set
from semantic_media_search.benchmark.timed_encoder import rates
from semantic_media_search.errors import ConfigError, VectorError


def test_figures_by_hand():
    scores = np.array([[0.9, 0.1, 0.5], [0.2, 0.8, 0.4]], dtype=np.float32)
    figures = score_retrieval(scores, [[0], [0, 2]])
    assert (figures.queries, figures.pictures) == (2, 3)
    assert figures.recall == {1: 0.5, 5: 1.0, 10: 1.0}
    assert figures.median_rank == 1.5
    assert figures.mean_average_precision == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 2)
    second = (1 / np.log2(3) + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    assert figures.ndcg == pytest.approx((1 + second) / 2)


def test_ties_count_against_the_model():
    figures = score_retrieval(np.ones((1, 20), np.float32), [[0]])
    assert figures.recall == {1: 0, 5: 0, 10: 0}
    assert figures.median_rank == 20
    assert figures.mean_average_precision == pytest.approx(1 / 20)


def test_a_picture_named_twice_counts_once():
    scores = np.array([[0.1, 0.9]], dtype=np.float32)
    assert score_retrieval(scores, [[0, 0, 0]]) == score_retrieval(scores, [[0]])


def test_order_of_pictures_does_not_matter():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(30, 50)).round(1).astype(np.float32)
    relevant = [rng.choice(50, size=3, replace=False) for _ in scores]
    shuffled = rng.permutation(50)
    moved = [np.argsort(shuffled)[columns] for columns in relevant]
    assert score_retrieval(scores[:, shuffled], moved) == score_retrieval(scores, relevant)


def test_a_naive_twin_agrees():
    rng = np.random.default_rng(1)
    for _ in range(20):
        ranked = rng.random(15) < 0.3
        ranked[rng.integers(15)] = True
        precisions = [ranked[: i + 1].mean() for i in range(15) if ranked[i]]
        assert average_precision(ranked) == pytest.approx(sum(precisions) / len(precisions))
        gain = sum(1 / np.log2(i + 2) for i in range(10) if ranked[i])
        best = sum(1 / np.log2(i + 2) for i in range(min(10, ranked.sum())))
        assert ndcg(ranked) == pytest.approx(gain / best)


@pytest.mark.parametrize("most", [1, 50, 64, 170, 10_000])
def test_figures_are_the_same_in_blocks_of_any_size(most):
    rng = np.random.default_rng(2)
    words, pictures = (rng.integers(-3, 4, (count, 8)).astype(np.float32) for count in (37, 50))
    relevant = [rng.choice(50, size=2, replace=False) for _ in words]
    assert score_vectors(words, pictures, relevant, most) == score_retrieval(words @ pictures.T, relevant)
    with pytest.raises(VectorError, match="query 36 is to find"):
        score_vectors(words, pictures, [*relevant[:-1], [50]], most)


@pytest.mark.parametrize(
    ("scores", "relevant"),
    [
        (np.ones((1, 2)), [[2]]),
        (np.ones((1, 2)), [[-1]]),
        (np.ones((1, 2)), [[]]),
        (np.ones((2, 2)), [[0]]),
        (np.ones((0, 2)), []),
        (np.ones((1, 0)), [[0]]),
        (np.array([[np.nan, 1]]), [[0]]),
    ],
)
def test_what_cannot_be_judged_is_refused(scores, relevant):
    with pytest.raises(VectorError):
        score_retrieval(scores, relevant)


LAYOUTS = {
    "ours": [
        {"file": "a.jpg", "split": "dev", "captions": ["a cat", "a tabby"]},
        {"file": "b.jpg", "split": "train", "captions": ["a dog"]},
    ],
    "karpathy": {
        "images": [
            {"filename": "a.jpg", "split": "dev", "sentences": [{"raw": "a cat"}, {"raw": "a tabby"}]},
            {"filename": "b.jpg", "split": "train", "sentences": [{"raw": "a dog"}]},
        ]
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_splits(tmp_path, layout):
    path = tmp_path / "set.json"
    path.write_text(json.dumps(LAYOUTS[layout]), encoding="utf-8")
    asked = [(query.text, query.files) for query in read_retrieval_set(path, "dev").queries]
    assert asked == [("a cat", ("a.jpg",)), ("a tabby", ("a.jpg",))]
    assert read_retrieval_set(path).files == ("a.jpg", "b.jpg")
    with pytest.raises(ConfigError, match="val"):
        read_retrieval_set(path, "val")


def test_other_layouts(tmp_path):
    path = tmp_path / "set"
    coco = {
        "images": [{"id": 7, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 7, "caption": "a cat\n"}],
    }
    path.write_text(json.dumps(coco), encoding="utf-8")
    assert [(q.text, q.files) for q in read_retrieval_set(path).queries] == [("a cat", ("a.jpg",))]
    path.write_text("a.jpg#0\ta cat\na.jpg#1\ta tabby\n", encoding="utf-8")
    assert [q.text for q in read_retrieval_set(path).queries] == ["a cat", "a tabby"]
    path.write_text(json.dumps([{"kind": "hypernym", "query": "a pet", "relevant": ["a.jpg", "b.jpg"]}]))
    assert read_retrieval_set(path).queries[0].files == ("a.jpg", "b.jpg")


@pytest.mark.parametrize(
    ("item", "texts", "files"),
    [
        ({"file": "a.jpg", "split": "dev", "captions": "a cat"}, ["a cat"], ("a.jpg",)),
        ({"kind": "hypernym", "query": "a pet", "relevant": "a.jpg"}, ["a pet"], ("a.jpg",)),
        ({"file": "a.jpg", "source": "s", "kind": "label", "texts": "a cat"}, ["a cat"], ("a.jpg",)),
    ],
)
def test_a_lone_text_or_file_is_a_list_of_one(tmp_path, item, texts, files):
    path = tmp_path / "set.json"
    path.write_text(json.dumps([item]), encoding="utf-8")
    found = read_retrieval_set(path)
    assert ([query.text for query in found.queries], found.files) == (texts, files)


@pytest.mark.parametrize(
    "document",
    [
        {
            "images": [{"id": 1, "file_name": "none.jpg"}, {"id": 7, "file_name": "a.jpg"}],
            "annotations": [{"image_id": 7, "caption": "a cat"}],
        },
        {
            "images": [
                {"filename": "none.jpg", "split": "dev", "sentences": []},
                {"filename": "a.jpg", "split": "dev", "sentences": [{"raw": "a cat"}]},
            ]
        },
        [
            {"file": "none.jpg", "split": "dev", "captions": []},
            {"file": "a.jpg", "split": "dev", "captions": ["a cat"]},
        ],
    ],
)
def test_photographs_without_captions_are_there_to_be_wrong(tmp_path, document):
    path = tmp_path / "set.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    found = read_retrieval_set(path)
    assert found.files == ("a.jpg", "none.jpg")
    assert [query.files for query in found.queries] == [("a.jpg",)]


TOKENS = "a.jpg#0\ta cat\na.jpg#1\ta tabby\nb.jpg#0\ta dog\n"
WITHOUT_SPLITS = {
    "coco": json.dumps(
        {"images": [{"id": 7, "file_name": "a.jpg"}], "annotations": [{"image_id": 7, "caption": "x"}]}
    ),
    "queries": json.dumps([{"kind": "hypernym", "query": "a pet", "relevant": ["a.jpg"]}]),
    "token file": TOKENS,
    "csv": "image,caption\na.jpg,a cat\n",
}


@pytest.mark.parametrize("layout", WITHOUT_SPLITS)
def test_a_split_of_a_layout_without_splits_is_refused(tmp_path, layout):
    path = tmp_path / "set"
    path.write_text(WITHOUT_SPLITS[layout], encoding="utf-8")
    assert read_retrieval_set(path).queries
    with pytest.raises(ConfigError, match=r"--split dev: .*set has no splits"):
        read_retrieval_set(path, "dev")


@pytest.mark.parametrize(
    "content",
    [
        'image,caption\na.jpg,A cat .\na.jpg,"A cat , ""Tom"" ."\nb.jpg,A dog, wet .\n',
        '\ufeffimage,caption\r\na.jpg,A cat .\r\na.jpg,"A cat , ""Tom"" ."\r\nb.jpg,A dog, wet .\r\n',
        'image_name,comment_number,comment\na.jpg,0,A cat .\na.jpg,1,"A cat , ""Tom"" ."\nb.jpg,0,"A dog, wet ."\n',
        'image_name| comment_number| comment\na.jpg| 0| A cat .\na.jpg| 1| A cat , "Tom" .\nb.jpg| 4   A dog, wet .\n',
        'a.jpg#0\tA cat .\na.jpg#1\tA cat , "Tom" .\nb.jpg#0\tA dog, wet .\n',
    ],
)
def test_captions_in_lines_as_flickrs_sets_have_them(tmp_path, content):
    path = tmp_path / "captions.txt"
    path.write_text(content, encoding="utf-8", newline="")
    assert [(query.files, query.text) for query in read_retrieval_set(path).queries] == [
        (("a.jpg",), "A cat ."),
        (("a.jpg",), 'A cat , "Tom" .'),
        (("b.jpg",), "A dog, wet ."),
    ]


def test_lists_say_which_photographs_are_of_a_split(tmp_path):
    path = tmp_path / "Flickr8k.token.txt"
    path.write_text(TOKENS, encoding="utf-8")
    (tmp_path / "Flickr_8k.devImages.txt").write_text("b.jpg\n", encoding="utf-8")
    (tmp_path / "test.txt").write_text("a\n", encoding="utf-8")  # Flickr30k's lists leave the ending out
    assert read_retrieval_set(path, "dev").files == ("b.jpg",)
    assert read_retrieval_set(path, str(tmp_path / "test.txt")).files == ("a.jpg",)
    with pytest.raises(ConfigError, match=r"\*\.valImages\.txt"):
        read_retrieval_set(path, "val")


@pytest.mark.parametrize(
    "content", ["image,caption\na.jpg\n", "image_name| comment_number| comment\na.jpg\n"]
)
def test_broken_lines_are_refused(tmp_path, content):
    path = tmp_path / "set"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="line 2"):
        read_retrieval_set(path)


def test_labels_gather_their_photographs_and_a_tenth_is_held_out(tmp_path):
    path = tmp_path / "texts.json"
    items = [
        {"file": f"{i}.jpg", "source": "s", "kind": "label", "texts": ["a photo of a car", "car"]}
        for i in range(25)
    ]
    path.write_text(json.dumps(items), encoding="utf-8")
    (query,) = read_retrieval_set(path, "held-out").queries
    assert (query.text, query.files) == ("a photo of a car", ("9.jpg", "19.jpg"))
    assert len(read_retrieval_set(path, "train").files) == 23


@pytest.mark.parametrize("content", ["", "no tab here", "{}", "[]", '[{"file": 1}]', "3"])
def test_unknown_layouts_are_refused(tmp_path, content):
    path = tmp_path / "set"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError):
        read_retrieval_set(path)


def test_the_command_measures_the_starter_model(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    for name, colour in (("red", (220, 20, 20)), ("blue", (20, 20, 220))):
        Image.new("RGB", (64, 48), colour).save(tmp_path / "images" / f"{name}.jpg")
    captions = tmp_path / "captions.json"
    names = ("red", "blue", "gone")
    captions.write_text(json.dumps([{"file": f"{n}.jpg", "split": "dev", "captions": [n]} for n in names]))
    output = tmp_path / "retrieval.json"
    asked = ["retrieval", "--photos", str(tmp_path), "--captions", str(captions), "--split", "dev"]
    assert main([*asked, "--output", str(output)]) == 0
    said = capsys.readouterr().out
    assert "left out 1 of 3" in said
    assert "R@5 100.0" in said
    assert "2 queries, 2 photographs" in said
    stored = Result.read(output)
    assert {"date", "processor", "load", "model", "split", "captions"} <= set(stored.environment)
    speeds = {row["what"]: row["encoded"] for row in stored.sections[1].rows}
    assert list(speeds) == ["photographs, in batches", "captions, one a call"]
    assert all(one.unit == "/s" and one.more_is_better and one.value > 0 for one in speeds.values())
    assert "== Encoded a second" in said
    (row,) = stored.sections[0].rows
    assert (row["kind"], row["R@5"], row["queries"], row["photographs"]) == ("caption", 100, 2, 2)


def test_a_photograph_that_cannot_be_read_is_left_out_and_counted(tmp_path, capsys):
    for name, colour in (("red", (220, 20, 20)), ("blue", (20, 20, 220))):
        Image.new("RGB", (64, 48), colour).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "red.png").read_bytes()[:60])
    captions, output = tmp_path / "captions.json", tmp_path / "retrieval.json"
    names = ("red", "broken", "blue")
    captions.write_text(json.dumps([{"file": f"{n}.png", "split": "dev", "captions": [n]} for n in names]))
    asked = ["retrieval", "--photos", str(tmp_path), "--captions", str(captions)]
    assert main([*asked, "--output", str(output)]) == 0
    said = capsys.readouterr().out
    assert "broken.png" in said
    assert "left out 1 of 3 photographs that cannot be read" in said
    row = Result.read(output).sections[0].rows[0]
    assert (row["queries"], row["photographs"], row["left out"]) == (2, 2, 1)
    (tmp_path / "red.png").unlink()
    (tmp_path / "blue.png").unlink()
    assert main([*asked, "--output", str(output)]) == 1
    assert "none of the photographs can be read" in capsys.readouterr().err


def test_rates_are_of_whole_batches():
    calls = [(1, 0.5)] * 4 + [(2, 0.5), (1, 1.0)]
    assert rates(calls, 2) == (2.0, 2.0, 3 / 1.5)
    assert rates(calls, 100) == (7 / 3.5,)


def test_the_command_names_what_is_missing(tmp_path, capsys):
    assert main(["retrieval", "--photos", str(tmp_path), "--captions", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
