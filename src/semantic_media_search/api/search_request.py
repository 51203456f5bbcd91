"""What is searched for: words, a picture, a frame of the library, or several of them together, and the filters."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from fastapi import Query

from semantic_media_search.api.errors import NotHereError
from semantic_media_search.api.pictures import Pictures
from semantic_media_search.errors import QueryError
from semantic_media_search.library.view import LibraryView
from semantic_media_search.records import F32
from semantic_media_search.search.filters import Filters, parse_time

MAX_K = 500
MAX_OFFSET = 10_000
LARGEST_ID = 2**62


@dataclass(frozen=True, slots=True)
class Subject:
    """What is searched for. Raises QueryError where it is nothing."""

    words: str = ""
    similar: int | None = None
    picture: str | None = None

    def __post_init__(self) -> None:
        """Refuse an empty search."""
        if not self.words.strip() and self.similar is None and self.picture is None:
            raise QueryError(
                "the query is empty; say in plain words what the picture shows, as in /search?q=a+cat"
            )

    def vector(self, view: LibraryView, pictures: Pictures) -> F32:
        """Its direction, float32 [D], L2-normalised.

        Raises NotHereError for a frame or picture that is not there, QueryError for words that cannot be used.
        """
        parts: list[F32] = []
        if self.words.strip():
            parts.append(view.encode_query(self.words))
        if self.similar is not None:
            frame = view.vector_of(self.similar) if view.frame(self.similar) else None
            if frame is None:
                raise NotHereError(f"the library holds no frame {self.similar}", "search anew")
            parts.append(frame)
        if self.picture is not None:
            held = pictures.get(self.picture)
            if held.fingerprint != view.generation.model.fingerprint:
                raise NotHereError("this picture was read by another model", "drop it on the page again")
            parts.append(held.vector)
        return parts[0] if len(parts) == 1 else _together(view, parts)


def _together(view: LibraryView, parts: list[F32]) -> F32:
    """One direction for several, each with the same say.

    Words score over a much narrower range than pictures do: each part is weighed by how widely it scatters
    the library, or the picture alone would decide.
    """
    total = np.sum([part / view.background(part).spread for part in parts], axis=0)
    direction: F32 = (total / np.linalg.norm(total)).astype(np.float32)
    return direction


Words = Annotated[str, Query(description="what the picture shows, in plain words")]
Similar = Annotated[int | None, Query(ge=0, le=LARGEST_ID, description="a frame_id to find the like of")]
Picture = Annotated[str | None, Query(max_length=64, description="an id that POST /search/image gave")]


def subject(q: Words = "", similar: Similar = None, picture: Picture = None) -> Subject:
    """The query parameters of a search."""
    return Subject(q, similar, picture)


def subject_or_none(q: Words = "", similar: Similar = None, picture: Picture = None) -> Subject | None:
    """The same where nothing need be searched for."""
    nothing = not q.strip() and similar is None and picture is None
    return None if nothing else Subject(q, similar, picture)


def filters(
    kind: Annotated[Literal["image", "video"] | None, Query(description="photos or videos only")] = None,
    folder: Annotated[
        str | None, Query(max_length=4096, description="a folder's id, or the end of its path")
    ] = None,
    after: Annotated[str | None, Query(description="taken then or later: 2024, 2024-05, 2024-05-31")] = None,
    before: Annotated[str | None, Query(description="taken then or earlier")] = None,
    min_similarity: Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)] = None,
) -> Filters:
    """The query parameters that filter."""
    return Filters(
        kind,
        folder or None,
        parse_time(after, "after"),
        parse_time(before, "before", end=True),
        min_similarity,
    )
