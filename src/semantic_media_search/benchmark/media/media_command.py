"""`media-search benchmark media`: reading photos and videos, beside Pillow and OpenCV."""

import argparse
import tempfile
from pathlib import Path

from semantic_media_search.benchmark.engine.options import at_least_1
from semantic_media_search.benchmark.engine.results import Chart, Section
from semantic_media_search.benchmark.engine.session import Say, Session
from semantic_media_search.benchmark.media.contests import MAX_SIDE, photo_contests, video_contests
from semantic_media_search.benchmark.media.samples import (
    pictures_of,
    textured_pictures,
    write_photos,
    write_videos,
)
from semantic_media_search.config import Settings

_PICTURES = 12
_CHARTS = [Chart("Times as fast as the peer", "job", "ratio", "beside")]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much is read, and what of."""
    add_source_arguments(parser, photos=6)
    parser.add_argument(
        "--seconds", type=at_least_1, default=20, help="length of each video that is made (default 20)"
    )
    parser.add_argument(
        "--videos", type=Path, nargs="+", metavar="FILE", help="these videos in place of made ones"
    )
    parser.add_argument(
        "--rounds", type=at_least_1, default=5, help="how often each job is timed (default 5)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("data/benchmarks/media.json"),
        metavar="FILE",
        help="default %(default)s",
    )


def add_source_arguments(parser: argparse.ArgumentParser, *, photos: int) -> None:
    """Which photographs, for all benchmarks that read 12-megapixel ones."""
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="photographs to make the 12-megapixel ones of (default: random textures)",
    )
    parser.add_argument(
        "--count", type=at_least_1, default=photos, help="so many photographs (default %(default)s)"
    )


def made_photos(arguments: argparse.Namespace, folder: Path, most: int) -> list[Path]:
    """At most `most` different photographs of 12 megapixels, from the pictures that were asked for."""
    pictures = (
        textured_pictures(_PICTURES)
        if arguments.pictures is None
        else pictures_of(arguments.pictures, _PICTURES)
    )
    return write_photos(folder, pictures, min(most, arguments.count))


def photo_kind(arguments: argparse.Namespace) -> str:
    """What the photographs are, in words."""
    made_of = (
        "random textures" if arguments.pictures is None else f"the photographs in {arguments.pictures.name}"
    )
    return f"12-megapixel JPEGs made of {made_of}"


def run(arguments: argparse.Namespace, settings: Settings, say: Say) -> None:
    """Measure, print, write."""
    session = Session(
        "media",
        say,
        arguments.output,
        photos=photo_kind(arguments),
        max_side=MAX_SIDE,
        count=arguments.count,
        videos=", ".join(path.name for path in arguments.videos or ()) or f"made, {arguments.seconds} s each",
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        photos = made_photos(arguments, folder, arguments.count)
        keys = ("job", "beside")
        rows = list(photo_contests(photos, arguments.rounds))
        session.add(Section("photos", "Photos, a second", keys, rows, charts=_CHARTS))
        if arguments.videos:
            videos = {path.name: path for path in arguments.videos}
        else:
            videos = write_videos(folder, photos[0], arguments.seconds)
        try:
            rows = list(video_contests(videos, settings.fps, arguments.rounds))
        except ImportError as error:
            say(f"\nVideos left out: {error}; `pip install opencv-python-headless` adds the peer")
        else:
            session.add(Section("videos", "1080p30 video, its frames a second", keys, rows, charts=_CHARTS))
    session.close()
