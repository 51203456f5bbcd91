"""Between an index's arrays and its file: what is written, and what is checked before a search may use it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semantic_media_search.errors import IndexFormatError
from semantic_media_search.index import file_format
from semantic_media_search.index.coded_rows import CodedRows
from semantic_media_search.index.file_format import Header, Section
from semantic_media_search.index.graph import Graph
from semantic_media_search.index.invariants import check_graph
from semantic_media_search.index.landmarks import landmarks_of
from semantic_media_search.records import F32, U8

_VERIFIED_AT_OPENING = ("levels", "links", "upper", "offsets", "centre", "deleted", "fitted", "landmarks")
"""All sections but the codes and their norms, which are most of the file and hold no ids."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The arrays of an index that are kept; `blocked` is uint8 [N], 1 for deleted rows, or empty."""

    graph: Graph
    coded: CodedRows
    blocked: U8


def save(path: Path, header: Header, parts: Parts) -> None:
    """Write the file of an index, atomically."""
    graph, coded = parts.graph, parts.coded
    sections: dict[str, npt.NDArray[Any]] = {
        "levels": graph.levels, "links": graph.links, "upper": graph.upper, "offsets": graph.offsets,
        "landmarks": graph.landmarks, "centre": coded.centre, "norms": coded.norms, "codes": coded.codes,
        "deleted": parts.blocked, "fitted": np.array([coded.fitted], np.int64),
    }  # fmt: skip
    file_format.write(path, header, sections)


def load(path: Path, embeddings: F32) -> tuple[Header, Parts, dict[str, Section]]:
    """Map a file of an index over `embeddings`; the graph's bytes and ids are checked.

    Raises IndexFormatError for what does not fit, or is damaged.
    """
    header, sections = file_format.read(path)
    if (
        embeddings.dtype != np.float32
        or embeddings.ndim != 2
        or embeddings.shape[1] != header.dim
        or len(embeddings) < header.count
    ):
        raise IndexFormatError(
            f"{path} is over {header.count} float32 vectors of {header.dim} dimensions, "
            f"not over {embeddings.dtype} {list(embeddings.shape)}; {file_format.REBUILD}"
        )
    for name in sorted(sections.keys() & set(_VERIFIED_AT_OPENING)):
        file_format.verify(path, sections[name])
    # Plain arrays: handing a kernel a memmap costs a microsecond each, handing it an array a tenth of one.
    arrays = {name: np.asarray(section.array) for name, section in sections.items()}
    try:
        graph = Graph(
            arrays["levels"], arrays["links"], arrays["upper"], arrays["offsets"], header.entry, header.top,
            arrays.get("landmarks", np.empty(0, np.int64)),
        )  # fmt: skip
        # The first files of this format do not say. Any number is safe: it only decides when codes are chosen anew.
        fitted = arrays.get("fitted", np.array([header.count], np.int64))
        check_graph(
            path,
            header,
            graph,
            {
                "centre": arrays["centre"],
                "codes": arrays["codes"],
                "norms": arrays["norms"],
                "deleted": arrays["deleted"],
                "fitted": fitted,
            },
        )
        coded = CodedRows(arrays["codes"], arrays["norms"], arrays["centre"], header.scale, int(fitted[0]))
        blocked = arrays["deleted"]
    except KeyError as error:
        raise IndexFormatError(f"{path} lacks a part ({error}); {file_format.REBUILD}") from error
    if header.version == 1:  # its codes are of another kind
        coded = CodedRows.none(header.dim).grown(embeddings[: header.count], header.seed)
    if not len(graph.landmarks):  # nor do the first files say that
        graph.landmarks = landmarks_of(graph, coded.codes, coded.norms, header.count)
    return header, Parts(graph, coded, blocked), sections
