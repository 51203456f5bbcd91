"""The scorer of text-to-image search against figures worked out by hand, and the layouts it reads."""

import json

import numpy as np
import pytest
from PIL import Image

from semantic_media_search.benchmark.__main__ import main
from semantic_media_search.benchmark.retrieval import average_precision, ndcg, score_retrieval
from semantic_media_search.benchmark.retrieval_sets import read_retrieval_set
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
    assert main(["retrieval", "--photos", str(tmp_path), "--captions", str(captions), "--split", "dev"]) == 0
    said = capsys.readouterr().out
    assert "left out 1 of 3" in said
    assert "R@5 100.0" in said
    assert "2 queries, 2 photographs" in said


def test_the_command_names_what_is_missing(tmp_path, capsys):
    assert main(["retrieval", "--photos", str(tmp_path), "--captions", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
