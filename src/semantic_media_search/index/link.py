"""Choosing and making links (Malkov & Yashunin 2018, algorithms 1 and 4).

A batch of nodes is linked in two steps, each of which gives the same result in any number of threads: every node
of the batch finds its neighbors in the graph as it was before; then every node that was found takes the new
links in, all of its own together.
"""

import numpy as np

from semantic_media_search.index.codes import row_weights
from semantic_media_search.index.instructions import dot, prefetch_row
from semantic_media_search.index.jit import kernel
from semantic_media_search.index.landmarks import nearest_landmark
from semantic_media_search.index.nearby import ROW_UNITS, apart_by_vectors, near_row
from semantic_media_search.index.pool import cost_of, insert, node_of, pack
from semantic_media_search.index.walk import beam, cost, descend, link_row, next_epoch, own_cost


@kernel
def select_neighbors(codes, norms, rows, sight, own, pool, size, limit, weights, sums, row):
    """Algorithm 4: of the candidates in `pool`, nearest first, keep those nearer to the node than to any kept one.

    At most a quarter are copies of the node. `own` is the node's, so that costs become distances. `weights`, int8
    [limit, stride], and `sums`, int64 [limit], are scratch for what is kept. Fills `row`, int32 [>= limit], with the
    kept nodes and -1 after them; returns how many.
    """
    kept, copies = 0, 0
    for i in range(size):
        candidate = node_of(pool[i])
        from_node = cost_of(pool[i]) + own
        if from_node <= sight.copy:  # a thousand copies of one vector must not link to one another alone
            if 4 * copies >= limit:
                continue
            copies += 1
        good = True
        for j in range(kept):
            product = np.int64(dot(codes, candidate, weights[j])) - 8 * sums[j]
            apart = ROW_UNITS * (np.int64(norms[candidate]) + np.int64(norms[row[j]]) - 2 * product)
            if apart < sight.blur:
                apart = apart_by_vectors(sight, rows, candidate, row[j])
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
    codes, norms, rows, sight, links, upper, offsets, levels, landmarks, entry, top, start, stop, ef, weights,
    kept_weights, sums, pool, visited, epoch, fresh, better,
):  # fmt: skip
    """Step one, for nodes `start` to `stop`: each finds its neighbors on every level that it has (algorithm 1).

    They are written into the nodes' own rows, which no search reads yet. Returns the last epoch used up.
    """
    for node in range(start, stop):
        own = own_cost(codes, norms, node, weights)
        nearby = near_row(sight, own)
        level = min(np.int64(levels[node]), np.int64(top))
        if level > 1:
            at = descend(codes, norms, upper, offsets, weights, entry, top, level)
        else:
            at = nearest_landmark(codes, norms, landmarks, weights)
            at = descend(codes, norms, upper, offsets, weights, at, min(top, 1), level)
        size = 0
        while level >= 0:
            epoch = next_epoch(visited, epoch)
            if size == 0:
                pool[0] = pack(cost(codes, norms, at, weights, nearby, rows, rows[node]), at)
                size = 1
            for i in range(size):
                visited[node_of(pool[i])] = epoch
                pool[i] &= ~np.int64(1)
            layer = links if level == 0 else upper
            size = beam(
                codes, norms, layer, offsets, level, weights, nearby, rows, rows[node], pool, size, ef, visited,
                np.uint8(epoch), fresh, better,
            )  # fmt: skip
            row = layer[link_row(offsets, level, np.int64(node))]
            select_neighbors(
                codes, norms, rows, sight, own, pool, size, row.shape[0], kept_weights, sums, row
            )
            level -= 1
    return epoch


@kernel
def take_links(
    codes, norms, rows, sight, links, owners, targets, sources, bounds, start, stop, weights, kept_weights, sums, pool
):  # fmt: skip
    """Step two, for groups `start` to `stop`: a row takes in the nodes that link to it, choosing where it is full.

    Group g adds `sources[bounds[g]:bounds[g + 1]]` to `links[targets[g]]`; `owners` int32 gives the node of a row,
    or is empty where a row is its node. This is the second half of algorithm 1: bidirectional connections, shrunk by
    algorithm 4 where a row would be too long. A row with room takes everything in, copies of its node too.
    """
    for group in range(start, stop):
        if group + 2 < stop:
            prefetch_row(links, targets[group + 2])
        row = links[targets[group]]
        held = 0
        while held < row.shape[0] and row[held] >= 0:
            held += 1
        first, last = bounds[group], bounds[group + 1]
        if held + last - first <= row.shape[0]:
            for i in range(first, last):
                row[held + i - first] = sources[i]
            continue
        node = np.int64(owners[targets[group]]) if owners.shape[0] else np.int64(targets[group])
        own = own_cost(codes, norms, node, weights)
        nearby = near_row(sight, own)
        size, capacity = 0, pool.shape[0]
        for i in range(held):
            prefetch_row(codes, row[i])
        for i in range(first, last):
            prefetch_row(codes, sources[i])
        for i in range(held):
            insert(
                pool,
                size,
                capacity,
                pack(cost(codes, norms, np.int64(row[i]), weights, nearby, rows, rows[node]), row[i]),
            )
            size += 1
        for i in range(first, last):
            place = insert(
                pool,
                size,
                capacity,
                pack(cost(codes, norms, np.int64(sources[i]), weights, nearby, rows, rows[node]), sources[i]),
            )
            if place < capacity:
                size = min(size + 1, capacity)
        select_neighbors(codes, norms, rows, sight, own, pool, size, row.shape[0], kept_weights, sums, row)


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
