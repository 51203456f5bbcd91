"""A model folder: the layout of the ONNX exports on the model hub, checked before anything is loaded.

config.json                the dimension of the joint space (`projection_dim`), text length, version
preprocessor_config.json   what is done to a picture
tokenizer.json             what is done to a text (and, where there, tokenizer_config.json)
onnx/vision_model.onnx     pixel_values -> image_embeds
onnx/text_model.onnx       input_ids, perhaps attention_mask and token_type_ids -> text_embeds
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from semantic_media_search.embeddings.fingerprint import fingerprint_files
from semantic_media_search.embeddings.preprocessing import ImagePreprocessor
from semantic_media_search.errors import ModelLayoutError, ModelNotFoundError

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
VISION_MODEL = "onnx/vision_model.onnx"
TEXT_MODEL = "onnx/text_model.onnx"

REQUIRED_FILES = (CONFIG, PREPROCESSOR, TOKENIZER, VISION_MODEL, TEXT_MODEL)
OPTIONAL_FILES = (TOKENIZER_CONFIG,)
# What decides the vectors; config.json names dimensions that the graphs carry anyway.
VECTOR_FILES = (PREPROCESSOR, TOKENIZER, VISION_MODEL, TEXT_MODEL)

_CLIP_TEXT_LENGTH = 77
_LONGEST_TEXT = 8192


@dataclass(frozen=True)
class ModelFolder:
    """A folder whose layout was checked. `open` makes one."""

    path: Path
    config: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path) -> "ModelFolder":
        """Check the layout of the folder and read its `config.json`.

        Raises ModelNotFoundError where there is no folder, ModelLayoutError where it is laid out otherwise.
        """
        if not path.is_dir():
            raise ModelNotFoundError(f"{path} is no folder; give the folder that holds the model's {CONFIG}")
        missing = [name for name in REQUIRED_FILES if not (path / name).is_file()]
        if missing:
            raise ModelLayoutError(
                f"{path} is not laid out as an ONNX export on the model hub: it lacks {', '.join(missing)}. "
                f"Expected {', '.join(REQUIRED_FILES)}; found {_listing(path)}. "
                "A PyTorch model can be turned into this layout with training/export_clip.py."
            )
        return cls(path, read_json(path / CONFIG))

    @property
    def vision_model(self) -> Path:
        return self.path / VISION_MODEL

    @property
    def text_model(self) -> Path:
        return self.path / TEXT_MODEL

    @property
    def tokenizer(self) -> Path:
        return self.path / TOKENIZER

    @cached_property
    def preprocessor(self) -> ImagePreprocessor:
        """What is done to a picture. Raises ModelLayoutError."""
        return ImagePreprocessor.from_config(read_json(self.path / PREPROCESSOR))

    @cached_property
    def dim(self) -> int:
        """D, the length of a vector. Raises ModelLayoutError."""
        dim = self.config.get("projection_dim")
        if not isinstance(dim, int) or isinstance(dim, bool) or not 0 < dim <= 65536:
            raise ModelLayoutError(
                f"{self.path / CONFIG} gives projection_dim as {dim!r}; expected a length such as 512"
            )
        return dim

    @cached_property
    def max_text_length(self) -> int:
        """The longest text the model reads, in tokens, start and end included. Raises ModelLayoutError."""
        text_config = self.config.get("text_config")
        lengths = [text_config.get("max_position_embeddings")] if isinstance(text_config, dict) else []
        if (self.path / TOKENIZER_CONFIG).is_file():
            lengths.append(read_json(self.path / TOKENIZER_CONFIG).get("model_max_length"))
        # transformers writes 10**30 where it does not know.
        known = [int(n) for n in lengths if isinstance(n, int | float) and 2 < n <= _LONGEST_TEXT]
        return min(known, default=_CLIP_TEXT_LENGTH)

    @property
    def version(self) -> str:
        """What the folder calls its version, or the start of its fingerprint."""
        version = self.config.get("version")
        return version if isinstance(version, str) and version else self.fingerprint[:12]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the files that decide the vectors, wherever the folder lies."""
        return fingerprint_files(self.path, VECTOR_FILES)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ModelLayoutError where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelLayoutError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelLayoutError(f"{path} holds {type(value).__name__}; expected a JSON object")
    return value


def _listing(path: Path) -> str:
    """A few of the files in the folder, for a message."""
    names = sorted(
        child.relative_to(path).as_posix()
        for pattern in ("*", "onnx/*")
        for child in path.glob(pattern)
        if child.is_file()
    )
    if not names:
        return "no files"
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
