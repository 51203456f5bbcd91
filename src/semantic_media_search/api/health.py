"""`/health`: what the server holds, answered whatever state the library is in."""

from typing import Any

from fastapi import APIRouter, Request

from semantic_media_search.api.selection_routes import can_reveal
from semantic_media_search.api.serving import Serving, serving_of
from semantic_media_search.config import CLIP_MODEL_NAME, STARTER_MODEL_NAME
from semantic_media_search.errors import LibraryNotFoundError, MediaSearchError

router = APIRouter()

STARTER_NOTICE = (
    "Results come from the small starter model. For better ones run "
    f"`media-search index --model {CLIP_MODEL_NAME}`: it serves as soon as it is ready."
)


@router.get("/health")
def health(request: Request) -> dict[str, Any]:
    """Status (ok, empty, missing, half-built or error), what to do about it, and the figures."""
    serving = serving_of(request)
    try:
        figures = _figures(serving)
    except LibraryNotFoundError as error:
        figures = _trouble("missing", error)
    except (MediaSearchError, OSError) as error:
        figures = _trouble("error", error)
    return figures | {"can_show_folders": can_reveal(request)}


def _figures(serving: Serving) -> dict[str, Any]:
    status = serving.status()
    generation = status.generation
    figures: dict[str, Any] = {
        "status": "ok",
        "message": "",
        "hint": "",
        "frame_count": status.frames,
        "embedding_dim": generation.model.dim if generation else None,
        "hnsw_nodes": generation.indexed_rows if generation else 0,
        "model": generation.model.name if generation else None,
        "model_version": generation.model.version if generation else None,
        "generation": generation.generation if generation else None,
        "ef_search": generation.ef_search if generation else None,
        "recall": generation.recall if generation else None,
        "target_recall": generation.target_recall if generation else None,
        "pending_frames": status.pending_frames,
        "photos": status.kinds.get("image", 0),
        "videos": status.kinds.get("video", 0),
        "skipped_files": len(status.skipped),
        "committed_at": status.committed_at,
        "warm": serving.warm,
        "notice": STARTER_NOTICE if generation and generation.model.name == STARTER_MODEL_NAME else "",
    }
    if generation is None or generation.rows == 0:
        figures["status"] = "half-built" if status.frames else "empty"
        try:
            serving.library.view()
        except LibraryNotFoundError as error:
            figures["message"], _, figures["hint"] = str(error).partition("; ")
    return figures


def _trouble(status: str, error: Exception) -> dict[str, Any]:
    message, _, hint = str(error).partition("; ")
    return {
        "status": status,
        "message": message,
        "hint": hint,
        "frame_count": 0,
        "embedding_dim": None,
        "hnsw_nodes": 0,
        "model": None,
        "generation": None,
        "warm": False,
        "notice": "",
    }
