"""Choosing and making links (Malkov & Yashunin 2018, algorithms 1 and 4).

A batch of nodes is linked in two steps, each of which gives the same result in any number of threads: every node
of the batch finds its neighbors in the graph as it was before; then every node that was found takes the new
links in, all of its own together.
"""

import numpy as np

from semantic_media_search.index.codes import row_weights
from semantic_media_search.index.instructions import dot, prefetch_row
from semantic_media_search.index.jit import kernel
from semantic_media_search.index.pool import cost_of, insert, node_of, pack
from semantic_media_search.index.walk import beam, cost, descend, link_row


@kernel
def select_neighbors(codes, norms, own_norm, pool, size, limit, weights, sums, row):
    """Algorithm 4: of the candidates in `pool`, nearest first, keep those nearer to the node than to any kept one.

    At most a quarter are copies of the node. `own_norm` is the node's, so that costs become distances. `weights`, int8
    [limit, stride], and `sums`, int64 [limit], are scratch for what is kept. Fills `row`, int32 [>= limit], with the
    kept nodes and -1 after them; returns how many.
    """
    kept, copies = 0, 0
    for i in range(size):
        candidate = node_of(pool[i])
        from_node = cost_of(pool[i]) + np.int64(own_norm)
        if from_node == 0:  # a thousand copies of one vector must not link to one another alone
            if 4 * copies >= limit:
                continue
            copies += 1
        good = True
        for j in range(kept):
            product = np.int64(dot(codes, candidate, weights[j])) - 8 * sums[j]
            apart = np.int64(norms[candidate]) + np.int64(norms[row[j]]) - 2 * product
            if apart < from_node:
                good = False
                break
        if good:
            sums[kept] = row_weights(codes, candidate, weights[kept])
            row[kept] = candidate
            kept += 1
            if kept == limit:
                break
    for j in range(kept, row.shape[0]):
        row[j] = -1
    return kept


@kernel
def find_links(
    codes, norms, links, upper, offsets, levels, entry, top, start, stop, ef, weights, kept_weights, sums, pool,
    visited, epoch, fresh, better,
):  # fmt: skip
    """Step one, for nodes `start` to `stop`: each finds its neighbors on every level that it has (algorithm 1).

    They are written into the nodes' own rows, which no search reads yet. Returns the last epoch used up.
    """
    for node in range(start, stop):
        # What turns |v'|^2 - 2 dot(u', v) into |v'|^2 - 2 sum(v' * v).
        shift = 16 * row_weights(codes, node, weights)
        level = min(np.int64(levels[node]), np.int64(top))
        at = descend(codes, norms, upper, offsets, weights, entry, top, level)
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
            layer = links if level == 0 else upper
            size = beam(
                codes,
                norms,
                layer,
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
            row = layer[link_row(offsets, level, np.int64(node))]
            select_neighbors(
                codes, norms, np.int64(norms[node]) + shift, pool, size, row.shape[0], kept_weights, sums, row
            )
            level -= 1
    return epoch


@kernel
def take_links(
    codes, norms, links, owners, rows, sources, bounds, start, stop, weights, kept_weights, sums, pool
):
    """Step two, for groups `start` to `stop`: a row takes in the nodes that link to it, choosing where it is full.

    Group g adds `sources[bounds[g]:bounds[g + 1]]` to `links[rows[g]]`; `owners` int32 gives the node of a row,
    or is empty where a row is its node. This is the second half of algorithm 1: bidirectional connections, shrunk by
    algorithm 4 where a row would be too long. A row with room takes everything in, copies of its node too.
    """
    for group in range(start, stop):
        if group + 2 < stop:
            prefetch_row(links, rows[group + 2])
        row = links[rows[group]]
        held = 0
        while held < row.shape[0] and row[held] >= 0:
            held += 1
        first, last = bounds[group], bounds[group + 1]
        if held + last - first <= row.shape[0]:
            for i in range(first, last):
                row[held + i - first] = sources[i]
            continue
        node = np.int64(owners[rows[group]]) if owners.shape[0] else np.int64(rows[group])
        # What turns |v'|^2 - 2 dot(u', v) into |v'|^2 - 2 sum(v' * v).
        shift = 16 * row_weights(codes, node, weights)
        size, capacity = 0, pool.shape[0]
        for i in range(held):
            prefetch_row(codes, row[i])
        for i in range(first, last):
            prefetch_row(codes, sources[i])
        for i in range(held):
            insert(pool, size, capacity, pack(cost(codes, norms, np.int64(row[i]), weights), row[i]))
            size += 1
        for i in range(first, last):
            place = insert(
                pool, size, capacity, pack(cost(codes, norms, np.int64(sources[i]), weights), sources[i])
            )
            if place < capacity:
                size = min(size + 1, capacity)
        select_neighbors(
            codes, norms, np.int64(norms[node]) + shift, pool, size, row.shape[0], kept_weights, sums, row
        )


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
