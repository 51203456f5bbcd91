"""Walking the graph: greedy descent through the upper layers, then a beam over one layer.

Malkov & Yashunin 2018, algorithms 2 and 5. Costs are integers, nearly all from the codes; lower is better. With
`norms` a walk ranks by distance between codes (while building), without (None) by the query's inner product.
"""

import numpy as np

from semantic_media_search.index.codes import row_weights
from semantic_media_search.index.graph import I32
from semantic_media_search.index.instructions import dot, prefetch_row
from semantic_media_search.index.jit import inlined_kernel, kernel
from semantic_media_search.index.nearby import QUERY_UNITS, ROW_UNITS, cost_to_query, cost_to_row
from semantic_media_search.index.pool import insert, merge, node_of, pack
from semantic_media_search.records import I64

GROUP = 2
"""Candidates that are expanded together: what a lone one adds is too little to fill the wait for the next codes."""

MERGED_FROM = 100
"""From so many candidates on, what a group adds is put in order first and then merged: one by one, each would move half
of the pool on."""


def beam_room(width: int) -> tuple[I32, I64]:
    """Scratch memory for `beam` over rows of `width` links, and of fewer: `fresh` and `better`."""
    return np.empty((2, GROUP * width), np.int32), np.empty(GROUP * width, np.int64)


@inlined_kernel
def cost_by_code(codes, norms, node, weights):
    """What separates a node from the query, by its code: |u|^2 - 2 w.u between rows, -w.u from a query."""
    if norms is None:  # decided when it is compiled
        return -QUERY_UNITS * np.int64(dot(codes, node, weights))
    return ROW_UNITS * (np.int64(norms[node]) - 2 * np.int64(dot(codes, node, weights)))


@kernel
def own_cost(codes, norms, node, weights):
    """Fill `weights` with a row's own code, to hold others against it; returns what makes their costs square distances.

    That is |v|^2, and what turns |v'|^2 - 2 dot(u', v) into |v'|^2 - 2 sum(v' * v).
    """
    return ROW_UNITS * (np.int64(norms[node]) + 16 * row_weights(codes, node, weights))


@inlined_kernel
def cost(codes, norms, node, weights, nearby, rows, vector):
    """As `cost_by_code`; by the node's vector where it is too near for codes to tell (see `nearby`)."""
    found = cost_by_code(codes, norms, node, weights)
    if found >= nearby.below:
        return found
    if norms is None:
        return cost_to_query(nearby, rows, node, vector)
    return cost_to_row(nearby, rows, node, vector)


@kernel
def link_row(offsets, level, node):
    """Which row of the layer's links is the node's: its own at level 0, a slot above."""
    return np.int64(node) if level == 0 else offsets[node] + level - 1


@kernel
def descend(codes, norms, upper, offsets, weights, node, top, bottom):
    """From `node`, go to the nearest neighbor while that helps, on each level from `top` down to above `bottom`.

    SEARCH-LAYER with ef = 1 (algorithm 2), as the first loops of algorithms 1 and 5 use it, by codes alone; returns the
    node.
    """
    best = cost_by_code(codes, norms, node, weights)
    for level in range(top, bottom, -1):
        moved = True
        while moved:
            moved = False
            links = upper[link_row(offsets, level, node)]
            for i in range(links.shape[0]):
                if links[i] < 0:
                    break
                prefetch_row(codes, links[i])
            for i in range(links.shape[0]):
                if links[i] < 0:
                    break
                candidate = cost_by_code(codes, norms, links[i], weights)
                if candidate < best:
                    best, node, moved = candidate, np.int64(links[i]), True
    return node


@kernel
def next_epoch(visited, epoch):
    """The mark of the next walk in `visited`, uint8 [N], which is wiped when all marks are used up."""
    if epoch == 255:
        visited[:] = 0
        return 1
    return epoch + 1


@kernel
def expand(links, row, visited, epoch, fresh, count):
    """Add the neighbors in `links[row]` not met before to `fresh`, after its first `count`; returns how many it has.

    They are marked in `visited`: the inner loop of SEARCH-LAYER (algorithm 2). Without a branch on what was met, which
    no processor can foresee.
    """
    for i in range(links.shape[1]):
        neighbor = links[row, i]
        if neighbor < 0:
            break
        fresh[count] = neighbor
        count += visited[neighbor] != epoch
        visited[neighbor] = epoch
    return count


@kernel
def beam(
    codes,
    norms,
    links,
    offsets,
    level,
    weights,
    nearby,
    rows,
    vector,
    pool,
    size,
    ef,
    visited,
    epoch,
    fresh,
    better,
):
    """Search one layer: expand the best unexpanded of the `ef` best, until all of them are (algorithm 2).

    `pool`, int64 [>= ef], holds `size` keys to begin with, whose nodes are marked in `visited`; returns how many
    it holds in the end, best first. `fresh` and `better` are scratch (see `beam_room`).

    A search waits for memory above all. So the best GROUP candidates are expanded together, and while what they add is
    compared, the codes of what the next ones add are already on their way, a row asked for with each one compared.
    The links of candidates that are likely next are asked for as well.
    """
    cursor, now, count = 0, 0, 0
    while cursor < size or count > 0:
        following, coming, expanded = 1 - now, 0, 0
        while cursor < size and expanded < GROUP:
            if not pool[cursor] & 1:
                pool[cursor] |= 1
                row = link_row(offsets, level, node_of(pool[cursor]))
                coming = expand(links, row, visited, epoch, fresh[following], coming)
                expanded += 1
            cursor += 1
        if cursor < size:
            prefetch_row(links, link_row(offsets, level, node_of(pool[cursor])))
        for i in range(count, coming):
            prefetch_row(codes, fresh[following, i])
        first, found = size, 0
        for i in range(count):
            if i < coming:
                prefetch_row(codes, fresh[following, i])
            node = fresh[now, i]
            key = pack(cost(codes, norms, node, weights, nearby, rows, vector), node)
            if size == ef and key >= pool[size - 1]:
                continue
            if ef >= MERGED_FROM:
                insert(better, found, count, key)
                found += 1
            else:
                first = min(first, insert(pool, size, ef, key))
                size = min(size + 1, ef)
        if found:
            first, size = merge(pool, size, ef, better, found)
        for place in range(first, min(size, cursor + GROUP)):
            prefetch_row(links, link_row(offsets, level, node_of(pool[place])))
        cursor = min(cursor, first)
        now, count = following, coming
    return size
