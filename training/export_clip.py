"""Export a transformers CLIP model to the folder layout that `media-search --model FOLDER` reads.

    pip install "semantic-media-search[training]"
    python training/export_clip.py openai/clip-vit-base-patch32 clip-folder

The model is anything that `CLIPModel.from_pretrained` takes: a name on the model hub, or a folder. `random` gives
ViT-B/32 with random weights and a tokenizer of single letters, without any download: as fast as the trained one,
and of no use but to measure that.
The layout is that of the ONNX exports on the hub (see `semantic_media_search/embeddings/model_folder.py`):
each tower a graph of its own, with its projection, ending in the joint space, not yet normalised.
"""

import argparse
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

OPSET = 18


class VisionTower(torch.nn.Module):
    """pixel_values float32 [B, 3, H, W] -> image_embeds float32 [B, D]."""

    def __init__(self, model: CLIPModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        pooled = self.model.vision_model(pixel_values=pixel_values).pooler_output
        return self.model.visual_projection(pooled)


class TextTower(torch.nn.Module):
    """input_ids and attention_mask, int64 [B, L] -> text_embeds float32 [B, D].

    Which token's state is the text's is decided inside, by the model's own config: with `eos_token_id` 2, as
    the released CLIP models have it, the token of the highest id; else the first end token.
    """

    def __init__(self, model: CLIPModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        pooled = self.model.text_model(input_ids=input_ids, attention_mask=attention_mask).pooler_output
        return self.model.text_projection(pooled)


def export_clip(
    model: CLIPModel, tokenizer: CLIPTokenizer, image_processor: CLIPImageProcessor, folder: Path
) -> None:
    """Write the model folder: both graphs in float32, tokenizer, preprocessing and config."""
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    model = model.eval().float()
    # The fused attention kernels bring masks of their own, which the exporter would freeze at one length.
    model.set_attn_implementation("eager")
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = json.loads(image_processor.to_json_string())
    (folder / "preprocessor_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    side = model.config.vision_config.image_size
    _export(
        VisionTower(model),
        {"pixel_values": torch.randn(2, 3, side, side)},
        "image_embeds",
        {"pixel_values": {0: "batch"}},
        folder / "onnx" / "vision_model.onnx",
    )
    ids = (
        torch.tensor([[49406, 320, 1125, 49407], [49406, 2368, 49407, 49407]])
        % model.config.text_config.vocab_size
    )
    shape = {0: "batch", 1: "length"}
    _export(
        TextTower(model),
        {"input_ids": ids, "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])},
        "text_embeds",
        {"input_ids": shape, "attention_mask": shape},
        folder / "onnx" / "text_model.onnx",
    )


def _export(
    tower: torch.nn.Module,
    inputs: dict[str, torch.Tensor],
    output: str,
    dynamic: dict[str, dict[int, str]],
    path: Path,
) -> None:
    """Write one tower as a single ONNX file."""
    shapes = {
        name: {axis: torch.export.Dim(dim) for axis, dim in axes.items()} for name, axes in dynamic.items()
    }
    with torch.inference_mode(), _quiet():
        torch.onnx.export(
            tower.eval(),
            (),
            path,
            kwargs=inputs,
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the exporter says about its own insides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def random_clip() -> tuple[CLIPModel, CLIPTokenizer, CLIPImageProcessor]:
    """ViT-B/32 as it is before training, seeded."""
    torch.manual_seed(0)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={token: number for number, token in enumerate(tokens)}, merges=[])
    return CLIPModel(CLIPConfig()), tokenizer, CLIPImageProcessor()


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="name on the model hub, a folder of save_pretrained, or `random`")
    parser.add_argument("folder", type=Path, help="where to write the export")
    given: Any = parser.parse_args(arguments)
    if given.model == "random":
        parts = random_clip()
    else:
        parts = tuple(
            kind.from_pretrained(given.model) for kind in (CLIPModel, CLIPTokenizer, CLIPImageProcessor)
        )
    export_clip(*parts, given.folder)
    print(f"wrote {given.folder}; try: media-search --model {given.folder} search 'a cat'")


if __name__ == "__main__":
    main()
