"""Walking the graph: greedy descent through the upper layers, then a beam over one layer.

Malkov & Yashunin 2018, algorithms 2 and 5. Costs are integers from the codes; lower is better. With `norms` a
walk ranks by distance between codes (while building), without (an empty array) by the query's inner product.
"""

import numpy as np

from semantic_media_search.index.instructions import dot, prefetch_row
from semantic_media_search.index.jit import kernel
from semantic_media_search.index.pool import insert, node_of, pack


@kernel
def cost(codes, norms, node, weights):
    """What separates a node from the query: |u|^2 - 2 w.u between rows, -w.u from a query."""
    product = dot(codes, node, weights)
    if norms.shape[0]:
        return np.int64(norms[node]) - 2 * np.int64(product)
    return -np.int64(product)


@kernel
def link_row(offsets, level, node):
    """Which row of the layer's links is the node's: its own at level 0, a slot above."""
    return np.int64(node) if level == 0 else offsets[node] + level - 1


@kernel
def descend(codes, norms, upper, offsets, weights, node, top, bottom):
    """From `node`, go to the nearest neighbor while that helps, on each level from `top` down to above `bottom`."""
    best = cost(codes, norms, node, weights)
    for level in range(top, bottom, -1):
        moved = True
        while moved:
            moved = False
            links = upper[link_row(offsets, level, node)]
            for i in range(links.shape[0]):
                if links[i] < 0:
                    break
                candidate = cost(codes, norms, links[i], weights)
                if candidate < best:
                    best, node, moved = candidate, np.int64(links[i]), True
    return node


@kernel
def beam(codes, norms, links, offsets, level, weights, pool, size, ef, visited, epoch, fresh):
    """Search one layer: expand the best unexpanded of the `ef` best, until all of them are (algorithm 2).

    `pool`, int64 [>= ef], holds `size` keys to begin with, whose nodes are marked in `visited`; returns how many
    it holds in the end, best first. `fresh`, int32 [links a row], is scratch. Neighbors are collected first and
    asked for from memory together, then compared.
    """
    cursor = 0
    while cursor < size:
        key = pool[cursor]
        if key & 1:
            cursor += 1
            continue
        pool[cursor] = key | 1
        row = links[link_row(offsets, level, node_of(key))]
        count = 0
        for i in range(row.shape[0]):
            neighbor = row[i]
            if neighbor < 0:
                break
            if visited[neighbor] != epoch:
                visited[neighbor] = epoch
                fresh[count] = neighbor
                count += 1
                prefetch_row(codes, neighbor)
        cursor += 1
        first = size
        for i in range(count):
            place = insert(pool, size, ef, pack(cost(codes, norms, fresh[i], weights), fresh[i]))
            if place < ef:
                size = min(size + 1, ef)
                first = min(first, place)
        cursor = min(cursor, first)
    return size
