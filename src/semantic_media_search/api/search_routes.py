"""`/search` and what belongs to it: search by picture, the filters' counts, and pages of the library itself."""

import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from semantic_media_search.api.errors import NotHereError
from semantic_media_search.api.pictures import QueryPicture
from semantic_media_search.api.search_request import (
    LARGEST_ID,
    MAX_K,
    MAX_OFFSET,
    Subject,
    filters,
    subject,
    subject_or_none,
)
from semantic_media_search.api.serving import Serving, serving_of
from semantic_media_search.errors import (
    MediaTooLargeError,
    MediaUnreadableError,
    QueryError,
    UnsupportedMediaError,
)
from semantic_media_search.ingest.discovery import folder_of, name_to_show
from semantic_media_search.library.view import LibraryView
from semantic_media_search.media.formats import HEADER_BYTES, sniff
from semantic_media_search.media.standardise import encode_jpeg, fit_within
from semantic_media_search.records import F32, VIDEO, FrameRecord, SearchHit
from semantic_media_search.search.calibration import Background
from semantic_media_search.search.filters import Filters, folder_id
from semantic_media_search.search.moments import Found, Lead, PageOfLeads, extent, page_of_leads, reach_of

MAX_PICTURE_BYTES = 64 << 20
_SHOWN_SIDE = 320

router = APIRouter()

