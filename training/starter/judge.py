"""The dev figures of the untrained half alone, of the trained half and of both together, in float32."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from dataset import Array, Dataset, Rows
from heads import Gate, Several

TOP = 10
Scores = Callable[[Rows, Rows], Array]  # texts [Q], rows [N] -> [Q, N]


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def conse(data: Dataset, features: Array) -> Array:
    """The untrained half: the ten likeliest classes' text vectors, weighted by their probabilities."""
    weight, bias = data.classifier
    logits = features @ weight.T + bias
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[p < -np.partition(-p, TOP - 1, axis=1)[:, TOP - 1 : TOP]] = 0
    return unit(p @ data.classes)


@torch.no_grad()
def judge(data: Dataset, pictures: Several, words: Several, gate: Gate) -> Iterator[str]:
    """One line of figures for each way to combine the halves."""
    ways: dict[str, Callable[[torch.Tensor], Array]] = {
        "untrained": lambda vectors: np.zeros((len(vectors), 1), np.float32),
        "trained": lambda vectors: np.ones((len(vectors), 1), np.float32),
        "both": lambda vectors: gate(vectors).numpy(),
    }
    for way, weight in ways.items():

        def scores(texts: Rows, rows: Rows, weight: Callable[[torch.Tensor], Array] = weight) -> Array:
            vectors, features = torch.from_numpy(data.vectors[texts]), data.features[rows]
            seen = data.vectors[texts] @ conse(data, features).T
            told = words(vectors).numpy() @ pictures(torch.from_numpy(features)).numpy().T
            w = weight(vectors)
            return (1 - w) * seen + w * told

        yield f"{way:9} {captions(data, scores)} | {classes(data, scores)} | {labels(data, scores)}"


def captions(data: Dataset, scores: Scores) -> str:
    pairs = [(text, i) for i, row in enumerate(data.dev) for text in data.texts_of[row]]
    found = scores(np.array([text for text, _ in pairs]), data.dev)
    right = found[np.arange(len(pairs)), [i for _, i in pairs]]
    rank = (found > right[:, None]).sum(1)
    parts = [f"R@{k} {100 * (rank < k).mean():.1f}" for k in (1, 5, 10)]
    return f"captions {' '.join(parts)} median {np.median(rank) + 1:.0f}"


def classes(data: Dataset, scores: Scores) -> str:
    place = {row: i for i, row in enumerate(data.class_photos)}
    found = scores(np.array([text for _, text, _ in data.class_queries]), data.class_photos)
    lines = []
    for kind in ("class", "hypernym"):
        which = [i for i, query in enumerate(data.class_queries) if query[0] == kind]
        precisions, first = [], []
        for i in which:
            relevant = np.zeros(found.shape[1], dtype=bool)
            relevant[[place[row] for row in data.class_queries[i][2]]] = True
            precisions.append(average_precision(found[i], relevant))
            first.append(relevant[found[i].argmax()])
        lines.append(f"{kind} R@1 {100 * np.mean(first):.1f} mAP {100 * np.mean(precisions):.1f}")
    return " ".join(lines)


def labels(data: Dataset, scores: Scores) -> str:
    """MAP over the labels of the held-out labelled photographs, each label by its first text."""
    rows = [row for row in data.held_out if len(data.texts_of[row]) < 5]
    first = np.array([data.texts_of[row][0] for row in rows])
    asked = np.unique(first)
    found = scores(asked, np.array(rows))
    groups = data.group[first]
    figures = [
        average_precision(line, groups == data.group[text]) for line, text in zip(found, asked, strict=True)
    ]
    return f"labels mAP {100 * np.mean(figures):.1f} of {len(asked)}"


def average_precision(scores: Array, relevant: np.ndarray) -> float:
    hits = relevant[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())
