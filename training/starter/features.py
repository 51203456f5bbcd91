"""Cache the int8 backbone's pooled features of every photograph: `features-VIEW.npy` float32 [N, 1280].

Two views: `plain`, squashed to the model's input as it is in use, and `cropped`, a seeded random part of the
photograph, mirrored half of the time. The second is made of photographs to train on only.

A run that was cut short goes on where it stopped.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from ingredients import SIDE, Backbone
from PIL import Image
from quantise import quantise_vision

BATCH = 16
CALIBRATION = 32  # photographs
VIEWS = ("plain", "cropped")
LEAST_AREA = 0.55  # of the photograph, in the cropped view
LARGEST_STRETCH = 0.15  # logarithm of how much wider than high the part is, beside the photograph
CROP_SEED = 7


def photographs(photos: Path) -> tuple[list[str], int]:
    """All photographs of the three folders, and how many at the start are only judged with.

    Those come first so that a run cut short can be judged.
    """
    captions = json.loads((photos / "captioned-photos/captions.json").read_text(encoding="utf-8"))
    texts = json.loads((photos / "labelled-photos/texts.json").read_text(encoding="utf-8"))
    dev = [f"captioned-photos/images/{c['file']}" for c in captions if c["split"] == "dev"]
    classes = sorted(p.relative_to(photos).as_posix() for p in photos.glob("class-photos/**/*.jpg"))
    train = [f"captioned-photos/images/{c['file']}" for c in captions if c["split"] == "train"]
    labelled = [f"labelled-photos/images/{t['file']}" for t in texts]
    mixed = train + labelled
    np.random.default_rng(0).shuffle(mixed)
    return dev + classes + mixed, len(dev) + len(classes)


def load_pixels(path: Path, *, crop: np.random.Generator | None = None) -> np.ndarray:
    """A photograph, or the random part of it that `crop` draws, squashed to float32 [3, 260, 260]."""
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        box = (0.0, 0.0, float(picture.width), float(picture.height))
        if crop is not None:
            box = _random_box(*picture.size, crop)
        squashed = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)
    pixels = (np.asarray(squashed, dtype=np.float32) - 127) / 128
    mirrored = crop is not None and crop.random() < 0.5
    return np.ascontiguousarray((pixels[:, ::-1] if mirrored else pixels).transpose(2, 0, 1))


def _random_box(width: int, height: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a random part."""
    side = rng.uniform(LEAST_AREA, 1) ** 0.5
    stretch = np.exp(rng.uniform(-LARGEST_STRETCH, LARGEST_STRETCH))
    across, down = min(1, side * stretch) * width, min(1, side / stretch) * height
    left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
    return left, top, left + across, top + down


def cache_features(wheels: Path, photos: Path, cache: Path) -> None:
    """Both views of all photographs, and `files.json`, their names in row order."""
    cache.mkdir(parents=True, exist_ok=True)
    files, judged = photographs(photos)
    (cache / "files.json").write_text(json.dumps(files), encoding="utf-8")
    session = _session(wheels, photos, cache, files)
    for view in VIEWS:
        path, progress = cache / f"features-{view}.npy", cache / f"features-{view}.done"
        shape = (len(files), 1280)
        rows = np.lib.format.open_memmap(path, "r+" if path.exists() else "w+", np.float32, shape)
        first = int(progress.read_text()) if progress.exists() else (0 if view == "plain" else judged)
        for start in range(first, len(files), BATCH):
            numbers = range(start, min(start + BATCH, len(files)))
            batch = np.stack([_view(photos / files[number], view, number) for number in numbers])
            rows[start : start + BATCH] = session.run(None, {"x": batch})[0]
            progress.write_text(str(start + BATCH))
        rows.flush()


def _view(path: Path, view: str, number: int) -> np.ndarray:
    crop = np.random.default_rng([CROP_SEED, number]) if view == "cropped" else None
    return load_pixels(path, crop=crop)


def _session(wheels: Path, photos: Path, cache: Path, files: list[str]) -> onnxruntime.InferenceSession:
    """The backbone, made int8 as it ships: x float32 [B, 3, 260, 260] -> y float32 [B, 1280]."""
    graph, small = cache / "backbone.onnx", cache / "backbone-int8.onnx"
    if not small.exists():
        torch.onnx.export(
            Backbone(wheels),
            (torch.zeros(1, 3, SIDE, SIDE),),
            str(graph),
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {0: "b"}, "y": {0: "b"}},
            dynamo=False,
        )
        quantise_vision(graph, small, "x", calibration(photos, files))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(small), options, providers=["CPUExecutionProvider"])


def calibration(photos: Path, files: list[str]) -> list[np.ndarray]:
    """The inputs that the ranges of the int8 values are taken from."""
    return [load_pixels(photos / name) for name in files[-CALIBRATION:]]