Grouping = Annotated[
    Literal["frame", "moment"],
    Query(description="moment: neighbouring frames, and copies of a photo, are one result"),
]
HowMany = Annotated[int, Query(ge=1, le=MAX_K)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One page of results, as it was asked for."""

    subject: Subject
    filters: Filters
    k: int
    offset: int
    group: str


@router.get("/search")
async def search(
    request: Request,
    what: Annotated[Subject, Depends(subject)],
    passing: Annotated[Filters, Depends(filters)],
    k: HowMany = 20,
    offset: Offset = 0,
    group: Grouping = "frame",
) -> dict[str, Any]:
    """Frames or moments, best first."""
    serving = serving_of(request)
    return await serving.run(_search, serving, Wanted(what, passing, k, offset, group))


@router.post("/search/image")
async def search_image(
    request: Request,
    passing: Annotated[Filters, Depends(filters)],
    q: Annotated[str, Query(description="words to search by together with the picture")] = "",
    k: HowMany = 20,
    group: Grouping = "frame",
) -> dict[str, Any]:
    """Search by the picture in the request's body (any format that the library reads).

    The answer's `picture` is an id for further pages: `/search?picture=...`.
    """
    serving = serving_of(request)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_PICTURE_BYTES:
            raise MediaTooLargeError(
                f"the picture has more than {MAX_PICTURE_BYTES >> 20} MiB; send a smaller one"
            )
    if not body:
        raise QueryError(
            "the request has no body; send the picture's bytes, as in curl --data-binary @photo.jpg"
        )
    picture = await serving.run_long(_remember, serving, bytes(body))
    wanted = Wanted(Subject(q, None, picture), passing, k, 0, group)
    return await serving.run(_search, serving, wanted) | {
        "picture": picture,
        "picture_url": f"/picture/{picture}",
    }


@router.get("/picture/{picture_id}")
def picture(request: Request, picture_id: str) -> Response:
    """The small copy of a picture that someone searches by."""
    held = serving_of(request).pictures.get(picture_id)
    return Response(held.jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/filters")
async def filter_counts(request: Request, passing: Annotated[Filters, Depends(filters)]) -> dict[str, Any]:
    """What there is to filter by; beside each value, how many items pass it and all the other filters."""
    serving = serving_of(request)

    def count() -> dict[str, Any]:
        facts = serving.view().facts()
        return {
            "total": len(facts.sources),
            "passing": facts.count(passing),
            "undated": facts.count_undated(passing),
            "kinds": facts.count_kinds(passing),
            "years": [{"year": year, "items": n} for year, n in facts.count_years(passing).items()],
            "folders": [
                {
                    "id": folder.id,
                    "path": folder.path,
                    "name": name_to_show(folder.path),
                    "items": folder.items,
                }
                for folder in facts.count_folders(passing)
            ],
        }

    return await serving.run(count)


@router.get("/browse")
async def browse(
    request: Request, passing: Annotated[Filters, Depends(filters)], k: HowMany = 20, offset: Offset = 0
) -> dict[str, Any]:
    """The library itself, newest capture or file first: one frame of each item that passes the filters."""
    serving = serving_of(request)

    def look() -> dict[str, Any]:
        view = serving.view()
        frame_ids = view.facts().first_frames(passing)
        some = view.frames(frame_ids[offset : offset + k].tolist())
        return {
            "results": [describe(frame) for frame in some],
            "offset": offset,
            "more": offset + k < len(frame_ids),
        }

    return await serving.run(look)


@router.get("/frame/{frame_id}/info")
async def frame_info(
    request: Request,
    frame_id: int,
    what: Annotated[Subject | None, Depends(subject_or_none)],
    group: Grouping = "frame",
) -> dict[str, Any]:
    """One frame as a result of `/search` is described; where something is searched for, also how similar it is."""
    serving = serving_of(request)

    def look() -> dict[str, Any]:
        view = serving.view()
        frame = view.frame(frame_id) if 0 <= frame_id <= LARGEST_ID else None
        if frame is None:
            raise NotHereError(
                f"the library holds no frame {frame_id}", "it may have been removed: search anew"
            )
        if what is None:
            return describe(frame)
        vector = what.vector(view, serving.pictures)
        lead = Lead(frame_id, float(view.similarities(vector, [frame_id])[0]))
        return _described(view, vector, [(lead, frame)], view.background(vector), group)[0]

    return await serving.run(look)


def describe(
    frame: FrameRecord, cosine: float | None = None, background: Background | None = None
) -> dict[str, Any]:
    """A frame as JSON: the plan's fields, the record's, and what the page shows."""
    folder = folder_of(frame.source_path)
    described: dict[str, Any] = SearchHit(frame, cosine or 0.0).to_json()
    if cosine is None:
        del described["similarity"]
    described |= {
        "name": name_to_show(frame.source_path),
        "folder": folder,
        "folder_id": folder_id(folder),
    }
    if cosine is not None and background is not None:
        described["strength"] = round(background.strength(cosine), 4)
    return described


def _search(serving: Serving, wanted: Wanted) -> dict[str, Any]:
    started = time.perf_counter()
    view = serving.view()
    vector = wanted.subject.vector(view, serving.pictures)
    background = view.background(vector)
    allowed = view.facts().mask(wanted.filters)
    page = _page(view, vector, wanted, allowed)
    leads, more = page.leads, page.more
    bound = wanted.filters.min_similarity
    if bound is not None:
        more = more and bool(leads) and leads[-1].similarity >= bound
        leads = [lead for lead in leads if lead.similarity >= bound]
    records = view.records([lead.frame_id for lead in leads])
    shown = [(lead, records[lead.frame_id]) for lead in leads if lead.frame_id in records]
    best = leads[0].similarity if leads and not wanted.offset else None
    if best is None:
        best = next((cosine for _, cosine in view.nearest(vector, 1, allowed=allowed)), None)
    return {
        "query": wanted.subject.words,
        "results": _described(view, vector, shown, background, wanted.group),
        "offset": wanted.offset,
        "more": more,
        "cut": page.cut,
        "good": best is not None and background.good(best),
        "took_ms": round((time.perf_counter() - started) * 1000, 2),
        "generation": view.generation.generation,
        "model": view.generation.model.name,
    }


def _page(view: LibraryView, vector: F32, wanted: Wanted, allowed: Any) -> PageOfLeads:
    itself = wanted.subject.similar

    def best(k: int) -> list[Found]:
        extra = 0 if itself is None else 1
        found = view.nearest(vector, k + extra, allowed=allowed)
        return [(frame_id, cosine) for frame_id, cosine in found if frame_id != itself][:k]

    if wanted.group == "moment":
        return page_of_leads(best, view.instants, wanted.offset, wanted.k)
    found = best(wanted.offset + wanted.k + 1)
    page = found[wanted.offset : wanted.offset + wanted.k]
    return PageOfLeads([Lead(*one) for one in page], len(found) > wanted.offset + wanted.k)


def _described(
    view: LibraryView,
    vector: F32,
    shown: list[tuple[Lead, FrameRecord]],
    background: Background,
    group: str,
) -> list[dict[str, Any]]:
    described = [describe(frame, lead.similarity, background) for lead, frame in shown]
    if group != "moment":
        return described
    for (lead, _), result in zip(shown, described, strict=True):
        result["similar"] = list(lead.copies)
    videos = [place for place, (_, frame) in enumerate(shown) if frame.video_id is not None]
    around = view.instants_around(
        [shown[place][0].frame_id for place in videos], [reach_of(shown[place][1]) for place in videos]
    )
    for place, near in zip(videos, around, strict=True):
        cosines = view.similarities(vector, [instant.frame_id for instant in near])
        start, end = extent(shown[place][0], near, cosines)
        described[place]["moment"] = {"start": start, "end": end}
    return described


def _remember(serving: Serving, body: bytes) -> str:
    """Encode a picture as the library's own were, and remember it."""
    found = sniff(body[:HEADER_BYTES])
    if found is not None and found.kind == VIDEO:
        raise UnsupportedMediaError(
            f"this is a video ({found.format}); search by a still picture, or open a video's frame and find similar"
        )
    view = serving.view()
    settings = serving.settings
    try:
        [frame] = serving.readers.read_picture(
            body, max_side=settings.max_side, jpeg_quality=settings.jpeg_quality
        )
        vector = view.encoder.encode_pixels([frame.pixels])[0]
        jpeg = encode_jpeg(fit_within(frame.pixels, _SHOWN_SIDE))
    except (
        MemoryError,
        MediaUnreadableError,
    ) as error:  # from memory it can be read, so that memory is what lacks
        raise MediaTooLargeError(
            "the picture is too large for the memory that this machine has left; send a smaller one"
        ) from error
    return serving.pictures.add(QueryPicture(vector, view.generation.model.fingerprint, jpeg))
