"""Answering queries: walk on the codes, then rank the best by their full vectors."""

import numpy as np

from semantic_media_search.index.codes import margin_of, quantise_query
from semantic_media_search.index.inner_product import inner_product
from semantic_media_search.index.instructions import prefetch_row
from semantic_media_search.index.jit import kernel
from semantic_media_search.index.landmarks import nearest_landmark
from semantic_media_search.index.nearby import QUERY_UNITS, near_query
from semantic_media_search.index.pool import cost_of, insert, node_of, pack
from semantic_media_search.index.walk import beam, cost, descend, next_epoch

_ASKED_AHEAD = 24
"""Rows of vectors that are asked for from memory before they are compared: a second-level cache holds so many."""


@kernel
def rank(embeddings, query, nodes, count, k, out_ids, out_cosines):
    """The k best of `nodes[:count]` by their vectors, best first, ties by node; returns how many there are.

    The last line of algorithm 5, with true cosines where the paper has the walk's own distances.
    """
    for i in range(min(count, _ASKED_AHEAD)):
        prefetch_row(embeddings, nodes[i])
    found = 0
    for i in range(count):
        if i + _ASKED_AHEAD < count:
            prefetch_row(embeddings, nodes[i + _ASKED_AHEAD])
        node = nodes[i]
        cosine = inner_product(embeddings[node], query)
        place = found
        while place > 0 and (
            out_cosines[place - 1] < cosine
            or (out_cosines[place - 1] == cosine and out_ids[place - 1] > node)
        ):
            place -= 1
        if place < k:
            last = min(found, k - 1)
            for j in range(last, place, -1):
                out_ids[j], out_cosines[j] = out_ids[j - 1], out_cosines[j - 1]
            out_ids[place], out_cosines[place] = node, cosine
            found = min(found + 1, k)
    return found


@kernel
def gather(pool, size, blocked, k, margin, nodes):
    """The nodes of a pool that are not blocked (`blocked` uint8 [N], or empty), best first, into `nodes`.

    Returns how many, and how many of them may be among the k best: those that cost no more than the k-th and `margin`.
    """
    count, near, worst = 0, 0, np.int64(1) << 32
    for i in range(size):
        node = node_of(pool[i])
        if blocked.shape[0] == 0 or blocked[node] == 0:
            nodes[count] = node
            count += 1
            if count == k:
                worst = cost_of(pool[i]) + margin
            if cost_of(pool[i]) <= worst:
                near = count
    return count, near


@kernel
def search_graph(
    codes, links, upper, offsets, landmarks, top, embeddings, signs, centre, scale, query, k, ef, enough, blocked,
    room, weights, pool, visited, epoch, fresh, better, nodes, out_ids, out_cosines,
):  # fmt: skip
    """K-NN-search (algorithm 5) for one query, float32 [D]: fills `out_ids` and `out_cosines`.

    Returns how many, or -1 where the walk met fewer than `enough` rows that are not blocked.
    """
    factor = quantise_query(query, signs, room, weights)
    margin = QUERY_UNITS * margin_of(weights)
    nearby = near_query(query, centre, scale, weights, factor, margin)
    node = nearest_landmark(codes, None, landmarks, weights)
    node = descend(codes, None, upper, offsets, weights, node, min(top, 1), 0)
    visited[node] = np.uint8(epoch)
    pool[0] = pack(cost(codes, None, node, weights, nearby, embeddings, query), node)
    size = beam(
        codes, None, links, offsets, 0, weights, nearby, embeddings, query, pool, 1, ef, visited,
        np.uint8(epoch), fresh, better,
    )  # fmt: skip
    count, near = gather(pool, size, blocked, k, margin, nodes)
    if count < enough:
        return -1
    return rank(embeddings, query, nodes, near, k, out_ids, out_cosines)


@kernel
def search_many(
    codes, links, upper, offsets, landmarks, top, embeddings, signs, centre, scale, queries, k, ef, enough, blocked,
    room, weights, pool, visited, epoch, fresh, better, nodes, out_ids, out_cosines,
):  # fmt: skip
    """`search_graph` for queries float32 [Q, D], into `out_ids`, int64 [Q, >= k]; `enough` is at least k.

    -1 as a row's first id says that its walk did not meet enough. Returns the last epoch that was used up, and how
    many rows have their answers.
    """
    answered = 0
    for i in range(queries.shape[0]):
        epoch = next_epoch(visited, epoch)
        found = search_graph(
            codes, links, upper, offsets, landmarks, top, embeddings, signs, centre, scale, queries[i], k, ef, enough,
            blocked, room, weights, pool, visited, epoch, fresh, better, nodes, out_ids[i], out_cosines[i],
        )  # fmt: skip
        if found < 0:
            out_ids[i, 0] = -1
        answered += found > 0
    return epoch, answered


@kernel
def search_scan(
    codes, embeddings, signs, centre, scale, query, k, few, allowed, room, weights, pool, nodes, out_ids, out_cosines
):  # fmt: skip
    """The k best among the rows `allowed`, int64 [n]: all of them by code, those that may be the best by their vectors.

    Up to `few` rows are compared by their vectors at once. `pool` is as long as what the codes may leave open: the best
    of it are kept.
    """
    if allowed.shape[0] <= few:
        return rank(embeddings, query, allowed, allowed.shape[0], k, out_ids, out_cosines)
    factor = quantise_query(query, signs, room, weights)
    margin, worst, size = QUERY_UNITS * margin_of(weights), np.int64(1) << 32, 0
    nearby = near_query(query, centre, scale, weights, factor, margin)
    for i in range(allowed.shape[0]):
        if i + 8 < allowed.shape[0]:
            prefetch_row(codes, allowed[i + 8])
        node = allowed[i]
        candidate = cost(codes, None, node, weights, nearby, embeddings, query)
        if candidate <= worst and insert(pool, size, pool.shape[0], pack(candidate, node)) < pool.shape[0]:
            size = min(size + 1, pool.shape[0])
            if size >= k:
                worst = cost_of(pool[k - 1]) + margin
    _, near = gather(pool, size, np.empty(0, dtype=np.uint8), k, margin, nodes)
    return rank(embeddings, query, nodes, near, k, out_ids, out_cosines)


@kernel
def scan_many(
    codes, embeddings, signs, centre, scale, queries, k, few, allowed, room, weights, pool, nodes, out_ids, out_cosines
):  # fmt: skip
    """`search_scan` for queries float32 [Q, D]; k rows are allowed at least."""
    for i in range(queries.shape[0]):
        search_scan(
            codes, embeddings, signs, centre, scale, queries[i], k, few, allowed, room, weights, pool, nodes,
            out_ids[i], out_cosines[i],
        )  # fmt: skip
