"""One frozen Settings object, made at the edge (environment, file, flags) and passed down.

The defaults are the plan's. Nothing below the edge reads the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from semantic_media_search.errors import ConfigError

CLIP_MODEL_NAME = "openai/clip-vit-base-patch32"
STARTER_MODEL_NAME = "starter"
EMBEDDING_DIM = 512
ENV_PREFIX = "MEDIA_SEARCH_"

_RANGES: dict[str, tuple[float, float]] = {
    "fps": (0.0001, 240),
    "max_side": (32, 8192),
    "jpeg_quality": (1, 100),
    "batch_size": (1, 4096),
    "threads": (0, 1024),
    "m": (2, 128),
    "ef_construction": (1, 10_000),
    "ef_search": (1, 1_000_000),
    "target_recall": (0.01, 1),
    "duplicate_threshold": (0, 64),
    "port": (0, 65_535),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be chosen, with its default.

    `library` is the folder of derived files, `raw` the folder with `images/` and `videos/`. Rates are frames a
    second, sizes pixels. `model` None means: what the library was made with, else the default model.
    """

    library: Path = Path("data/processed")
    raw: Path = Path("data/raw")
    model: str | None = None
    fps: float = 1.0
    max_side: int = 512
    jpeg_quality: int = 90
    batch_size: int = 8
    threads: int = 0
    m: int = 16
    ef_construction: int = 200
    ef_search: int | None = None
    target_recall: float = 0.98
    duplicate_threshold: int = 4
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    allowed_hosts: str = ""

    def __post_init__(self) -> None:
        """Refuse values that cannot work, here rather than deep in a run."""
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"{name} is {value!r}; it must be from {least} to {most}")

    @property
    def worker_threads(self) -> int:
        """How many threads to work with: `threads`, or where that is 0, what the machine has."""
        if self.threads:
            return self.threads
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1


def _parse(name: str, text: str, kind: str) -> Any:
    """Turn the text of an environment variable into the type that the field of this name holds."""
    try:
        if "Path" in kind:
            return Path(text).expanduser()
        if "int" in kind:
            return int(text)
        if "float" in kind:
            return float(text)
    except ValueError as error:
        raise ConfigError(f"{ENV_PREFIX}{name.upper()} is {text!r}; expected {kind}") from error
    return text


def load_settings(
    overrides: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Settings from defaults, then a TOML file, then `MEDIA_SEARCH_*` variables, then `overrides` (flags).

    Overrides that are None are taken as not given. Raises ConfigError for unknown names and bad values.
    """
    kinds = {field.name: str(field.type) for field in fields(Settings)}
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values |= tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"cannot read the settings file {file}: {error}") from error
        unknown = sorted(set(values) - set(kinds))
        if unknown:
            raise ConfigError(
                f"{file} sets {unknown[0]!r}, which is no setting; known are {', '.join(sorted(kinds))}"
            )
        values = {name: _parse(name, str(value), kinds[name]) for name, value in values.items()}
    environ = os.environ if environ is None else environ
    for name, kind in kinds.items():
        text = environ.get(f"{ENV_PREFIX}{name.upper()}")
        if text:
            values[name] = _parse(name, text, kind)
    values |= {name: value for name, value in (overrides or {}).items() if value is not None}
    return replace(Settings(), **values)
