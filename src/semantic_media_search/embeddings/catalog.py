"""The models that are known by name. Another one is one more entry here."""

from dataclasses import dataclass
from pathlib import Path

from semantic_media_search.config import CLIP_MODEL_NAME, STARTER_MODEL_NAME

DEFAULT_MODEL = CLIP_MODEL_NAME
STARTER_MODEL = STARTER_MODEL_NAME


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model with a name: one on the model hub (`repo`), or one that ships in the package (`folder`).

    `dim` is the length of its vectors, `size` what it takes on disk, in bytes. `noise_cosine` says which cosines of
    words and pictures mean nothing, where that was measured (docs/decisions/0500, `search.calibration.Background`).
    """

    name: str
    description: str
    licence: str
    dim: int
    size: int
    repo: str | None = None
    folder: Path | None = None
    noise_cosine: float = 0.0


KNOWN_MODELS = (
    KnownModel(
        name=DEFAULT_MODEL,
        description="CLIP ViT-B/32 by OpenAI, the default: finds nearly anything that can be said in English",
        licence="MIT",
        dim=512,
        size=608_700_000,
        repo="Xenova/clip-vit-base-patch32",
    ),
    KnownModel(
        name=STARTER_MODEL,
        description="small model inside the package, needs no download: good on things, weaker on scenes",
        licence="Apache-2.0 parts; the trained map saw photographs for research only, see its MODEL_CARD.md",
        dim=768,
        size=39_800_000,
        folder=Path(__file__).parent / "models" / STARTER_MODEL,
        noise_cosine=0.065,
    ),
)


def known_model(name: str) -> KnownModel | None:
    """The known model of this name, or None."""
    return next((model for model in KNOWN_MODELS if model.name == name), None)


def known_names() -> str:
    """The names of the known models, for a message."""
    return ", ".join(model.name for model in KNOWN_MODELS)
