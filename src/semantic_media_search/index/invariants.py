"""What must hold of every graph, so that no damaged file and no fault in the building makes a search go astray."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semantic_media_search.errors import IndexFormatError
from semantic_media_search.index.codes import stride_of
from semantic_media_search.index.file_format import REBUILD, Header
from semantic_media_search.index.graph import Graph, slot_owners
from semantic_media_search.index.landmarks import LANDMARKS
from semantic_media_search.index.link import reach


def check_graph(path: Path, header: Header, graph: Graph, others: dict[str, npt.NDArray[Any]]) -> None:
    """What is checked at every opening: shapes, and that each id names a node. Raises IndexFormatError.

    `others` are the sections beside the graph: centre, codes, norms, deleted and fitted.
    """
    count = header.count
    slots = int(graph.levels.astype(np.int64).sum()) if graph.levels.dtype == np.uint8 else -1
    marks = count if others["deleted"].size else 0
    expected: dict[str, tuple[npt.NDArray[Any], type, tuple[int, ...]]] = {
        "levels": (graph.levels, np.uint8, (count,)),
        "links": (graph.links, np.int32, (count, 2 * header.m)),
        "upper": (graph.upper, np.int32, (slots, header.m)),
        "offsets": (graph.offsets, np.int64, (count,)),
        "landmarks": (graph.landmarks, np.int64, (graph.landmarks.size,)),
        "centre": (others["centre"], np.float32, (header.dim,)),
        "codes": (others["codes"], np.uint8, (count, _stride(header))),
        "norms": (others["norms"], np.int32, (count,)),
        "deleted": (others["deleted"], np.uint8, (marks,)),
        "fitted": (others["fitted"], np.int64, (1,)),
    }
    wrong = None
    for name, (array, dtype, shape) in expected.items():
        if array.dtype != dtype or (array.shape != shape and not array.size == np.prod(shape) == 0):
            wrong = f"its {name} are {array.dtype} {list(array.shape)}, not {np.dtype(dtype)} {list(shape)}"
            break
    if wrong is None and not 0 < header.scale < np.inf:
        wrong = f"its scale is {header.scale}"
    if wrong is None and not np.isfinite(others["centre"]).all():
        wrong = "its centre is not finite"
    if wrong is None and not 0 <= int(others["fitted"][0]) <= count:
        wrong = f"its codes were fitted to {int(others['fitted'][0])} of {count} rows"
    if wrong is None and count:
        wrong = _wrong_ids(graph, count)
    if wrong is not None:
        raise IndexFormatError(f"{path} is damaged: {wrong}; {REBUILD}")


def _stride(header: Header) -> int:
    """Bytes of one row of codes; files of version 1 have one a dimension, padded to 64."""
    return -(-header.dim // 64) * 64 if header.version == 1 else stride_of(header.dim)


def _wrong_ids(graph: Graph, count: int) -> str | None:
    for name, links in (("links", graph.links), ("upper links", graph.upper)):
        if links.size and (int(links.min()) < -1 or int(links.max()) >= count):
            return f"its {name} name nodes that are not there"
    if not 0 <= graph.entry < count or not graph.levels[graph.entry] == graph.top == graph.levels.max():
        return f"its entry point is node {graph.entry} on level {graph.top}"
    tall = np.flatnonzero(graph.levels)
    counts = graph.levels[tall].astype(np.int64)
    if not np.array_equal(graph.offsets[tall], np.cumsum(counts) - counts):
        return "its upper layers are not where its levels say"
    # A link on a layer that its target does not reach would be followed into another node's slots.
    for level in range(1, graph.top + 1):
        at_level = tall[counts >= level]
        targets = graph.upper[graph.offsets[at_level] + level - 1]
        if (graph.levels[targets[targets >= 0]] < level).any():
            return f"a link on level {level} leads to a node that is not on it"
    marks = graph.landmarks
    if marks.size and (int(marks.min()) < 0 or int(marks.max()) >= count):
        return "its landmarks name nodes that are not there"
    if marks.size > LANDMARKS:
        return f"it has {marks.size} landmarks, more than {LANDMARKS}"
    if (graph.levels[marks] < min(graph.top, 1)).any():
        return "a landmark is not on level 1"
    return None


def check_rules(graph: Graph, m: int) -> None:
    """The graph's own rules: ids and levels that agree, no link to itself, none twice, none after the last, every node
    within reach.

    Raises IndexFormatError naming what breaks one.
    """
    wrong = _wrong_ids(graph, len(graph)) if len(graph) else None
    if wrong is not None:
        raise IndexFormatError(f"the graph breaks its rules: {wrong}; {REBUILD}")
    for name, links, owners in (
        ("links", graph.links, np.arange(len(graph))),
        ("upper links", graph.upper, slot_owners(graph)),
    ):
        held = links >= 0
        if (np.diff(held.astype(np.int8), axis=1) > 0).any():
            raise IndexFormatError(f"a node's {name} go on after their end; {REBUILD}")
        own = np.flatnonzero((links == owners[:, np.newaxis]).any(axis=1))
        if own.size:
            raise IndexFormatError(f"node {owners[own[0]]} has itself among its {name}; {REBUILD}")
        ordered = np.sort(links, axis=1)
        twice = np.flatnonzero(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1))
        if twice.size:
            raise IndexFormatError(f"node {owners[twice[0]]} has one twice among its {name}; {REBUILD}")
    if graph.links.shape[1] != 2 * m or graph.upper.shape[1] != m:
        raise IndexFormatError(
            f"nodes have room for {graph.links.shape[1]} and {graph.upper.shape[1]} links where m is {m}; {REBUILD}"
        )
    if len(graph):
        if not len(graph.landmarks):
            raise IndexFormatError(f"no search of the graph has a node to begin at; {REBUILD}")
        seen = np.zeros(len(graph), np.uint8)
        reached = reach(graph.links, graph.entry, seen, np.empty(len(graph), np.int64))
        if reached != len(graph):
            lost = int(np.flatnonzero(seen == 0)[0])
            raise IndexFormatError(f"node {lost} cannot be reached from the entry point; {REBUILD}")
