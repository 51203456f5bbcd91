"""Rows too near for their codes to tell apart are compared by their vectors: in walks, in scans, and while building.

Rounding is off by up to a step a coordinate, so that codes of W coordinates lie sqrt(W / 6) steps apart even where the
vectors are one: bursts of a photo, a camera that stands still. What lies nearer than a few times that, by its code,
is given the cost that its code would have if it were exact.
"""

from typing import NamedTuple

import numpy as np

from semantic_media_search.index.inner_product import inner_product, square_distance
from semantic_media_search.index.jit import kernel

QUERY_UNITS, ROW_UNITS = 32, 256
"""Costs are whole numbers of so many parts of a product of a query with a code, of a square distance of codes."""
_BLUR = 0.75
"""Squares of distances below so many steps^2 a coordinate are found by vectors: four times what rounding makes of 0."""
_COPY = 1e-3
"""Rows nearer than so many steps^2 a coordinate count as copies of one another."""
_FINEST = 1e-6
"""Cosines that differ by less are not told apart by float32 vectors either."""
_LIMIT = 2.0**31 - 1


class Sight(NamedTuple):
    """How rows are compared while a graph is built: those nearer than `blur`, a cost, by their vectors.

    `slope` turns squares of distances into costs; rows at most `copy` apart are copies of one another.
    """

    blur: int
    slope: float
    copy: int


class Nearby(NamedTuple):
    """How rows are held against one vector: what costs less than `below` by its code is given its cost by vector.

    That is offset + slope * (the square of the distance from a row, the cosine to a query). The arrays are not in here:
    taking one out of a tuple is counted, which would cost more than a comparison.
    """

    below: np.int64
    offset: float
    slope: float


def sight_of(scale: float, width: int) -> Sight:
    """How rows are compared whose codes have `width` coordinates in steps of `scale`."""
    return Sight(int(ROW_UNITS * _BLUR * width), ROW_UNITS / scale**2, int(ROW_UNITS * _COPY * width))


@kernel
def near_row(sight, own):
    """How rows are held against one of them; `own` turns its costs into square distances."""
    return Nearby(np.int64(sight.blur - own), np.float64(-own), sight.slope)


@kernel
def near_query(query, centre, scale, weights, factor, margin):
    """How rows are held against a query, float32 [D], whose coordinates times `factor` are `weights`.

    What rounding does to a row's product with a query (`margin`, a cost, see `margin_of`) does not become less where
    the row is near, as it does between rows. So whatever is within that of the query is compared by vector too.
    """
    total = np.int64(0)
    for i in range(weights.shape[0]):
        total += weights[i]
    slope = QUERY_UNITS * np.float64(factor) / scale
    # A code u stands for (u - 7.5) steps.
    offset = slope * np.float64(inner_product(query, centre)) - 7.5 * QUERY_UNITS * np.float64(total)
    length = np.sqrt(np.float64(inner_product(query, query)))
    apart = max(_BLUR * weights.shape[0] * scale**2 / 2, margin / (slope * length))
    below = -_LIMIT
    if apart > _FINEST:
        below = min(max(offset - slope * length * (1 - apart), -_LIMIT), _LIMIT)
    return Nearby(np.int64(below), offset, -slope)


@kernel
def cost_to_query(nearby, rows, node, query):
    """What a row costs by its vector, int64, held against a query."""
    return whole(nearby.offset + nearby.slope * np.float64(inner_product(rows[node], query)))


@kernel
def cost_to_row(nearby, rows, node, row):
    """What a row costs by its vector, int64, held against another one."""
    return whole(nearby.offset + nearby.slope * np.float64(square_distance(rows[node], row)))


@kernel
def apart_by_vectors(sight, rows, node, other):
    """The square of the distance between two rows in the units of costs, int64."""
    return whole(sight.slope * np.float64(square_distance(rows[node], rows[other])))


@kernel
def whole(cost):
    """The nearest whole number that keys have room for; the worst for what is none, in a damaged file."""
    if not cost < _LIMIT:
        return np.int64(_LIMIT)
    return np.int64(max(np.rint(cost), -_LIMIT))
