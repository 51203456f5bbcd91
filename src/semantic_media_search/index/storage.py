"""Between an index's arrays and its file: what is written, and what is checked before a search may use it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semantic_media_search.errors import IndexFormatError
from semantic_media_search.index import codes as coding
from semantic_media_search.index import file_format
from semantic_media_search.index.file_format import Header, Section
from semantic_media_search.index.graph import I32, Graph
from semantic_media_search.index.invariants import check_graph
from semantic_media_search.records import F32, U8

_VERIFIED_AT_OPENING = ("levels", "links", "upper", "offsets", "centre", "deleted", "fitted")
"""All sections but the codes and their norms, which are most of the file and hold no ids."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The arrays of an index that are kept, as `HNSWIndex` names them.

    `centre` float32 [D]; `codes` uint8 [N, stride]; `norms` int32 [N]; `blocked` uint8 [N], or empty; `fitted`: how
    many rows there were when centre and scale were chosen.
    """

    graph: Graph
    centre: F32
    codes: U8
    norms: I32
    blocked: U8
    fitted: int


def save(path: Path, header: Header, parts: Parts) -> None:
    """Write the file of an index, atomically."""
    graph = parts.graph
    sections: dict[str, npt.NDArray[Any]] = {
        "levels": graph.levels, "links": graph.links, "upper": graph.upper, "offsets": graph.offsets,
        "centre": parts.centre, "norms": parts.norms, "codes": parts.codes, "deleted": parts.blocked,
        "fitted": np.array([parts.fitted], np.int64),
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
            arrays["levels"], arrays["links"], arrays["upper"], arrays["offsets"], header.entry, header.top
        )
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
        parts = Parts(
            graph, arrays["centre"], arrays["codes"], arrays["norms"], arrays["deleted"], int(fitted[0])
        )
    except KeyError as error:
        raise IndexFormatError(f"{path} lacks a part ({error}); {file_format.REBUILD}") from error
    if header.version == 1 and header.count:
        return (*_coded_anew(header, parts, embeddings[: header.count]), sections)
    return header, parts, sections


def _coded_anew(header: Header, parts: Parts, embeddings: F32) -> tuple[Header, Parts]:
    """The graph of a file of version 1, with the codes that this program walks on."""
    centre, scale = coding.fit(embeddings, header.seed)
    codes = coding.aligned_zeros(header.count, coding.stride_of(header.dim))
    norms = np.empty(header.count, np.int32)
    coding.encode(embeddings, centre, scale, codes, norms, 0, header.count)
    return replace(header, scale=scale), Parts(
        parts.graph, centre, codes, norms, parts.blocked, fitted=header.count
    )
