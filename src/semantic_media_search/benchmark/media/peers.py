"""The usual ways from photographs to CLIP vectors on disk, to measure ours beside."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from semantic_media_search.embeddings.model_folder import VISION_MODEL
from semantic_media_search.embeddings.runtime import Session
from semantic_media_search.errors import ConfigError, ModelError
from semantic_media_search.records import F32

BATCH = 8
_SIDE = 224
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)

Ingest = Callable[[Sequence[Path], Path], None]
"""Puts the vectors of photos into a file."""


def transformers_pipeline(threads: int) -> Ingest:
    """Transformers and Pillow: open, preprocess, encode in batches of 8, as the model's page shows it.

    ViT-B/32 with random weights, which take as long as trained ones. Raises ImportError where torch or
    transformers are not installed.
    """
    import torch
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.set_num_threads(threads)
    model, processor = CLIPModel(CLIPConfig()), CLIPImageProcessorPil()
    model.train(mode=False)

    def ingest(photos: Sequence[Path], out: Path) -> None:
        rows = []
        with torch.no_grad():
            for batch in _batches(photos):
                pictures = [Image.open(path).convert("RGB") for path in batch]
                found = model.get_image_features(**processor(images=pictures, return_tensors="pt"))
                rows.append(getattr(found, "pooler_output", found).numpy())
        np.save(out, np.concatenate(rows))

    return ingest


def rclip_like(model: Path, threads: int) -> Ingest:
    """ONNX Runtime with batches of 8, a thread pool that decodes whole pictures ahead, vectors into SQLite.

    Raises ConfigError for a model that does not take pictures of ViT-B/32's size.
    """
    session = Session(model / VISION_MODEL, threads=threads)
    try:
        session.run("image_embeds", {"pixel_values": np.zeros((1, 3, _SIDE, _SIDE), np.float32)})
    except ModelError as error:
        raise ConfigError(
            f"the model in {model} takes no pictures of {_SIDE} x {_SIDE}, so the peers cannot use "
            f"it; give an export of ViT-B/32: `python training/export_clip.py random FOLDER` makes one"
        ) from error

    def ingest(photos: Sequence[Path], out: Path) -> None:
        database = sqlite3.connect(out)
        database.execute("CREATE TABLE images (path TEXT PRIMARY KEY, vector BLOB)")
        with ThreadPoolExecutor(threads) as pool:
            prepared = pool.map(_prepared, photos)
            for batch in _batches(photos):
                pixels = np.stack(list(islice(prepared, len(batch))))
                rows: F32 = session.run("image_embeds", {"pixel_values": pixels})
                rows /= np.linalg.norm(rows, axis=1, keepdims=True)
                pairs = [(str(path), row.tobytes()) for path, row in zip(batch, rows, strict=True)]
                database.executemany("INSERT INTO images VALUES (?, ?)", pairs)
                database.commit()
        database.close()

    return ingest


def _prepared(path: Path) -> F32:
    """Full decode, shorter side to 224 by bicubic, centre crop, normalised: float32 [3, 224, 224]."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    scale = _SIDE / min(picture.size)
    width, height = round(picture.width * scale), round(picture.height * scale)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - _SIDE) // 2, (height - _SIDE) // 2
    pixels = np.asarray(picture.crop((left, top, left + _SIDE, top + _SIDE)), np.float32) / 255
    return np.ascontiguousarray(((pixels - _MEAN) / _DEVIATION).transpose(2, 0, 1))


def _batches(photos: Sequence[Path]) -> Iterator[Sequence[Path]]:
    for start in range(0, len(photos), BATCH):
        yield photos[start : start + BATCH]
