"""Which model a person gets who names none."""

from collections.abc import Callable
from dataclasses import dataclass

from semantic_media_search.embeddings.catalog import DEFAULT_MODEL, STARTER_MODEL
from semantic_media_search.errors import HubUnreachableError


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model to use; `notice` is what the person must be told about it, `reason` why it came to that."""

    name: str
    notice: str | None = None
    reason: str = ""


def choose_model(
    requested: str | None,
    library_model: str | None,
    *,
    is_cached: Callable[[str], bool],
    probe: Callable[[str], object],
) -> ModelChoice:
    """What was asked for; else what the library was made with; else the default where it can be had.

    `is_cached` says whether a known model is on this machine; `probe` raises HubUnreachableError where it
    cannot be downloaded. Without either, the starter model is chosen, with a notice.
    """
    if requested is not None:
        return ModelChoice(requested)
    if library_model is not None:
        return ModelChoice(library_model)
    if is_cached(DEFAULT_MODEL):
        return ModelChoice(DEFAULT_MODEL)
    try:
        probe(DEFAULT_MODEL)
    except HubUnreachableError as error:
        return ModelChoice(
            STARTER_MODEL,
            f"Using the starter model, which ships with this program: {DEFAULT_MODEL} is not on this machine "
            "and the model hub cannot be reached. Once it can, this switches to it: "
            f"media-search index --model {DEFAULT_MODEL}",
            reason=str(error),
        )
    return ModelChoice(DEFAULT_MODEL)
