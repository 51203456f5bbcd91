"""The candidates of a search: one sorted array of packed integers in place of two heaps.

A key holds the cost (lower is better) in its upper half, then the node, then in the last bit whether the node's
neighbors have been looked at. Keys sort by cost, ties by node, so that a search always gives the same answer.
"""

import numpy as np

from semantic_media_search.index.jit import kernel


@kernel
def pack(cost, node):
    """The key of a node not yet expanded; `cost` fits int32, `node` is below `checks.NODE_LIMIT`."""
    return (np.int64(cost) << np.int64(32)) | (np.int64(node) << np.int64(1))


@kernel
def node_of(key):
    """The node of a key."""
    return np.int64((key & np.int64(0xFFFFFFFF)) >> np.int64(1))


@kernel
def cost_of(key):
    """The cost of a key."""
    return key >> np.int64(32)


@kernel
def insert(pool, size, capacity, key):
    """Put a key into its place among the best `capacity`; returns the place, or `capacity` where there was none."""
    if size == capacity and key >= pool[size - 1]:
        return capacity
    # Few candidates and most of them near the end: moving on while looking beats a binary search.
    place = size if size < capacity else capacity - 1
    while place > 0 and pool[place - 1] > key:
        pool[place] = pool[place - 1]
        place -= 1
    pool[place] = key
    return place


@kernel
def merge(pool, size, capacity, more, count):
    """Put the keys `more[:count]`, in order, into their places among the best `capacity`.

    Returns the place of the first of them, `capacity` where none is good enough, and how many keys the pool now
    holds. One pass, from the end: putting them in one by one would move the others on each time.
    """
    last, place = size - 1, size + count - 1
    size = min(size + count, capacity)
    count -= 1
    while place >= size and count >= 0:
        if last >= 0 and pool[last] > more[count]:
            last -= 1
        else:
            count -= 1
        place -= 1
    first = capacity
    while count >= 0:
        if last >= 0 and pool[last] > more[count]:
            pool[place] = pool[last]
            last -= 1
        else:
            pool[place] = more[count]
            first = place
            count -= 1
        place -= 1
    return first, size
