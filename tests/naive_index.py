"""Slow, obvious twins of the index's kernels."""

from collections.abc import Callable

import numpy as np

from semantic_media_search.index.graph import Graph
from semantic_media_search.index.rotation import signs_of
from semantic_media_search.index.walk import GROUP

Cost = Callable[[int], int]


def coordinates(codes) -> np.ndarray:
    """The coordinates of rows of codes, -8 to 7: of every 64 bytes the lower halves, then the upper ones."""
    rows = [
        [
            half(int(byte)) - 8
            for at in range(0, len(row), 64)
            for half in _HALVES
            for byte in row[at : at + 64]
        ]
        for row in codes
    ]
    return np.array(rows, np.int64).reshape(len(codes), 2 * codes.shape[1])


_HALVES = (lambda byte: byte % 16, lambda byte: byte // 16)


def dot(code_row, weights) -> int:
    return sum(
        (int(u) + 8) * int(w) for u, w in zip(coordinates(code_row[np.newaxis])[0], weights, strict=True)
    )


def rotated(vector, width: int) -> np.ndarray:
    """A vector as codes and queries are rotated, by matrices, float64 [width]."""
    block = width & -width
    turned = np.zeros(width)
    turned[: len(vector)] = vector
    for signs in np.sign(signs_of(width)):
        turned = (signs * turned).reshape(-1, block) @ _hadamard(block) / np.sqrt(block)
        if len(turned) > 1:
            turned = turned - 2 * turned.mean(axis=0)
        turned = turned.reshape(-1)
    return turned


def _hadamard(size: int) -> np.ndarray:
    """Sylvester's matrix; its columns in the order that 16 columns read downwards give."""
    matrix = np.ones((1, 1))
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix[:, np.arange(size).reshape(-1, 16).T.reshape(-1)]


def margin(weights) -> int:
    """3.5 standard deviations of what two rows' costs are off by."""
    return int(3.5 * np.sqrt(sum((int(w) ** 2 + 6.5) / 6 for w in weights)))


def near(costs: list[int], k: int, margin: int) -> int:
    """How many of these, best first, may be among the k best."""
    return len(costs) if len(costs) < k else sum(cost <= costs[k - 1] + margin for cost in costs)


def insert(keys: list[int], capacity: int, key: int) -> list[int]:
    return sorted([*keys, key])[:capacity]


def select_neighbors(codes, node: int, candidates: list[int], limit: int) -> list[int]:
    """Algorithm 4 on the codes' own distances; `candidates` nearest first."""
    values = coordinates(codes)

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
    return _beam(
        lambda node: [int(neighbor) for neighbor in links[node] if neighbor >= 0],
        lambda node: -dot(codes[node], weights),
        [entry],
        ef,
    )


def reached(graph: Graph) -> set[int]:
    return reached_over([linked(graph, node, 0) for node in range(len(graph))], graph.entry)


def reached_over(layer: list[list[int]], entry: int) -> set[int]:
    seen, waiting = {entry}, [entry]
    while waiting:
        for neighbor in layer[waiting.pop()]:
            if neighbor not in seen:
                seen.add(neighbor)
                waiting.append(neighbor)
    return seen


def quantise_query(query, width: int) -> list[int]:
    """Rotated, 127 for 4.5 times what coordinates are on average."""
    turned = rotated(query, width)
    return (
        np.rint(np.clip(turned * 127 / (4.5 * np.sqrt((turned**2).mean())), -127, 127)).astype(int).tolist()
    )


def descend(graph: Graph, cost: Cost, node: int, top: int, bottom: int) -> int:
    """The nearest neighbor, again and again, on each level from `top` down to above `bottom`."""
    for level in range(top, bottom, -1):
        node = _nearest(lambda at, level=level: linked(graph, at, level), cost, node)
    return node


def linked(graph: Graph, node: int, level: int) -> list[int]:
    row = graph.links[node] if level == 0 else graph.upper[graph.offsets[node] + level - 1]
    return [int(neighbor) for neighbor in row if neighbor >= 0]


def rank(embeddings, query, nodes: list[int], k: int) -> list[tuple[int, float]]:
    scored = [(node, float(np.float64(embeddings[node]) @ np.float64(query))) for node in nodes]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:k]


