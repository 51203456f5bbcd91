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
    if not np.isfinite(scores).all():
        raise VectorError("scores hold NaN or infinity; check the vectors they were made from")
    ordered = np.stack(
        [
            _ranked(row, wanted, number)
            for number, (row, wanted) in enumerate(zip(scores, relevant, strict=True))
        ]
    )
    first = ordered.argmax(axis=1) + 1
    return RetrievalFigures(
        queries=len(scores),
        pictures=scores.shape[1],
        recall={k: float((first <= k).mean()) for k in RECALL_AT},
        median_rank=float(np.median(first)),
        mean_average_precision=float(np.mean([average_precision(row) for row in ordered])),
        ndcg=float(np.mean([ndcg(row) for row in ordered])),
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
