"""Choosing and making links (Malkov & Yashunin 2018, algorithms 1 and 4).

A batch of nodes is linked in two steps, each of which gives the same result in any number of threads: every node
of the batch finds its neighbors in the graph as it was before; then every node that was found takes the new
links in, all of its own together.
"""

from typing import NamedTuple

import numpy as np

from semantic_media_search.index.codes import row_weights
from semantic_media_search.index.graph import I32
from semantic_media_search.index.instructions import dot, prefetch_row
from semantic_media_search.index.jit import kernel
from semantic_media_search.index.pool import cost_of, insert, node_of, pack
from semantic_media_search.index.walk import beam, cost, descend, link_row
from semantic_media_search.records import I64, U8

UNKNOWN = -1


class Layer(NamedTuple):
    """Links while a graph is built, and what is known of each so that it need not be found again.

    `links` int32 [R, W] are the graph's own. `apart` int32 [R, W]: the squared distance of the codes of a row's node
    and each of its links. `chosen` int32 [R]: so many of the first links were chosen together by algorithm 4, nearest
    first; UNKNOWN where not even `apart` is filled, as in a graph that is added to.
    """

    links: I32
    apart: I32
    chosen: I32


class Choice(NamedTuple):
    """Scratch memory of `select_neighbors`, for each link kept: its weights int8 [W, stride], their sum int64 [W], and
    whether it was chosen before, uint8 [W].
    """

    weights: np.ndarray[tuple[int, int], np.dtype[np.int8]]
    sums: I64
    before: U8


@kernel
def select_neighbors(codes, norms, pool, size, limit, choice, row, apart):
    """Algorithm 4: of the candidates in `pool`, nearest first, keep those nearer to the node than to any kept one.

    Keys hold squared distances from the node; those that end in 1 were kept together before, so that none of them is
    nearer to another than to the node. At most a quarter are copies of the node. Fills `row` and `apart`, int32
    [>= limit], with the kept nodes and their distances, and -1 after them; returns how many.
    """
    weights, sums, before = choice
    kept, copies = 0, 0
    for i in range(size):
        candidate, from_node, again = node_of(pool[i]), cost_of(pool[i]), pool[i] & 1
        if from_node == 0:  # a thousand copies of one vector must not link to one another alone
            if 4 * copies >= limit:
                continue
            copies += 1
        good, weighed = True, False
        for j in range(kept):
            if again and before[j]:
                continue
            if not before[j]:
                product = np.int64(dot(codes, candidate, weights[j])) - 128 * sums[j]
            else:
                if not weighed:
                    sums[kept] = row_weights(codes, candidate, weights[kept])
                    weighed = True
                product = np.int64(dot(codes, row[j], weights[kept])) - 128 * sums[kept]
            if np.int64(norms[candidate]) + np.int64(norms[row[j]]) - 2 * product < from_node:
                good = False
                break
        if good:
            if not again and not weighed:
                sums[kept] = row_weights(codes, candidate, weights[kept])
            row[kept], apart[kept], before[kept] = candidate, from_node, again
            kept += 1
            if kept == limit:
                break
    for j in range(kept, row.shape[0]):
        row[j] = -1
    return kept


@kernel
def distances_of(pool, size, own_norm, keys):
    """Write the keys of a walk's `pool` into `keys`, both int64 [>= size], with squared distances in place of costs.

    `own_norm` is what turns one into the other. None is marked.
    """
    for i in range(size):
        keys[i] = pack(cost_of(pool[i]) + own_norm, node_of(pool[i]))


