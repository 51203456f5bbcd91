"""A start loads only what it needs: seconds of a person's time, each time."""

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

from clip_export import Oracle
from hub_standin import HubStandIn
from processes import importing_as_here
from semantic_media_search.embeddings import DEFAULT_MODEL, Hub, load_encoder

REPO = "Xenova/clip-vit-base-patch32"
HEAVY = {
    "onnxruntime",
    "tokenizers",
    "huggingface_hub",
    "httpx2",
    "PIL",
    "av",
    "torch",
    "transformers",
    "onnx",
}


def modules_after(code: str, home: Path, endpoint: str = "http://127.0.0.1:9") -> set[str]:
    """The heavy modules that a fresh interpreter has loaded after this code; its caches are in `home`."""
    environ = importing_as_here() | {
        "XDG_CACHE_HOME": str(home),
        "HF_HOME": str(home),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "*",
    }
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(result.stdout.splitlines()[-1])) & HEAVY


def test_importing_the_package_loads_no_model_library(tmp_path: Path) -> None:
    for module in ("embeddings", "embeddings.clip_encoder"):
        assert modules_after(f"import semantic_media_search.{module}", tmp_path) == set()


def test_a_query_to_a_cached_model_loads_neither_network_nor_pictures(
    tiny_clip: Oracle, tmp_path: Path
) -> None:
    load = (
        "from semantic_media_search.embeddings import load_encoder\n"
        f"encoder = load_encoder({DEFAULT_MODEL!r})\n"
    )
    with HubStandIn({REPO: tiny_clip.folder}) as standin:
        modules_after(load, tmp_path, standin.endpoint)
        assert standin.requests
    # The hub is gone by now: asking it would fail.
    loaded = modules_after(load + "encoder.info, encoder.encode_texts(['a cat'])", tmp_path, standin.endpoint)
    assert loaded == {"onnxruntime", "tokenizers"}


def test_the_plans_two_functions_use_the_default_model(tiny_clip: Oracle, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "red.png")
    code = (
        "from semantic_media_search.embeddings.clip_encoder import encode_images, encode_texts\n"
        f"images = encode_images([{str(tmp_path / 'red.png')!r}])\n"
        "texts = encode_texts(['a red square', 'a cat'])\n"
        "assert images.shape == (1, 16) and texts.shape == (2, 16), (images.shape, texts.shape)\n"
        "assert images.dtype == texts.dtype == 'float32'"
    )
    with HubStandIn({REPO: tiny_clip.folder}) as standin:
        modules_after(code, tmp_path, standin.endpoint)
    assert load_encoder(DEFAULT_MODEL, offline=True, hub=Hub(standin.endpoint, tmp_path / "hub")).dim == 16
