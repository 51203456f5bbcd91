"""Where walks begin: at the nearest of a few nodes that lie far apart.

A greedy descent from one entry point ends where most rows are. Where a camera stands still for hours, that is among its
frames, and a walk that begins there may never see the few photographs of something else. Landmarks are nodes of level
1, chosen farthest first (Gonzalez 1985): each is the one farthest from those before it.
"""

import numpy as np

from semantic_media_search.index.graph import I32, Graph
from semantic_media_search.index.jit import kernel, read_only
from semantic_media_search.index.walk import cost_by_code, own_cost
from semantic_media_search.records import I64, U8

LANDMARKS = 64


def landmarks_of(graph: Graph, codes: U8, norms: I32, count: int) -> I64:
    """Nodes to begin at, int64 [L], among the first `count`, which are linked.

    Of level 1 at least; where no node is that high, the entry point alone, and none in an empty graph.
    """
    nodes = np.flatnonzero(graph.levels[:count]).astype(np.int64)
    if not len(nodes):
        return read_only(np.full(min(count, 1), graph.entry, np.int64))
    chosen = np.empty(min(LANDMARKS, len(nodes)), np.int64)
    weights = np.empty(2 * codes.shape[1], np.int8)
    count = farthest_first(codes, norms, nodes, weights, np.empty(len(nodes), np.int64), chosen)
    return read_only(chosen[:count])


@kernel
def farthest_first(codes, norms, nodes, weights, apart, chosen):
    """Fill `chosen` from `nodes`, both int64: the first of them, then each time the one farthest from those chosen.

    Returns how many: fewer than there is room for where all others have the codes of chosen ones. `weights` int8
    [2 * stride] and `apart` int64 [len(nodes)] are scratch.
    """
    place = 0
    for number in range(chosen.shape[0]):
        chosen[number] = nodes[place]
        own = own_cost(codes, norms, nodes[place], weights)
        place = 0
        for i in range(nodes.shape[0]):
            distance = cost_by_code(codes, norms, nodes[i], weights) + own
            if number == 0 or distance < apart[i]:
                apart[i] = distance
            if apart[i] > apart[place]:
                place = i
        if apart[place] == 0:
            return number + 1
    return chosen.shape[0]


@kernel
def nearest_landmark(codes, norms, landmarks, weights):
    """The landmark that costs least, the first of several; there is one at least."""
    node = landmarks[0]
    best = cost_by_code(codes, norms, node, weights)
    for i in range(1, landmarks.shape[0]):
        found = cost_by_code(codes, norms, landmarks[i], weights)
        if found < best:
            best, node = found, landmarks[i]
    return node
