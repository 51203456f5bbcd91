"""Turns texts into a text model's input, with the tokenizer that lies in the model's folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semantic_media_search.errors import ModelLayoutError
from semantic_media_search.records import I64


class TextTokenizer:
    """A `tokenizer.json`, cut to the model's length. May be called from several threads."""

    def __init__(self, path: Path, max_length: int) -> None:
        """Load the tokenizer; texts longer than `max_length` tokens lose their end, never the end token.

        Raises ModelLayoutError where the file is damaged or of another kind.
        """
        from tokenizers import Tokenizer

        try:
            # The library raises bare Exception on purpose; nothing narrower tells a damaged file.
            tokenizer: Any = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:
            raise ModelLayoutError(f"{path} cannot be read as a tokenizer: {error}") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=max_length)
        self._tokenizer = tokenizer

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, start and end token included, unpadded."""
        # One by one: a text takes microseconds, and the library's thread pool does not survive a fork.
        return [self._tokenizer.encode(_encodable(text)).ids for text in texts]


def pad(ids: Sequence[Sequence[int]]) -> tuple[I64, I64]:
    """Token ids and attention mask of texts, both int64 [B, longest], padded at the end.

    The padding repeats each text's last (end) token: models that look for the end token find the first.
    """
    longest = max(len(row) for row in ids)
    padded = np.array([[*row, *[row[-1]] * (longest - len(row))] for row in ids], dtype=np.int64)
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in ids], dtype=np.int64)
    return padded, mask


def _encodable(text: str) -> str:
    """The text with lone surrogates replaced, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
