"""Vectors that are whole, in order and of other frames: found by encoding a sample again, and never by mistake."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes import COLOURS, ColourEncoder, paint
from semantic_media_search.config import Settings
from semantic_media_search.embeddings.embed_store import VECTORS_NAME
from semantic_media_search.errors import ModelError
from semantic_media_search.ingest.duplicates import perceptual_hash
from semantic_media_search.library import Library
from semantic_media_search.library.belonging import shows
from semantic_media_search.library.paths import EMBEDDINGS_INDEX, METADATA
from semantic_media_search.media.decode import load_image
from semantic_media_search.media.standardise import encode_jpeg
from semantic_media_search.records import Instant

ENCODER = ColourEncoder()


def _patterned(path: Path, colour: str, seed: int) -> None:
    """A picture of one colour, lighter and darker in a pattern of its own."""
    path.parent.mkdir(exist_ok=True)
    light = np.random.default_rng(seed).uniform(0.5, 1, (6, 8, 1)).repeat(8, axis=0).repeat(8, axis=1)
    Image.fromarray((light * COLOURS[colour]).astype(np.uint8)).save(path)


def _library(tmp_path: Path, photos: int, **settings: object) -> Library:
    for number in range(photos):
        _patterned(tmp_path / "photos" / f"{number:02}.png", list(COLOURS)[number % len(COLOURS)], number)
    library = Library(Settings(library=tmp_path / "library", threads=1, **settings), lambda _: ENCODER)  # type: ignore[arg-type]
    library.add_roots([tmp_path / "photos"])
    library.update("colours")
    return library


def _shift(library: Library, by: int) -> None:
    """Every vector becomes that of the frame so many before."""
    (file,) = library.paths.root.glob(f"generations/*/{VECTORS_NAME}")
    rows = np.fromfile(file, np.float32).reshape(-1, ENCODER.dim)
    with file.open("r+b") as out:
        out.write(np.roll(rows, by, axis=0).tobytes())


@pytest.mark.parametrize("photos", [2, 3, 40])
def test_shifted_vectors_are_found_and_mended(tmp_path: Path, photos: int) -> None:
    library = _library(tmp_path, photos)
    assert library.doctor(repair=False, encoder=ENCODER) == []
    _shift(library, 1)
    assert library.doctor(repair=False) == [], "without the model nobody can tell"
    another = ColourEncoder(fingerprint="07be2")
    assert library.doctor(repair=False, encoder=another) == [], "nor with another one"
    (found,) = library.doctor(repair=True, encoder=ENCODER)
    assert found.path.endswith(VECTORS_NAME)
    assert "not those of their frames" in found.problem
    library.build_index("colours")
    assert library.doctor(repair=False, encoder=ENCODER) == []


def test_frames_of_the_same_picture_are_no_matter(tmp_path: Path) -> None:
    """Shifted by the number of colours, each vector is that of a frame like its own."""
    library = _library(tmp_path, 4 * len(COLOURS))
    _shift(library, len(COLOURS))
    assert library.doctor(repair=False, encoder=ENCODER) == []


@pytest.mark.parametrize("settings", [{"jpeg_quality": 1}, {"max_side": 32}])
def test_frames_stored_coarse_are_no_matter(tmp_path: Path, settings: dict[str, int]) -> None:
    library = _library(tmp_path, 12, **settings)
    assert library.doctor(repair=False, encoder=ENCODER) == []


def test_what_cannot_be_judged_is_left_out(tmp_path: Path) -> None:
    library = _library(tmp_path, 1)
    assert library.doctor(repair=False, encoder=ENCODER) == []
    library.paths.frame(0).write_bytes(b"no picture")
    (found,) = library.doctor(repair=False, encoder=ENCODER)
    assert "cannot be read" in found.problem


def test_frames_of_other_pictures_are_blamed_and_not_their_vectors(tmp_path: Path) -> None:
    library = _library(tmp_path, 12)
    assert library.doctor(repair=False, encoder=ENCODER) == []
    frames = [library.paths.frame(frame_id) for frame_id in range(12)]
    held = [frame.read_bytes() for frame in frames]
    for frame, other in zip(frames, held[1:] + held[:1], strict=True):
        frame.write_bytes(other)
    findings = library.doctor(repair=True, encoder=ENCODER)
    assert {finding.problem for finding in findings} == {"shows another picture than was stored"}
    assert library.view().generation.rows == 12
    library.update("colours")
    assert library.doctor(repair=False, encoder=ENCODER) == []
    assert library.view().frame_count == 12


class _NoRuntime(ColourEncoder):
    def encode_pixels(self, images: object) -> np.ndarray:
        raise ModelError(f"ONNX Runtime cannot be loaded for {images!r:.20}")


def test_without_a_model_that_works_all_else_is_still_examined(tmp_path: Path) -> None:
    library = _library(tmp_path, 6)
    library.paths.frame(3).write_bytes(b"no picture")
    findings = library.doctor(repair=True, encoder=_NoRuntime())
    assert [finding.path for finding in findings] == [str(library.paths.frame(3))]


@pytest.mark.parametrize("name", [METADATA, EMBEDDINGS_INDEX])
def test_a_byte_that_is_no_text_is_found_and_mended(tmp_path: Path, name: str) -> None:
    library = _library(tmp_path, 6)
    place = library.paths.root / name
    data = bytearray(place.read_bytes())
    data[2] = 0xFF
    place.write_bytes(data)
    (found,) = library.doctor(repair=True, encoder=ENCODER)
    assert found.path == str(place)
    assert library.doctor(repair=False, encoder=ENCODER) == []


def test_names_that_would_steer_a_terminal_are_told_harmless(tmp_path: Path) -> None:
    paint(tmp_path / "photos" / "\x1b[31mz\nDELETE.png", "red")
    library = _library(tmp_path, 2)
    for frame_id in range(3):
        library.paths.frame(frame_id).write_bytes(b"no picture")
    findings = library.doctor(repair=False)
    assert len(findings) == 3
    assert all(finding.remedy.isprintable() for finding in findings)


@pytest.mark.parametrize("colour", COLOURS.values())
def test_a_nearly_flat_picture_is_never_called_another(colour: tuple[int, int, int]) -> None:
    """On the one side of the bound its hash is one of frequencies, on the other one of its colour."""
    for spot in range(0, 256, 3):
        pixels = np.full((24, 24, 3), colour, np.uint8)
        pixels[0, 0] = (spot, 0, 0)
        stored = load_image(io.BytesIO(encode_jpeg(pixels)))
        assert shows(Instant(1, 1, None, None, perceptual_hash(pixels)), stored), spot
