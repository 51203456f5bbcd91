"""The default model's very architecture, with random weights, against transformers."""

import importlib.util
import sys
import types
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from clip_export import Oracle, clip_sources, clip_vocabulary
from semantic_media_search.embeddings.model_folder import ModelFolder
from semantic_media_search.embeddings.onnx_encoder import OnnxEncoder
from semantic_media_search.embeddings.tokenization import TextTokenizer
from semantic_media_search.records import F32
from varied_texts import ordinary_texts, varied_texts

MIN_COSINE = 0.9999


def unit(rows: Any) -> F32:
    array = np.asarray(rows, dtype=np.float32)
    return np.asarray(array / np.linalg.norm(array, axis=1, keepdims=True), dtype=np.float32)


def worst_cosine(ours: F32, theirs: F32) -> float:
    assert ours.shape == theirs.shape
    return float((ours * theirs).sum(axis=1).min())


def oracle_texts(oracle: Oracle, texts: list[str]) -> F32:
    inputs = oracle.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        return unit(oracle.model.get_text_features(**inputs).pooler_output)


def oracle_images(oracle: Oracle, images: list[Image.Image]) -> F32:
    inputs = oracle.image_processor(images, return_tensors="pt")
    with torch.inference_mode():
        return unit(oracle.model.get_image_features(**inputs).pooler_output)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two thread pools that wait for one another by spinning take minutes on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def encoder(clip_vit_b32: Oracle) -> OnnxEncoder:
    return OnnxEncoder(clip_vit_b32.folder, threads=1)


def test_the_export_has_the_released_models_settings(clip_vit_b32: Oracle) -> None:
    folder = ModelFolder.open(clip_vit_b32.folder)
    assert folder.dim == 512
    assert folder.max_text_length == 77
    assert folder.preprocessor.output_size == (224, 224)
    assert folder.config["text_config"]["eos_token_id"] == 2
    assert folder.vision_model.stat().st_size > 340e6
    assert folder.text_model.stat().st_size > 250e6


def test_texts_have_transformers_vectors(encoder: OnnxEncoder, clip_vit_b32: Oracle) -> None:
    texts = ["", "a photo of a cat", "A RED bicycle!", "東京の夜景 🗼", "word " * 200, *varied_texts()[::40]]
    theirs = np.concatenate([oracle_texts(clip_vit_b32, [text]) for text in texts])
    assert worst_cosine(encoder.encode_texts(texts), theirs) >= MIN_COSINE
    alone = np.concatenate([encoder.encode_texts([text]) for text in texts[:8]])
    assert worst_cosine(alone, theirs[:8]) >= MIN_COSINE
    assert worst_cosine(alone, oracle_texts(clip_vit_b32, texts[:8])) >= MIN_COSINE
    assert (theirs[1:] @ theirs[0]).min() < 0.99, "a check that any vector would pass is none"


def test_pictures_have_transformers_vectors(encoder: OnnxEncoder, clip_vit_b32: Oracle) -> None:
    rng = np.random.default_rng(5)
    sizes = [
        (224, 224),
        (512, 341),
        (300, 512),
        (64, 900),
        (31, 17),
        (1, 1),
        (480, 640),
        (224, 225),
        (700, 230),
    ]
    pictures = [
        Image.fromarray(rng.integers(0, 256, size=(6, 6, 3), dtype=np.uint8)).resize((width, height))
        for height, width in sizes
    ]
    theirs = oracle_images(clip_vit_b32, pictures)
    ours = encoder.encode_pixels([np.asarray(picture) for picture in pictures])
    assert worst_cosine(ours, theirs) >= MIN_COSINE
    assert (theirs[1:] @ theirs[0]).min() < 0.99, "a check that any vector would pass is none"


def test_the_token_of_the_highest_id_is_the_texts(tiny_clip: Oracle) -> None:
    """`eos_token_id` 2 means so: what follows the first end token has no part in the vector."""
    encoder = OnnxEncoder(tiny_clip.folder)
    end = encoder.encode_texts(["a cat<|endoftext|> and a dog"])
    assert worst_cosine(end, encoder.encode_texts(["a cat"])) >= MIN_COSINE
    assert worst_cosine(end, oracle_texts(tiny_clip, ["a cat<|endoftext|> and a dog"])) >= MIN_COSINE


def test_a_thousand_texts_have_transformers_tokens(tiny_clip: Oracle) -> None:
    texts = varied_texts()
    assert len(texts) == len(set(texts)) == 1000
    folder = ModelFolder.open(tiny_clip.folder)
    ours = TextTokenizer(folder.tokenizer, folder.max_text_length)(texts)
    theirs = [tiny_clip.tokenizer(text, truncation=True)["input_ids"] for text in texts]
    assert ours == theirs
    assert sum(len(ids) == 77 for ids in ours) > 50, "long texts must be among them"
    assert all(ids[0] == 49406 and ids[-1] == 49407 for ids in ours)


def test_ordinary_texts_have_the_tokens_of_an_independent_implementation(tiny_clip: Oracle) -> None:
    """OpenAI's own pure-Python tokenizer, as the wheel of the vocabulary carries it."""
    texts = ordinary_texts()
    folder = ModelFolder.open(tiny_clip.folder)
    ours = TextTokenizer(folder.tokenizer, folder.max_text_length)(texts)
    padded = independent_tokenizer()(texts).tolist()
    theirs = [row[: row.index(49407) + 1] for row in padded]
    assert ours == theirs


def independent_tokenizer() -> Any:
    """The wheel's SimpleTokenizer, without the wheel and ftfy, which only mends broken encodings."""
    ftfy = types.ModuleType("ftfy")
    ftfy.fix_text = lambda text: unicodedata.normalize("NFC", text)  # type: ignore[attr-defined]
    path = clip_sources() / "open_clip" / "tokenizer.py"
    spec = importlib.util.spec_from_file_location("independent_clip_tokenizer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "ftfy", ftfy)
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        spec.loader.exec_module(module)
    return module.SimpleTokenizer()


def test_the_vocabulary_is_the_released_one() -> None:
    vocabulary, merges = clip_vocabulary()
    assert len(vocabulary) == 49_408
    assert len(merges) == 48_894
    known = {"!": 0, "a</w>": 320, "cat</w>": 2368, "<|startoftext|>": 49406, "<|endoftext|>": 49407}
    assert {token: vocabulary[token] for token in known} == known
