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


def inner_product(one, other) -> np.float32:
    """Of two float32 vectors: 32 running sums, added up in halves, then what is left."""
    return _in_order([a * b for a, b in zip(one, other, strict=True)])


def square_distance(one, other) -> np.float32:
    return _in_order([(a - b) * (a - b) for a, b in zip(one, other, strict=True)])


def _in_order(terms: list[np.float32]) -> np.float32:
    sums = [np.float32(0)] * 32
    whole = len(terms) // 32 * 32
    for i in range(whole):
        sums[i % 32] += terms[i]
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [low + high for low, high in zip(sums[:half], sums[half:], strict=True)]
    for term in terms[whole:]:
        sums[0] += term
    return sums[0]


class Near:
    """Costs by code, and by vectors where rows are too near for that: within 0.75 W steps^2."""

    def __init__(self, codes, embeddings, scale: float):
        self.codes, self.values, self.embeddings, self.scale = codes, coordinates(codes), embeddings, scale
        self.blur = 0.75 * self.values.shape[1]

    def apart(self, a: int, b: int) -> int:
        by_code = int(((self.values[a] - self.values[b]) ** 2).sum())
        if by_code >= self.blur:
            return 256 * by_code
        return round(256 / self.scale**2 * float(square_distance(self.embeddings[a], self.embeddings[b])))

    def copies(self, a: int, b: int) -> bool:
        return self.apart(a, b) <= int(256 * self.values.shape[1] / 1000)

    def to_query(self, query, centre, weights, factor: float) -> Cost:
        """Costs of rows for a query whose coordinates times `factor` are `weights`."""
        steps, at_centre = factor / self.scale, float(inner_product(query, centre))

        def of_cosine(cosine: float) -> float:
            return 32 * (steps * (at_centre - cosine) - 7.5 * sum(weights))

        length = float(np.sqrt(np.float64(inner_product(query, query))))
        apart = max(self.blur * self.scale**2 / 2, margin(weights) / (steps * length))
        nearest = of_cosine(length * (1 - apart)) if apart > 1e-6 else -(2**31 - 1)

        def cost(node: int) -> int:
            by_code = -32 * dot(self.codes[node], weights)
            if by_code >= nearest:
                return by_code
            return round(of_cosine(float(inner_product(self.embeddings[node], query))))

        return cost


def insert(keys: list[int], capacity: int, key: int) -> list[int]:
    return sorted([*keys, key])[:capacity]


