"""How fast a model encodes, from calls that are made anyway."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semantic_media_search.embeddings import Encoder
from semantic_media_search.records import F32


class TimedEncoder:
    """What `measure` asks of an encoder, and how many were encoded in each call, in how many seconds."""

    def __init__(self, encoder: Encoder):
        """Have `encoder` load both of its halves, which is no part of their time."""
        self._encoder = encoder
        self.images: list[tuple[int, float]] = []
        self.texts: list[tuple[int, float]] = []
        encoder.encode_pixels([np.zeros((64, 64, 3), np.uint8)])
        encoder.encode_texts(["loads the other half"])

    def encode_images(self, paths: Sequence[str | Path]) -> F32:
        """As the encoder's own."""
        began = time.perf_counter()
        vectors = self._encoder.encode_images(paths)
        self.images.append((len(paths), time.perf_counter() - began))
        return vectors

    def encode_texts(self, queries: Sequence[str]) -> F32:
        """As the encoder's own."""
        began = time.perf_counter()
        vectors = self._encoder.encode_texts(queries)
        self.texts.append((len(queries), time.perf_counter() - began))
        return vectors


def rates(calls: Sequence[tuple[int, float]], at_least: int) -> tuple[float, ...]:
    """Items a second of successive calls, (items, seconds) each, as many together as make `at_least` items.

    What is left in the end counts with what came before it.
    """
    groups: list[tuple[int, float]] = [(0, 0.0)]
    for items, taken in calls:
        if groups[-1][0] >= at_least:
            groups.append((0, 0.0))
        groups[-1] = (groups[-1][0] + items, groups[-1][1] + taken)
    if len(groups) > 1 and groups[-1][0] < at_least:
        items, taken = groups.pop()
        groups[-1] = (groups[-1][0] + items, groups[-1][1] + taken)
    return tuple(items / taken for items, taken in groups)
