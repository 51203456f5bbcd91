"""Which model a command uses, and how the person hears of it."""

from collections.abc import Callable

from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings
from semantic_media_search.embeddings import DEFAULT_MODEL, STARTER_MODEL, Encoder, choose_model, load_encoder
from semantic_media_search.errors import ModelError
from semantic_media_search.library import Library
from semantic_media_search.records import ModelInfo


def encoder_loader(settings: Settings, console: Console) -> Callable[[str], Encoder]:
    """How the library turns a model's name into an encoder: with a progress bar where it must be downloaded."""

    def load(name: str) -> Encoder:
        progress = console.progress()
        try:
            return load_encoder(name, threads=settings.threads, progress=progress)
        finally:
            progress.close()

    return load


def model_for_writing(library: Library, settings: Settings, console: Console) -> str:
    """The model that vectors are to be made with; tells the person where it is not the one they may expect."""
    made_with = library.model()
    choice = choose_model(settings.model, made_with.name if made_with else None)
    if choice.notice:
        console.info(choice.notice)
    return choice.name


def encoder_at_hand(library: Library, settings: Settings) -> Encoder | None:
    """The encoder of the library's own model where it is on this machine; nothing is downloaded for it."""
    made_with = library.model()
    if made_with is None:
        return None
    try:
        return load_encoder(made_with.name, threads=settings.threads, offline=True)
    except ModelError:
        return None


def starter_hint(model: ModelInfo) -> str:
    """What to tell a person whose results come from the starter model; empty for any other."""
    if model.name != STARTER_MODEL:
        return ""
    return (
        "Results come from the small starter model; for better ones run "
        f"`media-search index --model {DEFAULT_MODEL}` (downloads about 600 MB once)."
    )
