"""What every index refuses, exact or not. Nothing here compiles, so that exact search need not wait for Numba."""

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
import numpy.typing as npt

from semantic_media_search.errors import QueryError, VectorError
from semantic_media_search.records import F32, I64, BoolMask

NODE_LIMIT = (1 << 31) - 1
_NORM_TOLERANCE = 1e-3
_CHECK_ROWS = 8192


def checked_numbers(k: int, ef: int) -> tuple[int, int]:
    """Two counts as Python's own whole numbers, which kernels are compiled for. Raises QueryError for others."""
    try:
        k, ef = index(k), index(ef)
    except TypeError as error:
        raise QueryError(f"k is {k!r} and ef is {ef!r}; both must be whole numbers") from error
    if k < 1 or ef < 1:
        raise QueryError(f"k is {k} and ef is {ef}; both must be at least 1")
    return k, ef


def check_direction(queries: F32) -> None:
    """Refuse queries, float32 [D] or [Q, D], that are zero or not finite."""
    squares = np.einsum("...j,...j->...", queries, queries)
    if not np.all((squares > 0) & (squares < np.inf)):
        raise VectorError("a query is zero or not finite; it needs a direction")


def check_dimensions(queries: npt.NDArray[Any], expected: int, dim: int) -> None:
    """Refuse what is not one query (`expected` 1) or a table of them (2), of `dim` dimensions."""
    if queries.ndim != expected:
        wanted = f"one query, float32 [{dim}]" if expected == 1 else f"queries [Q, {dim}]"
        raise VectorError(f"expected {wanted}, got {list(queries.shape)}")
    if queries.shape[-1] != dim:
        raise VectorError(f"the query has {queries.shape[-1]} dimensions, the index {dim}")


def checked_mask(allowed: BoolMask, count: int) -> BoolMask:
    """A filter, bool [N], whose bytes are 0 and 1, as they need not be where it was made as a view of others.

    Raises VectorError for what is no filter over N rows.
    """
    if allowed.shape != (count,) or allowed.dtype != np.bool_:
        raise VectorError(f"expected allowed to be bool [{count}], got {allowed.dtype} {list(allowed.shape)}")
    mask: BoolMask = allowed.view(np.uint8) != 0
    return mask


def checked_ids(node_ids: Sequence[int] | I64, count: int) -> I64:
    """Node ids as int64. Raises VectorError for ids that are not there, and for what is no list of ids, a mask say."""
    ids = np.asarray(node_ids)
    if ids.size == 0:
        return np.empty(0, np.int64)
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise VectorError(
            f"expected node ids, integers [n], got {ids.dtype} {list(ids.shape)}; "
            "of a mask, np.flatnonzero(mask) gives the ids"
        )
    if ids.min() < 0 or ids.max() >= count:
        wrong = ids.min() if ids.min() < 0 else ids.max()
        held = f"nodes 0 to {count - 1}" if count else "no nodes"
        raise VectorError(f"there is no node {wrong}: the index holds {held}")
    return ids.astype(np.int64)


def check_pieces(embeddings: npt.NDArray[Any]) -> None:
    """Raise VectorError unless the coordinates of each row [D] lie side by side, as kernels take them."""
    if (
        embeddings.ndim == 2
        and embeddings.size
        and embeddings.shape[1] > 1
        and embeddings.strides[1] != embeddings.itemsize
    ):
        raise VectorError(
            f"the coordinates of a row lie {embeddings.strides[1]} bytes apart, not {embeddings.itemsize}; "
            "np.ascontiguousarray(embeddings) brings them together"
        )


def check_rows(embeddings: F32, start: int, dim: int) -> None:
    """Raise VectorError unless these are float32 [N, dim], each row in one piece, those from `start` on of length 1."""
    check_pieces(embeddings)
    if embeddings.ndim != 2 or embeddings.shape[1] != dim or embeddings.dtype != np.float32:
        raise VectorError(
            f"expected float32 embeddings [N, {dim}], got {embeddings.dtype} {list(embeddings.shape)}"
        )
    if len(embeddings) >= NODE_LIMIT:
        raise VectorError(f"{len(embeddings)} rows are more than one index holds ({NODE_LIMIT})")
    for at in range(start, len(embeddings), _CHECK_ROWS):
        norms = np.linalg.norm(embeddings[at : at + _CHECK_ROWS], axis=1)
        wrong = np.flatnonzero(~(np.abs(norms - 1) <= _NORM_TOLERANCE))
        if wrong.size:
            raise VectorError(
                f"row {at + wrong[0]} has length {norms[wrong[0]]:.4g}; divide each row by its length, and leave "
                "out those that are zero or not finite"
            )
