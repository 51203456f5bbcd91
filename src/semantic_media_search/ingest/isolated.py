"""`read_image` and `read_video` in worker processes: a crash or a hang costs one file, not the run.

As a module, run with `python -m`, this is the worker.
"""

import io
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Self

import numpy as np

from semantic_media_search import errors
from semantic_media_search.errors import DecodeError, MediaError
from semantic_media_search.ingest.image_ingest import read_image
from semantic_media_search.ingest.prepared import PreparedFrame, SourceFacts, SourceReader
from semantic_media_search.ingest.video_ingest import read_video
from semantic_media_search.media.isolation import Message, WorkerPool, serve
from semantic_media_search.media.opening import describe_source
from semantic_media_search.media.watched_file import not_enough_memory
from semantic_media_search.records import IMAGE, VIDEO


class IsolatedReaders:
    """Reads media files in up to `size` worker processes; use it in a `with` block, from any threads.

    `timeout` is how many seconds a decoder may go without any progress.
    """

    def __init__(self, size: int, timeout: float = 120.0) -> None:
        self._pool = WorkerPool(__name__, size, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; waits for those at work."""
        self._pool.close()

    def interrupt(self) -> None:
        """Stop what is being read now, from any thread; nothing more can be read."""
        self._pool.interrupt()

    def read_image(self, path: str, *, max_side: int = 512, jpeg_quality: int = 90) -> SourceReader:
        """As `image_ingest.read_image`; see `WorkerPool.run` for what becomes of a decoder that dies."""
        options = {"max_side": max_side, "jpeg_quality": jpeg_quality}
        return self._reader(IMAGE, path, options)

    def read_picture(self, data: bytes, *, max_side: int = 512, jpeg_quality: int = 90) -> SourceReader:
        """As `read_image`, of an image file that is in memory."""
        options = {"max_side": max_side, "jpeg_quality": jpeg_quality}
        return self._reader(IMAGE, data, options)

    def read_video(
        self,
        path: str,
        *,
        fps: float = 1.0,
        max_side: int = 512,
        jpeg_quality: int = 90,
        duplicate_threshold: int = 4,
    ) -> SourceReader:
        """As `video_ingest.read_video`; see `WorkerPool.run` for what becomes of a decoder that dies."""
        options = {
            "fps": fps,
            "max_side": max_side,
            "jpeg_quality": jpeg_quality,
            "duplicate_threshold": duplicate_threshold,
        }
        return self._reader(VIDEO, path, options)

    def _reader(self, kind: str, source: str | bytes, options: Mapping[str, float]) -> SourceReader:
        """Reads a file by its path, or one whose bytes go along with the request."""
        path, data = (None, (source,)) if isinstance(source, bytes) else (source, ())
        request = Message({"kind": kind, "path": path, "options": options}, data)
        name = describe_source(io.BytesIO() if path is None else path)

        def read() -> Generator[PreparedFrame, None, SourceFacts]:
            for message in self._pool.run(request, name):
                if "error" in message.header:
                    raise _error(message.header)
                if "facts" in message.header:
                    return _facts(message.header["facts"])
                yield _frame(message)
            raise DecodeError(f"{name} is damaged: its decoder gave no answer")

        return SourceReader(read)


def _frame(message: Message) -> PreparedFrame:
    header, (pixels, jpeg) = message.header, message.blocks
    interval = header["interval"]
    return PreparedFrame(
        pixels=np.frombuffer(pixels, np.uint8).reshape(header["shape"]),
        jpeg=bytes(jpeg),
        timestamp=header["timestamp"],
        interval=None if interval is None else (float(interval[0]), float(interval[1])),
        phash=int(header["phash"]),
    )


def _facts(fields: Mapping[str, Any]) -> SourceFacts:
    gps = fields["gps"]
    return SourceFacts(**{**fields, "gps": None if gps is None else (float(gps[0]), float(gps[1]))})


def _error(header: Mapping[str, Any]) -> MediaError:
    kind = getattr(errors, str(header["error"]), None)
    if not (isinstance(kind, type) and issubclass(kind, MediaError)):
        kind = DecodeError
    return kind(str(header["message"]))


def _answer(request: Message, alive: Callable[[], None]) -> Iterator[Message]:
    kind, path, options = request.header["kind"], request.header["path"], request.header["options"]
    source = io.BytesIO(request.blocks[0]) if request.blocks else path
    try:
        video = kind == VIDEO
        reader = read_video(path, on_progress=alive, **options) if video else read_image(source, **options)
        for frame in reader:
            header = {
                "shape": frame.pixels.shape,
                "timestamp": frame.timestamp,
                "interval": frame.interval,
                "phash": frame.phash,
            }
            yield Message(header, (frame.pixels.tobytes(), frame.jpeg))
        yield Message({"facts": asdict(reader.facts), "last": True})
    except MediaError as error:
        yield _failure(error)
    except MemoryError:
        yield _failure(not_enough_memory(describe_source(source)))
    except Exception as error:  # noqa: BLE001 - whatever else a decoder raises costs this file alone
        yield _failure(DecodeError(f"{describe_source(source)} is damaged: {type(error).__name__}: {error}"))


def _failure(error: MediaError) -> Message:
    return Message({"error": type(error).__name__, "message": str(error), "last": True})


if __name__ == "__main__":
    serve(_answer)