@kernel
def find_links(
    codes, norms, bottom, upper, offsets, levels, entry, top, start, stop, ef, weights, choice, pool, keys, visited,
    epoch, fresh, better,
):  # fmt: skip
    """Step one, for nodes `start` to `stop`: each finds its neighbors on every level that it has (algorithm 1).

    They are written into the nodes' own rows of `bottom` and `upper` (Layer), which no search reads yet. Returns the
    last epoch used up.
    """
    for node in range(start, stop):
        # What turns |v'|^2 - 2 dot(u', v) into |v' - v|^2.
        own_norm = np.int64(norms[node]) + 256 * row_weights(codes, node, weights)
        level = min(np.int64(levels[node]), np.int64(top))
        at = descend(codes, norms, upper.links, offsets, weights, entry, top, level)
        size = 0
        while level >= 0:
            if epoch == 255:
                visited[:] = 0
                epoch = 0
            epoch += 1
            if size == 0:
                pool[0] = pack(cost(codes, norms, at, weights), at)
                size = 1
            for i in range(size):
                visited[node_of(pool[i])] = epoch
                pool[i] &= ~np.int64(1)
            layer = bottom if level == 0 else upper
            size = beam(
                codes,
                norms,
                layer.links,
                offsets,
                level,
                weights,
                pool,
                size,
                ef,
                visited,
                np.uint8(epoch),
                fresh,
                better,
            )
            distances_of(pool, size, own_norm, keys)
            place = link_row(offsets, level, np.int64(node))
            row = layer.links[place]
            layer.chosen[place] = select_neighbors(
                codes, norms, keys, size, row.shape[0], choice, row, layer.apart[place]
            )
            level -= 1
    return epoch


@kernel
def take_links(codes, norms, layer, owners, rows, sources, apart, bounds, start, stop, weights, choice, pool):
    """Step two, for groups `start` to `stop`: a row takes in the nodes that link to it, choosing where it is full.

    Group g adds `sources[bounds[g]:bounds[g + 1]]`, so far `apart` from its node, to `layer.links[rows[g]]`; `owners`
    int32 gives the node of a row, or is empty where a row is its node. This is the second half of algorithm 1:
    bidirectional connections, shrunk by algorithm 4 where a row would be too long. A row with room takes everything
    in, copies of its node too.
    """
    for group in range(start, stop):
        if group + 2 < stop:
            prefetch_row(layer.links, rows[group + 2])
        place = rows[group]
        row, known, chosen = layer.links[place], layer.apart[place], layer.chosen[place]
        held = 0
        while held < row.shape[0] and row[held] >= 0:
            held += 1
        first, last = bounds[group], bounds[group + 1]
        if held + last - first <= row.shape[0]:
            for i in range(first, last):
                row[held + i - first] = sources[i]
                known[held + i - first] = apart[i]
            continue
        for i in range(first, last):
            prefetch_row(codes, sources[i])
        for i in range(held):
            prefetch_row(codes, row[i])
        if chosen == UNKNOWN:
            node = np.int64(owners[place]) if owners.shape[0] else np.int64(place)
            own_norm = np.int64(norms[node]) + 256 * row_weights(codes, node, weights)
            for i in range(held):
                known[i] = cost(codes, norms, np.int64(row[i]), weights) + own_norm
        size, capacity = 0, pool.shape[0]
        for i in range(held):
            insert(pool, size, capacity, pack(known[i], row[i]) | np.int64(i < chosen))
            size += 1
        for i in range(first, last):
            if insert(pool, size, capacity, pack(apart[i], sources[i])) < capacity:
                size = min(size + 1, capacity)
        layer.chosen[place] = select_neighbors(codes, norms, pool, size, row.shape[0], choice, row, known)


@kernel
def reach(links, entry, seen, queue):
    """Breadth first from `entry` over level 0: marks `seen`, uint8 [N]; returns how many nodes were reached."""
    done, known = 0, 0
    if seen[entry] == 0:
        seen[entry] = 1
        queue[0] = entry
        known = 1
    while done < known:
        row = links[queue[done]]
        done += 1
        for i in range(row.shape[0]):
            if row[i] < 0:
                break
            if seen[row[i]] == 0:
                seen[row[i]] = 1
                queue[known] = row[i]
                known += 1
    return known
