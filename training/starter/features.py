"""Cache the int8 backbone's pooled features of every photograph: `features-0.npy` float32 [N, 1280].

A run that was cut short goes on where it stopped.

Run: python training/starter/features.py WHEELS PHOTOS OUT, where PHOTOS holds the three folders of photographs.
"""

import argparse
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


def photographs(photos: Path) -> list[str]:
    """All photographs of the three folders, dev first: so that a run cut short can still be judged."""
    captions = json.loads((photos / "captioned-photos/captions.json").read_text(encoding="utf-8"))
    texts = json.loads((photos / "labelled-photos/texts.json").read_text(encoding="utf-8"))
    dev = [f"captioned-photos/images/{c['file']}" for c in captions if c["split"] == "dev"]
    classes = sorted(p.relative_to(photos).as_posix() for p in photos.glob("class-photos/**/*.jpg"))
    train = [f"captioned-photos/images/{c['file']}" for c in captions if c["split"] == "train"]
    labelled = [f"labelled-photos/images/{t['file']}" for t in texts]
    mixed = train + labelled
    np.random.default_rng(0).shuffle(mixed)
    return dev + classes + mixed


def load_pixels(path: Path, *, flip: bool = False) -> np.ndarray:
    """A photograph squashed to the model's input: float32 [3, 260, 260]."""
    with Image.open(path) as picture:
        squashed = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels = (np.asarray(squashed, dtype=np.float32) - 127) / 128
    return np.ascontiguousarray((pixels[:, ::-1] if flip else pixels).transpose(2, 0, 1))


def export_backbone(wheels: Path, path: Path) -> None:
    """The backbone as a graph: x float32 [B, 3, 260, 260] -> y float32 [B, 1280]."""
    torch.onnx.export(
        Backbone(wheels),
        (torch.zeros(1, 3, SIDE, SIDE),),
        str(path),
        input_names=["x"],
        output_names=["y"],
        dynamic_axes={"x": {0: "b"}, "y": {0: "b"}},
        dynamo=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheels", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--part", type=int, default=0, help="which part of the photographs")
    parser.add_argument("--parts", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    graph = args.out / "backbone.onnx"
    small = args.out / "backbone-int8.onnx"
    files = photographs(args.photos)
    if not small.exists():
        export_backbone(args.wheels, graph)
        inputs = [load_pixels(args.photos / name) for name in files[-CALIBRATION:]]
        quantise_vision(graph, small, "x", inputs)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(small), options, providers=["CPUExecutionProvider"])
    files = files[args.part :: args.parts]
    (args.out / f"files-{args.part}.json").write_text(json.dumps(files), encoding="utf-8")
    shape = (len(files), 1280)
    cached = args.out / f"features-{args.part}.npy"
    rows = np.lib.format.open_memmap(cached, "r+" if cached.exists() else "w+", np.float32, shape)
    first = int(rows.any(axis=1).sum()) // BATCH * BATCH
    for start in range(first, len(files), BATCH):
        batch = np.stack([load_pixels(args.photos / name) for name in files[start : start + BATCH]])
        rows[start : start + BATCH] = session.run(None, {"x": batch})[0]
    rows.flush()


if __name__ == "__main__":
    main()
