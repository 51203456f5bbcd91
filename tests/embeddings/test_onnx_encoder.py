"""The encoder on a tiny CLIP model: shapes, batches, threads, and what it refuses."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from clip_export import Oracle
from semantic_media_search.embeddings import load_encoder
from semantic_media_search.embeddings.onnx_encoder import OnnxEncoder
from semantic_media_search.errors import (
    DecodeError,
    MediaError,
    ModelError,
    ModelLayoutError,
    ModelNotFoundError,
)
from semantic_media_search.records import U8

RNG = np.random.default_rng(7)


def pictures(count: int) -> list[U8]:
    """Pictures of many sizes, with large and small shapes in them."""
    sizes = RNG.integers(1, 400, size=(count, 2))
    return [
        np.asarray(
            Image.fromarray(RNG.integers(0, 256, size=(5, 7, 3), dtype=np.uint8)).resize((int(w), int(h)))
        )
        for h, w in sizes
    ]


@pytest.fixture(scope="module")
def encoder(tiny_clip: Oracle) -> OnnxEncoder:
    return OnnxEncoder(tiny_clip.folder, threads=1)


def test_rows_are_unit_float32_of_the_models_dimension(encoder: OnnxEncoder) -> None:
    for rows in (
        encoder.encode_pixels(pictures(3)),
        encoder.encode_texts(["a cat", "", "two dogs, running"]),
    ):
        assert rows.shape == (3, 16)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_nothing_in_gives_no_rows(encoder: OnnxEncoder) -> None:
    for rows in (encoder.encode_pixels([]), encoder.encode_texts([]), encoder.encode_images([])):
        assert rows.shape == (0, 16)
        assert rows.dtype == np.float32


def test_a_batch_gives_what_each_alone_gives(encoder: OnnxEncoder) -> None:
    images = pictures(19)
    texts = ["", "cat", "a red car in front of a house at night", "word " * 200, "émigré ☕", *"abcdefg"] * 4
    for encode, items in ((encoder.encode_pixels, images), (encoder.encode_texts, texts)):
        alone = np.concatenate([encode([item]) for item in items])  # type: ignore[operator]
        np.testing.assert_allclose(encode(items), alone, atol=2e-6)  # type: ignore[operator]


def test_different_inputs_give_different_rows(encoder: OnnxEncoder) -> None:
    texts = encoder.encode_texts(["cat", "dog", "a cat and a dog"])
    images = encoder.encode_pixels(pictures(3))
    for rows in (texts, images):
        assert np.abs(rows[0] - rows[1]).max() > 1e-3
        assert np.abs(rows[0] - rows[2]).max() > 1e-3


def test_files_are_encoded_in_order(encoder: OnnxEncoder, tmp_path: Path) -> None:
    images = pictures(21)
    paths = []
    for index, image in enumerate(images):
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(image).save(paths[-1])
    np.testing.assert_allclose(encoder.encode_images(paths), encoder.encode_pixels(images), atol=2e-6)
    assert encoder.encode_images([str(paths[3])]).shape == (1, 16)


def test_a_damaged_file_is_named(encoder: OnnxEncoder, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.new("RGB", (30, 20)).save(good)
    bad.write_bytes(good.read_bytes()[:40])
    with pytest.raises(MediaError, match=r"bad\.png"):
        encoder.encode_images([good, bad, good])


def test_a_tower_is_loaded_only_when_it_is_needed(copied: Path) -> None:
    for tower, other in (("text", "vision"), ("vision", "text")):
        path = copied / "onnx" / f"{other}_model.onnx"
        whole = path.read_bytes()
        path.write_bytes(b"damaged")
        encoder = OnnxEncoder(copied, threads=1)
        if tower == "text":
            assert encoder.encode_texts(["a cat"]).shape == (1, 16)
        else:
            assert encoder.encode_pixels(pictures(1)).shape == (1, 16)
        path.write_bytes(whole)


def test_several_threads_may_call(tiny_clip: Oracle) -> None:
    encoder = OnnxEncoder(tiny_clip.folder, threads=1)
    texts = [f"number {n}" for n in range(16)]
    barrier = threading.Barrier(4)

    def call(part: int) -> list[np.ndarray]:
        barrier.wait()
        return [encoder.encode_texts([text]) for text in texts[part::4]]

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(call, range(4)))
    together = OnnxEncoder(tiny_clip.folder, threads=1).encode_texts(texts)
    for part, rows in enumerate(parts):
        np.testing.assert_allclose(np.concatenate(rows), together[part::4], atol=2e-6)


def test_odd_texts_are_taken(encoder: OnnxEncoder) -> None:
    texts = [
        "\0",
        "\ud800 lone surrogate",
        "\u200f",
        " ",
        "\n\t",
        "<|endoftext|> after",
        "😀" * 500,
        "ا" * 3000,
    ]
    assert np.isfinite(encoder.encode_texts(texts)).all()


def test_one_text_is_no_list_of_texts(encoder: OnnxEncoder) -> None:
    with pytest.raises(TypeError, match="list"):
        encoder.encode_texts("a cat")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_other_arrays_than_rgb_uint8_are_refused(encoder: OnnxEncoder, array: np.ndarray) -> None:
    with pytest.raises(DecodeError, match="expected uint8"):
        encoder.encode_pixels([array])


def test_extreme_shapes_are_taken(encoder: OnnxEncoder) -> None:
    shapes = [(1, 1), (20_000, 10), (10, 20_000), (1, 5000)]
    images = [np.full((*shape, 3), 128, np.uint8) for shape in shapes]
    rows = encoder.encode_pixels(images)
    np.testing.assert_allclose(rows, np.repeat(rows[:1], len(rows), axis=0), atol=1e-4)


def test_a_missing_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="nowhere"):
        OnnxEncoder(tmp_path / "nowhere")
    with pytest.raises(ModelNotFoundError, match=r"no-such-model.*openai/clip-vit-base-patch32.*starter"):
        load_encoder("no-such-model")


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "onnx/text_model.onnx", "preprocessor_config.json"]
)
def test_another_layout_is_refused_with_what_was_expected(copied: Path, name: str) -> None:
    (copied / name).rename(copied / "pytorch_model.bin")
    with pytest.raises(ModelLayoutError) as caught:
        OnnxEncoder(copied)
    message = str(caught.value)
    assert f"lacks {name}" in message
    assert "onnx/vision_model.onnx" in message
    assert "found" in message
    assert "pytorch_model.bin" in message


def test_damaged_files_are_named(copied: Path) -> None:
    (copied / "onnx" / "vision_model.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelLayoutError, match=r"vision_model\.onnx"):
        OnnxEncoder(copied).encode_pixels(pictures(1))
    (copied / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelLayoutError, match=r"tokenizer\.json"):
        OnnxEncoder(copied).encode_texts(["a"])
    (copied / "config.json").write_text("[]")
    with pytest.raises(ModelLayoutError, match=r"config\.json holds list"):
        OnnxEncoder(copied)


@pytest.mark.parametrize("dim", [None, 0, -3, "512", True, 1.5])
def test_an_impossible_dimension_is_refused(copied: Path, dim: object) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"projection_dim": dim}))
    with pytest.raises(ModelLayoutError, match="projection_dim"):
        OnnxEncoder(copied)


def test_a_dimension_that_the_graph_does_not_give_is_an_error(copied: Path) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"projection_dim": 24}))
    with pytest.raises(ModelError, match=r"\(1, 16\).*\(1, 24\)"):
        OnnxEncoder(copied).encode_texts(["a cat"])


def test_swapped_towers_are_refused(copied: Path) -> None:
    vision, text = copied / "onnx" / "vision_model.onnx", copied / "onnx" / "text_model.onnx"
    vision_bytes = vision.read_bytes()
    vision.write_bytes(text.read_bytes())
    text.write_bytes(vision_bytes)
    with pytest.raises(ModelLayoutError, match="expected pixel_values -> image_embeds"):
        OnnxEncoder(copied).encode_pixels(pictures(1))
    with pytest.raises(ModelLayoutError, match="expected input_ids -> text_embeds"):
        OnnxEncoder(copied).encode_texts(["a cat"])


@pytest.mark.parametrize("factor", [np.nan, np.inf, 0.0])
def test_vectors_without_a_direction_are_an_error(copied: Path, factor: float) -> None:
    path = copied / "onnx" / "vision_model.onnx"
    model = onnx.load(path)
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = ["raw_embeds" if name == output.name else name for name in node.output]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32([factor]), "factor"))
    model.graph.node.append(onnx.helper.make_node("Mul", ["raw_embeds", "factor"], [output.name]))
    onnx.save(model, path)
    with pytest.raises(ModelError, match="not finite or zero"):
        OnnxEncoder(copied).encode_pixels(pictures(1))


def test_a_text_graph_without_a_mask_gives_the_same(
    tiny_clip: Oracle, encoder: OnnxEncoder, copied: Path
) -> None:
    """Many exports on the hub take input_ids alone: their texts go through unpadded."""
    path = copied / "onnx" / "text_model.onnx"
    model = onnx.load(path)
    (mask,) = [node for node in model.graph.input if node.name == "attention_mask"]
    model.graph.input.remove(mask)
    shape = onnx.helper.make_node("Shape", ["input_ids"], ["ids_shape"])
    one = onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [1], [1])
    ones = onnx.helper.make_node("ConstantOfShape", ["ids_shape"], ["attention_mask"], value=one)
    nodes = [shape, ones, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    texts = ["cat", "dog", "a longer text about both", "", "bird"]
    np.testing.assert_allclose(
        OnnxEncoder(copied).encode_texts(texts), encoder.encode_texts(texts), atol=2e-6
    )
