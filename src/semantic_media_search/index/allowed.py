"""Listing the rows that may be answers, out of a mask over all rows: most of what a search among few rows costs."""

from typing import NamedTuple

import numpy as np

from semantic_media_search.index.jit import kernel
from semantic_media_search.records import I64, U8, BoolMask

_WORD = 8


class Answerable(NamedTuple):
    """Which nodes may be answers: `total` of them, either listed in `nodes`, int64 [total], or all but the `blocked`.

    `blocked` is uint8 [N], or empty where nothing is.
    """

    total: int
    nodes: I64 | None
    blocked: U8


@kernel
def list_nodes(allowed, words, nodes):
    """Write the nodes whose byte in `allowed`, uint8 [N], is 1 into `nodes`, int64, which has room for one more.

    `words`, uint64 [N // 8], are the same bytes: few of them are not zero where few nodes are allowed. Returns how
    many nodes there are.
    """
    count = 0
    for i in range(words.shape[0]):
        if words[i] != 0:
            for node in range(_WORD * i, _WORD * (i + 1)):
                nodes[count] = node  # the next one goes over it unless it is allowed: no branch to guess
                count += int(allowed[node])
    for node in range(_WORD * words.shape[0], allowed.shape[0]):
        nodes[count] = node
        count += int(allowed[node])
    return count


def nodes_of(mask: BoolMask, count: int) -> I64:
    """The nodes that a mask, bool [N], allows, in order, int64 [count]; `count` is how many there are."""
    allowed: U8 = np.ascontiguousarray(mask).view(np.uint8)
    if allowed.ctypes.data % _WORD:
        allowed = allowed.copy()  # words at odd addresses are another type to the compiler
    allowed.flags.writeable = False
    nodes = np.empty(count + 1, np.int64)
    list_nodes(allowed, allowed[: allowed.size // _WORD * _WORD].view(np.uint64), nodes)
    return nodes[:count]