def search(graph: Graph, codes, embeddings, query, k: int, ef: int) -> list[tuple[int, float]]:
    """Algorithm 5: descent, beam at level 0, then the best by their vectors."""
    weights = quantise_query(query, 2 * codes.shape[1])
    entry = descend(graph, lambda node: -dot(codes[node], weights), graph.entry, graph.top, 0)
    best = beam(codes, graph.links, weights, entry, ef)
    costs = [-dot(codes[node], weights) for node in best]
    return rank(embeddings, query, best[: near(costs, k, margin(weights))], k)


def scan(codes, embeddings, query, nodes: list[int], k: int, few: int) -> list[tuple[int, float]]:
    """The best by their vectors of those that the codes leave open; of few rows, of all."""
    weights = quantise_query(query, 2 * codes.shape[1])
    costs = {node: -dot(codes[node], weights) for node in nodes}
    best = sorted(nodes, key=lambda node: (costs[node], node))
    count = near([costs[node] for node in best], k, margin(weights)) if len(nodes) > few else len(nodes)
    return rank(embeddings, query, best[:count], k)


def build_links(codes, levels, m: int, ef: int, batch: Callable[[int], int]) -> list[list[list[int]]]:
    """Algorithm 1 with lists: `layers[level][node]` are a node's neighbors. `batch(start)` nodes at a time find
    their neighbors in the graph as it was, then all rows that they link to take them in.
    """
    values = coordinates(codes)

    def apart(a: int, b: int) -> int:
        return int(((values[a] - values[b]) ** 2).sum())

    count, highest = len(levels), int(max(levels))
    layers: list[list[list[int]]] = [[[] for _ in range(count)] for _ in range(highest + 1)]
    entry, top, start = 0, int(levels[0]), 1
    while start < count:
        stop = min(count, start + batch(start))
        found = {}
        for node in range(start, stop):
            at = entry
            for level in range(top, int(levels[node]), -1):
                at = _nearest(layers[level].__getitem__, lambda other, node=node: apart(node, other), at)
            pool = [at]
            for level in range(min(top, int(levels[node])), -1, -1):
                pool = _beam(layers[level].__getitem__, lambda other, node=node: apart(node, other), pool, ef)
                found[level, node] = select_neighbors(codes, node, pool, m if level else 2 * m)
        for (level, node), row in found.items():
            layers[level][node] = row
        for level in range(highest + 1):
            _take(
                codes,
                layers[level],
                apart,
                [n for n in range(start, stop) if (level, n) in found],
                m if level else 2 * m,
            )
        for node in range(start, stop):
            if levels[node] > top:
                entry, top = node, int(levels[node])
        start = stop
    return layers


def _take(
    codes, layer: list[list[int]], apart: Callable[[int, int], int], new: list[int], limit: int
) -> None:
    incoming: dict[int, list[int]] = {}
    for node in new:
        for target in layer[node]:
            incoming.setdefault(target, []).append(node)
    for target, sources in incoming.items():
        row = layer[target] + sources
        if len(row) > limit:
            row.sort(key=lambda other, target=target: (apart(target, other), other))
            row = select_neighbors(codes, target, row, limit)
        layer[target] = row


def _nearest(neighbors: Callable[[int], list[int]], cost: Cost, node: int) -> int:
    while True:
        nearest = min(neighbors(node), key=cost, default=node)
        if cost(nearest) >= cost(node):
            return node
        node = nearest


def _beam(neighbors: Callable[[int], list[int]], cost: Cost, entries: list[int], ef: int) -> list[int]:
    """Algorithm 2 from several entries: the ef best nodes met, best first.

    Who is expanded next is settled before what the last ones added is compared.
    """
    best, expanded, met = sorted(entries, key=lambda node: (cost(node), node)), set(), set(entries)
    added: set[int] = set()
    while True:
        waiting = [node for node in best if node not in expanded][:GROUP]
        if not waiting and not added:
            return best
        expanded.update(waiting)
        best = sorted([*best, *added], key=lambda node: (cost(node), node))[:ef]
        added = {neighbor for node in waiting for neighbor in neighbors(node)} - met
        met |= added
