"""The graph as flat arrays: links of fixed width, -1 after the last; nothing but node ids."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from semantic_media_search.index.rotation import splitmix64
from semantic_media_search.records import I64, U8

I32 = npt.NDArray[np.int32]
_HIGHEST = 30


@dataclass(slots=True)
class Graph:
    """Layers over N nodes.

    `levels` uint8 [N]: the highest layer of each node. `links` int32 [N, 2M]: neighbors at level 0.
    `upper` int32 [S, M]: neighbors above, a slot for each node and level; `offsets` int64 [N]: the slot of a
    node's level 1, -1 where it has none. `landmarks` int64 [L]: where searches begin (see the module of that name);
    `entry`: where nodes of several levels begin to look for their neighbors, on level `top`.
    """

    levels: U8
    links: I32
    upper: I32
    offsets: I64
    entry: int = -1
    top: int = 0
    landmarks: I64 = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def m(self) -> int:
        """M: neighbors a node has on an upper layer."""
        return int(self.upper.shape[1])


def draw_levels(start: int, stop: int, m: int, seed: int) -> U8:
    """The highest layer of nodes `start` to `stop`: geometric with mL = 1 / ln M (section 4.1).

    Each node's is drawn from its own number, so that it does not depend on how the index was built.
    """
    offset = (seed + 1) * 0x9E3779B97F4A7C15 % 2**64
    numbers = np.arange(start, stop, dtype=np.uint64) + np.uint64(offset)
    uniform = (splitmix64(numbers) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    levels = -np.log(1.0 - uniform) / np.log(m)
    drawn: U8 = np.minimum(levels, _HIGHEST).astype(np.uint8)
    return drawn


def empty_graph(m: int) -> Graph:
    """A graph without nodes."""
    return Graph(
        np.empty(0, np.uint8),
        np.empty((0, 2 * m), np.int32),
        np.empty((0, m), np.int32),
        np.empty(0, np.int64),
    )


def grown(graph: Graph, count: int, seed: int) -> Graph:
    """A copy with room for `count` nodes; the new ones have levels and no links yet."""
    before, m = len(graph), graph.m
    levels = np.concatenate([graph.levels, draw_levels(before, count, m, seed)])
    new = levels[before:].astype(np.int64)
    slots = len(graph.upper)
    first = slots + np.concatenate([[0], np.cumsum(new)])[:-1]
    return Graph(
        levels,
        _extended(graph.links, count),
        _extended(graph.upper, slots + int(new.sum())),
        np.concatenate([graph.offsets, np.where(new > 0, first, -1)]).astype(np.int64),
        graph.entry,
        graph.top,
        graph.landmarks,
    )


def slot_owners(graph: Graph) -> I32:
    """The node of each slot of `upper`, int32 [S]."""
    owners = np.empty(len(graph.upper), np.int32)
    tall = np.flatnonzero(graph.levels)
    for level in range(1, int(graph.levels.max(initial=0)) + 1):
        at_level = tall[graph.levels[tall] >= level]
        owners[graph.offsets[at_level] + level - 1] = at_level
    return owners


def _extended(links: I32, rows: int) -> I32:
    wider = np.full((rows, links.shape[1]), -1, np.int32)
    wider[: len(links)] = links
    return wider
