"""How well words find pictures: R@k, median rank, mAP and nDCG of a score matrix.

Ties count against the model: among pictures of one score the wrong ones come first, so that a model which
scores everything alike is found out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from semantic_media_search.errors import VectorError
from semantic_media_search.records import F32

RECALL_AT = (1, 5, 10)
NDCG_AT = 10
_SCORES_AT_ONCE = 1 << 24
"""64 MiB of them."""

Relevance = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RetrievalFigures:
    """Figures of one set of queries, in [0, 1] but for `median_rank` (1 is best).

    `recall[k]` is the share of queries with at least one right picture among the first k, as papers on
    captions report it.
    """

    queries: int
    pictures: int
    recall: dict[int, float]
    median_rank: float
    mean_average_precision: float
    ndcg: float


@dataclass(frozen=True, slots=True)
class Judged:
    """One query: the rank of its first right picture (1 is best), its average precision and its nDCG."""

    first: int
    precision: float
    ndcg: float


def score_retrieval(scores: F32, relevant: Sequence[Iterable[int]]) -> RetrievalFigures:
    """Judge `scores` float [Q, N] (higher is better); `relevant[q]` are the columns that are right for row q.

    A column named twice counts once. With fewer than k pictures, R@k is over all there are. Raises
    VectorError where shapes disagree, a score is not finite, a query has no right picture or none of N.
    """
    if scores.ndim != 2 or len(scores) != len(relevant) or 0 in scores.shape:
        raise VectorError(
            f"scores have shape {scores.shape} for {len(relevant)} queries; give one row a query and one column "
            f"a picture, at least one of each"
        )
    return _figures(_judge(scores, relevant, 0), scores.shape[1])


def score_vectors(
    words: F32, pictures: F32, relevant: Sequence[Iterable[int]], most: int = _SCORES_AT_ONCE
) -> RetrievalFigures:
    """As `score_retrieval` of `words` float32 [Q, D] by `pictures` float32 [N, D], at most `most` scores at a time.

    All scores of 155,000 captions of 31,000 photographs would be 20 GB.
    """
    block = max(1, most // max(1, len(pictures)))
    judged: list[Judged] = []
    for start in range(0, len(words), block):
        scores = words[start : start + block] @ pictures.T
        judged += _judge(scores, relevant[start : start + block], start)
    return _figures(judged, len(pictures))


def _judge(scores: F32, relevant: Sequence[Iterable[int]], first_number: int) -> list[Judged]:
    if not np.isfinite(scores).all():
        raise VectorError("scores hold NaN or infinity; check the vectors they were made from")
    judged = []
    for number, (row, wanted) in enumerate(zip(scores, relevant, strict=True), start=first_number):
        ranked = _ranked(row, wanted, number)
        judged.append(Judged(int(ranked.argmax()) + 1, average_precision(ranked), ndcg(ranked)))
    return judged


def _figures(judged: Sequence[Judged], pictures: int) -> RetrievalFigures:
    first = np.array([one.first for one in judged])
    return RetrievalFigures(
        queries=len(judged),
        pictures=pictures,
        recall={k: float((first <= k).mean()) for k in RECALL_AT},
        median_rank=float(np.median(first)),
        mean_average_precision=float(np.mean([one.precision for one in judged])),
        ndcg=float(np.mean([one.ndcg for one in judged])),
    )


def average_precision(ranked: Relevance) -> float:
    """Mean precision at each right picture; `ranked` bool [N], best first, holds at least one."""
    places = np.flatnonzero(ranked) + 1
    return float((np.arange(1, len(places) + 1) / places).mean())


def ndcg(ranked: Relevance, k: int = NDCG_AT) -> float:
    """Discounted cumulative gain of the first k over that of the best order (Järvelin & Kekäläinen 2002)."""
    discounts = 1 / np.log2(np.arange(2, min(k, len(ranked)) + 2))
    best = discounts[: int(ranked.sum())].sum()
    return float((ranked[: len(discounts)] * discounts).sum() / best)


def _ranked(scores: F32, wanted: Iterable[int], number: int) -> Relevance:
    """Whether each picture is right, best score first, wrong before right where scores tie."""
    columns = np.unique(np.fromiter(wanted, dtype=np.int64))
    if not len(columns) or columns[0] < 0 or columns[-1] >= len(scores):
        raise VectorError(
            f"query {number} is to find pictures {columns.tolist()[:5]} of {len(scores)}; name at least one, each "
            f"from 0 to {len(scores) - 1}"
        )
    right = np.zeros(len(scores), dtype=np.bool_)
    right[columns] = True
    return right[np.lexsort((right, -scores))]
