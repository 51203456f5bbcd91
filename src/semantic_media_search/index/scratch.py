"""What a search needs besides the index: marks of nodes seen, and room for candidates and answers."""

from collections import deque

import numpy as np

from semantic_media_search.index.rotation import rotation_room
from semantic_media_search.index.walk import beam_room
from semantic_media_search.records import F32, I64, U8


class Scratch:
    """Scratch memory of one search at a time, over `count` nodes with so many `links`, queries rotated to `width`."""

    def __init__(self, count: int, links: int, width: int):
        self.visited: U8 = np.zeros(count, np.uint8)
        self.fresh, self.better = beam_room(links)
        self.room = rotation_room(width)
        self.weights = np.empty(width, np.int8)
        self.pool: I64 = np.empty(0, np.int64)
        self.nodes: I64 = np.empty(0, np.int64)
        self.ids: I64 = np.empty((1, 0), np.int64)
        self.cosines: F32 = np.empty((1, 0), np.float32)
        self.epoch = 0

    def make_room(self, candidates: int) -> None:
        """See to it that so many candidates fit."""
        if len(self.pool) < candidates:
            self.pool, self.nodes = np.empty(candidates, np.int64), np.empty(candidates, np.int64)

    def make_room_for_answers(self, answers: int) -> None:
        """See to it that just so many answers to one query fit."""
        if self.ids.shape[1] != answers:
            self.ids, self.cosines = np.empty((1, answers), np.int64), np.empty((1, answers), np.float32)


class ScratchPool:
    """Hands out scratch memory to searches in any number of threads, and takes it back."""

    def __init__(self, count: int, links: int, width: int):
        self._sizes = (count, links, width)
        self._free: deque[Scratch] = deque()

    def take(self, answers: int) -> Scratch:
        """Scratch memory that nobody else uses, with room for just so many answers to one query; `give` it back."""
        try:
            scratch = self._free.pop()
        except IndexError:
            scratch = Scratch(*self._sizes)
        scratch.make_room_for_answers(answers)
        return scratch

    def give(self, scratch: Scratch) -> None:
        """Take scratch memory back."""
        self._free.append(scratch)
