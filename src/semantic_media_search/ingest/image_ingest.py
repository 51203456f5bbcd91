"""Images -> standardised frames and facts."""

import logging
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from semantic_media_search.errors import MediaError
from semantic_media_search.ingest.discovery import discover, text_to_path
from semantic_media_search.ingest.duplicates import perceptual_hash
from semantic_media_search.ingest.frame_files import FrameFiles, RecordWriter, with_facts
from semantic_media_search.ingest.prepared import PreparedFrame, SourceFacts, SourceReader
from semantic_media_search.media.decode import decode_image
from semantic_media_search.media.standardise import encode_jpeg
from semantic_media_search.records import IMAGE

_FULL_QUALITY_SIDE = 448
"""Scaled decoding keeps the shorter side at least this long, so that what remains is shrunk by a good filter."""

logger = logging.getLogger(__name__)


def read_image(source: str | Path | BinaryIO, *, max_side: int = 512, jpeg_quality: int = 90) -> SourceReader:
    """Read one image file, given open, as a path or as `path_to_text` made it: one frame, then its facts."""

    def read() -> Generator[PreparedFrame, None, SourceFacts]:
        short_side = min(_FULL_QUALITY_SIDE, max_side)
        file = text_to_path(str(source)) if isinstance(source, str | Path) else source
        decoded = decode_image(file, min_short_side=short_side, min_long_side=max_side, max_side=max_side)
        pixels = decoded.pixels
        yield PreparedFrame(pixels, encode_jpeg(pixels, jpeg_quality), None, None, perceptual_hash(pixels))
        capture = decoded.capture
        return SourceFacts(
            width=decoded.width,
            height=decoded.height,
            captured_at=capture.captured_at,
            camera=capture.camera,
            gps=capture.gps,
        )

    return SourceReader(read)


def ingest_images(
    root_dir: str,
    frames_dir: str,
    metadata_writer: RecordWriter,
    *,
    max_side: int = 512,
    jpeg_quality: int = 90,
) -> None:
    """Store every image below `root_dir` as `frames_dir`/<frame_id>.jpg and add its record to `metadata_writer`.

    Ids go on from the highest that `frames_dir` holds. A file that cannot be used is logged as a warning, with
    its reason, and left out. Raises SourceFolderError if `root_dir` cannot be listed.
    """
    files = FrameFiles(frames_dir)
    for candidate in discover(root_dir, IMAGE):
        try:
            reader = read_image(candidate.path, max_side=max_side, jpeg_quality=jpeg_quality)
            records = [files.store(frame, candidate, None) for frame in reader]
        except MediaError as error:
            logger.warning("skipped: %s", error)
            continue
        for record in records:
            metadata_writer.add_record(with_facts(record, reader.facts).to_json())
