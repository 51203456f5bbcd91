"""Videos -> standardised frames at regular instants, with their times, and facts."""

import logging
from collections.abc import Callable, Generator
from pathlib import Path

from semantic_media_search.errors import MediaError
from semantic_media_search.ingest.discovery import discover, text_to_path
from semantic_media_search.ingest.duplicates import Fingerprint, fingerprint, same_picture
from semantic_media_search.ingest.frame_files import FrameFiles, RecordWriter, with_facts
from semantic_media_search.ingest.prepared import PreparedFrame, SourceFacts, SourceReader
from semantic_media_search.media.standardise import encode_jpeg
from semantic_media_search.media.video import TimedFrame, VideoReader
from semantic_media_search.records import VIDEO

logger = logging.getLogger(__name__)


def read_video(
    path: str | Path,
    *,
    fps: float = 1.0,
    max_side: int = 512,
    jpeg_quality: int = 90,
    duplicate_threshold: int = 4,
    on_progress: Callable[[], None] | None = None,
) -> SourceReader:
    """Read one video file, given as a path or as `path_to_text` made it: frames at `fps`, then its facts.

    A sampled frame that shows the same picture as the last one kept (see `duplicates.same_picture`; 0 keeps all)
    is not given. Each kept frame's interval reaches to the next kept frame, the last one's to the end of the
    video, so that together they leave no gap. `on_progress` is called often while reading.
    """

    def read() -> Generator[PreparedFrame, None, SourceFacts]:
        with VideoReader(text_to_path(str(path)), on_progress) as reader:
            kept: tuple[TimedFrame, Fingerprint] | None = None
            duplicates = 0
            last = 0.0

            def prepared(until: float) -> PreparedFrame:
                assert kept is not None
                frame, print_ = kept
                interval = (frame.timestamp, max(until, frame.timestamp))
                jpeg = encode_jpeg(frame.pixels, jpeg_quality)
                return PreparedFrame(frame.pixels, jpeg, frame.timestamp, interval, print_.phash)

            for frame in reader.sample(fps, max_side):
                print_ = fingerprint(frame.pixels)
                last = frame.timestamp
                if kept is not None and same_picture(kept[1], print_, duplicate_threshold):
                    duplicates += 1
                    continue
                if kept is not None:
                    yield prepared(frame.timestamp)
                kept = (frame, print_)
            if kept is not None:
                yield prepared(max(last, reader.seconds_read))
            info = reader.info
            return SourceFacts(
                width=info.width,
                height=info.height,
                captured_at=info.capture.captured_at,
                duration=info.duration,
                camera=info.capture.camera,
                gps=info.capture.gps,
                problem=reader.problem,
                duplicates=duplicates,
            )

    return SourceReader(read)


def ingest_videos(
    root_dir: str,
    frames_dir: str,
    metadata_writer: RecordWriter,
    fps: float = 1.0,
    *,
    max_side: int = 512,
    jpeg_quality: int = 90,
    duplicate_threshold: int = 4,
) -> None:
    """Store frames of every video below `root_dir`, `fps` a second, as `frames_dir`/<frame_id>.jpg.

    Their records go to `metadata_writer`; `timestamp` is in seconds of the video's own clock and `video_id` is
    `vid_` with the id of the video's first frame. Ids go on from the highest that `frames_dir` holds. A file
    that cannot be used, or not to its end, is logged as a warning with its reason. Raises SourceFolderError if
    `root_dir` cannot be listed.
    """
    files = FrameFiles(frames_dir)
    for candidate in discover(root_dir, VIDEO):
        reader = read_video(
            candidate.path,
            fps=fps,
            max_side=max_side,
            jpeg_quality=jpeg_quality,
            duplicate_threshold=duplicate_threshold,
        )
        video_id = f"vid_{files.next_id:02d}"
        try:
            records = [files.store(frame, candidate, video_id) for frame in reader]
        except MediaError as error:
            logger.warning("skipped: %s", error)
            continue
        if reader.facts.problem is not None:
            logger.warning("%s: %s", candidate.path, reader.facts.problem)
        for record in records:
            metadata_writer.add_record(with_facts(record, reader.facts).to_json())
