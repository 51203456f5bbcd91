"""What reading one media file gives: frames ready to be stored and embedded, then facts about the file."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from semantic_media_search.records import U8


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """One frame to store: `pixels` is uint8 RGB [height, width, 3], standardised; `jpeg` the same as a file.

    `timestamp` is seconds of the video's clock, and `interval` the seconds (from, to) of it that the frame stands
    for; both are None for an image. `phash` is the 64-bit perceptual hash.
    """

    pixels: U8
    jpeg: bytes
    timestamp: float | None
    interval: tuple[float, float] | None
    phash: int

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What people search a file by, and what was wrong with it; None where the file does not say.

    `captured_at` is ISO 8601; `width` and `height` are those of the upright original in pixels, `duration` is in
    seconds, `gps` is (latitude, longitude) in degrees. `problem` tells, in words for the person, what kept the
    reader from the whole of the file. `duplicates` counts sampled frames that were not kept, since they show the
    same picture as the kept frame before them.
    """

    width: int
    height: int
    captured_at: str | None = None
    duration: float | None = None
    camera: str | None = None
    gps: tuple[float, float] | None = None
    problem: str | None = None
    duplicates: int = 0


class SourceReader(Iterator[PreparedFrame]):
    """The frames of one file, one by one; once they are exhausted, `facts` says what the file is.

    Reading happens while iterating and writes nothing, so that it may run in any thread. Iterating raises the
    MediaErrors of `media.decode` and `media.video`; what was given until then stands.
    """

    def __init__(self, read: Callable[[], Generator[PreparedFrame, None, SourceFacts]]) -> None:
        self._frames = read()
        self._facts: SourceFacts | None = None

    def __next__(self) -> PreparedFrame:
        try:
            return next(self._frames)
        except StopIteration as end:
            if end.value is not None:
                self._facts = end.value
            raise StopIteration from None

    @property
    def facts(self) -> SourceFacts:
        """Facts about the file. Raises RuntimeError while frames remain to be read."""
        if self._facts is None:
            raise RuntimeError("facts are known only when all frames of the file were read")
        return self._facts

    def close(self) -> None:
        """Stop reading and close the file."""
        self._frames.close()