def select_neighbors(rows: Near, node: int, candidates: list[int], limit: int) -> list[int]:
    """Algorithm 4; `candidates` nearest first."""
    apart = rows.apart
    kept: list[int] = []
    copies = 0
    for candidate in candidates:
        if rows.copies(candidate, node):
            copies += 1
            if copies > -(-limit // 4):
                continue
        if all(apart(candidate, other) >= apart(candidate, node) for other in kept):
            kept.append(candidate)
        if len(kept) == limit:
            break
    return kept


def beam(links, cost: Cost, entry: int, ef: int) -> list[int]:
    """Algorithm 2 at level 0 with a plain list: the ef best nodes met, best first."""
    return _beam(
        lambda node: [int(neighbor) for neighbor in links[node] if neighbor >= 0],
        cost,
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
    return np.rint(np.clip(rotated(query, width) * factor_of(query, width), -127, 127)).astype(int).tolist()


def factor_of(query, width: int) -> float:
    """What a query's coordinates are multiplied by."""
    return float(127 / (4.5 * np.sqrt((rotated(query, width) ** 2).mean())))


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


def search(graph: Graph, rows: Near, centre, query, k: int, ef: int) -> list[tuple[int, float]]:
    """Algorithm 5: descent, beam at level 0, then the best by their vectors."""
    weights = quantise_query(query, rows.values.shape[1])
    cost = rows.to_query(query, centre, weights, factor_of(query, rows.values.shape[1]))
    by_code: Cost = lambda node: -dot(rows.codes[node], weights)  # noqa: E731
    nearest = min(graph.landmarks.tolist(), key=by_code)
    entry = descend(graph, by_code, nearest, min(graph.top, 1), 0)
    best = beam(graph.links, cost, entry, ef)
    return rank(
        rows.embeddings, query, best[: near([cost(node) for node in best], k, 32 * margin(weights))], k
    )


def scan(rows: Near, centre, query, nodes: list[int], k: int, few: int) -> list[tuple[int, float]]:
    """The best by their vectors of those that the codes leave open; of few rows, of all."""
    weights = quantise_query(query, rows.values.shape[1])
    cost = rows.to_query(query, centre, weights, factor_of(query, rows.values.shape[1]))
    costs = {node: cost(node) for node in nodes}
    best = sorted(nodes, key=lambda node: (costs[node], node))
    count = near([costs[node] for node in best], k, 32 * margin(weights)) if len(nodes) > few else len(nodes)
    return rank(rows.embeddings, query, best[:count], k)


def build_links(rows: Near, levels, m: int, ef: int, batch: Callable[[int], int]) -> list[list[list[int]]]:
    """Algorithm 1 with lists: `layers[level][node]` are a node's neighbors. `batch(start)` nodes at a time find
    their neighbors in the graph as it was, then all rows that they link to take them in.
    """
    count, highest = len(levels), int(max(levels))
    layers: list[list[list[int]]] = [[[] for _ in range(count)] for _ in range(highest + 1)]
    entry, top, start, marked, marks = 0, int(levels[0]), 1, 1, [0]

    def by_code(a: int, b: int) -> int:
        return int(((rows.values[a] - rows.values[b]) ** 2).sum())

    while start < count:
        stop = min(count, start + batch(start))
        found = {}
        for node in range(start, stop):
            mark = min(marks, key=lambda other, node=node: by_code(node, other))
            at, highest_first = (entry, top) if min(levels[node], top) > 1 else (mark, min(top, 1))
            for level in range(highest_first, int(levels[node]), -1):
                at = _nearest(layers[level].__getitem__, lambda other, node=node: by_code(node, other), at)
            pool = [at]
            for level in range(min(top, int(levels[node])), -1, -1):
                pool = _beam(
                    layers[level].__getitem__, lambda other, node=node: rows.apart(node, other), pool, ef
                )
                found[level, node] = select_neighbors(rows, node, pool, m if level else 2 * m)
        for (level, node), row in found.items():
            layers[level][node] = row
        for level in range(highest + 1):
            new = [node for node in range(start, stop) if (level, node) in found]
            _take(rows, layers[level], new, m if level else 2 * m)
        for node in range(start, stop):
            if levels[node] > top:
                entry, top = node, int(levels[node])
        if stop >= 2 * marked or levels[marks[0]] < min(top, 1):
            marked, marks = stop, landmarks(rows, levels, entry, stop)
        start = stop
    return layers


def landmarks(rows: Near, levels, entry: int, count: int) -> list[int]:
    """Up to 64 nodes above level 0, each the farthest from those before it."""
    waiting = [node for node in range(count) if levels[node] > 0]
    if not waiting:
        return [entry]
    chosen = waiting[:1]
    while len(chosen) < min(64, len(waiting)):
        squares = [min(((rows.values[a] - rows.values[b]) ** 2).sum() for b in chosen) for a in waiting]
        if max(squares) == 0:
            break
        chosen.append(waiting[int(np.argmax(squares))])
    return chosen


def _take(rows: Near, layer: list[list[int]], new: list[int], limit: int) -> None:
    incoming: dict[int, list[int]] = {}
    for node in new:
        for target in layer[node]:
            incoming.setdefault(target, []).append(node)
    for target, sources in incoming.items():
        row = layer[target] + sources
        if len(row) > limit:
            row.sort(key=lambda other, target=target: (rows.apart(target, other), other))
            row = select_neighbors(rows, target, row, limit)
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
