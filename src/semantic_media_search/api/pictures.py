"""Pictures that people search by: remembered for a while under an id, so that an address can name them."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from semantic_media_search.api.errors import NotHereError
from semantic_media_search.records import F32

_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class QueryPicture:
    """A picture to search by: its vector float32 [D], the model that made it, and a small JPEG to show."""

    vector: F32
    fingerprint: str
    jpeg: bytes


class Pictures:
    """The last few query pictures, in memory only."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, QueryPicture] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, picture: QueryPicture) -> str:
        """Remember a picture; returns its id, which is the same for the same picture."""
        picture_id = hashlib.sha256(picture.jpeg).hexdigest()[:24]
        with self._lock:
            self._held[picture_id] = picture
            self._held.move_to_end(picture_id)
            while len(self._held) > _REMEMBERED:
                self._held.popitem(last=False)
        return picture_id

    def get(self, picture_id: str) -> QueryPicture:
        """A remembered picture. Raises NotHereError where it is not (any more)."""
        with self._lock:
            picture = self._held.get(picture_id)
        if picture is None:
            raise NotHereError("this picture is not remembered any more", "drop it on the page again")
        return picture
