"""Slow, obvious twins of the index's kernels."""

import numpy as np

from semantic_media_search.index.graph import Graph
from semantic_media_search.index.walk import EXPANDED_TOGETHER


def dot(code_row, weights) -> int:
    return sum(int(u) * int(w) for u, w in zip(code_row, weights, strict=True))


def insert(keys: list[int], capacity: int, key: int) -> list[int]:
    return sorted([*keys, key])[:capacity]


def select_neighbors(codes, node: int, candidates: list[int], limit: int) -> list[int]:
    """Algorithm 4 on the codes' own distances; `candidates` nearest first."""
    values = codes.astype(np.int64) - 128

    def apart(a: int, b: int) -> int:
        return int(((values[a] - values[b]) ** 2).sum())

    kept: list[int] = []
    copies = 0
    for candidate in candidates:
        if apart(candidate, node) == 0:
            copies += 1
            if copies > -(-limit // 4):
                continue
        if all(apart(candidate, other) >= apart(candidate, node) for other in kept):
            kept.append(candidate)
        if len(kept) == limit:
            break
    return kept


def beam(codes, links, weights, entry: int, ef: int) -> list[int]:
    """Algorithm 2 at level 0 with a plain list: the ef best nodes met, best first."""
    cost = {entry: -dot(codes[entry], weights)}
    best, expanded = [entry], set()
    while True:
        waiting = [node for node in best if node not in expanded][:EXPANDED_TOGETHER]
        if not waiting:
            return best
        expanded.update(waiting)
        met = {int(neighbor) for node in waiting for neighbor in links[node] if neighbor >= 0} - cost.keys()
        cost |= {node: -dot(codes[node], weights) for node in met}
        best = sorted([*best, *met], key=lambda node: (cost[node], node))[:ef]


def reached(graph: Graph) -> set[int]:
    seen, waiting = {graph.entry}, [graph.entry]
    while waiting:
        for neighbor in graph.links[waiting.pop()]:
            if neighbor >= 0 and int(neighbor) not in seen:
                seen.add(int(neighbor))
                waiting.append(int(neighbor))
    return seen
