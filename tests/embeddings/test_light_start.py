"""A start loads only what it needs: seconds of a person's time, each time."""

import json
import os
import subprocess
import sys
from pathlib import Path

from clip_export import Oracle
from hub_standin import HubStandIn
from semantic_media_search.embeddings import DEFAULT_MODEL, Hub, load_encoder

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


def modules_after(code: str, **environ: str) -> set[str]:
    """The heavy modules that a fresh interpreter has loaded after this code."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    path = os.pathsep.join(part for part in sys.path if part)
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path} | environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(result.stdout.splitlines()[-1])) & HEAVY


def test_importing_the_package_loads_no_model_library() -> None:
    assert (
        modules_after(
            "import semantic_media_search.embeddings, semantic_media_search.embeddings.clip_encoder"
        )
        == set()
    )


def test_a_query_to_a_cached_model_loads_neither_network_nor_pictures(
    tiny_clip: Oracle, tmp_path: Path
) -> None:
    with HubStandIn({"Xenova/clip-vit-base-patch32": tiny_clip.folder}) as standin:
        code = (
            "import huggingface_hub, sys\n"
            "from semantic_media_search.embeddings import load_encoder\n"
            f"load_encoder({DEFAULT_MODEL!r})"
        )
        modules_after(
            code, HF_ENDPOINT=standin.endpoint, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0", NO_PROXY="*"
        )
        assert standin.requests
    query = (
        "from semantic_media_search.embeddings import load_encoder\n"
        f"encoder = load_encoder({DEFAULT_MODEL!r})\n"
        "encoder.info, encoder.encode_texts(['a cat'])"
    )
    # The hub is gone by now: asking it would fail.
    loaded = modules_after(query, HF_ENDPOINT=standin.endpoint, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0")
    assert loaded - {"huggingface_hub"} == {"onnxruntime", "tokenizers"}


def test_the_plans_two_functions_use_the_default_model(tiny_clip: Oracle, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "red.png")
    with HubStandIn({"Xenova/clip-vit-base-patch32": tiny_clip.folder}) as standin:
        code = (
            "from semantic_media_search.embeddings.clip_encoder import encode_images, encode_texts\n"
            f"images = encode_images([{str(tmp_path / 'red.png')!r}])\n"
            "texts = encode_texts(['a red square', 'a cat'])\n"
            "assert images.shape == (1, 16) and texts.shape == (2, 16), (images.shape, texts.shape)\n"
            "assert images.dtype == texts.dtype == 'float32'"
        )
        modules_after(
            code, HF_ENDPOINT=standin.endpoint, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0", NO_PROXY="*"
        )
        assert Hub(standin.endpoint, tmp_path / "hub").cache.is_dir()
    cached = load_encoder(DEFAULT_MODEL, offline=True, hub=Hub(standin.endpoint, tmp_path / "hub"))
    assert cached.dim == 16
