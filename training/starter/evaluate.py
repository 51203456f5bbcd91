"""The figures of a model on a folder of photographs: R@1/5/10, median rank and mAP of texts to images.

Run: python training/starter/evaluate.py MODEL PHOTOS CAPTIONS [--split dev], where MODEL is a name or folder and
CAPTIONS is a JSON list of {"file", "captions"} and perhaps "split". Each caption asks for its photograph.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from semantic_media_search.embeddings import load_encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("photos", type=Path)
    parser.add_argument("captions", type=Path)
    parser.add_argument("--split", help="only photographs of this split")
    args = parser.parse_args()
    items = json.loads(args.captions.read_text(encoding="utf-8"))
    items = [item for item in items if args.split is None or item.get("split") == args.split]
    encoder = load_encoder(args.model)
    images = encoder.encode_images([args.photos / item["file"] for item in items])
    pairs = [(text, i) for i, item in enumerate(items) for text in item["captions"]]
    scores = encoder.encode_texts([text for text, _ in pairs]) @ images.T
    right = scores[np.arange(len(pairs)), [i for _, i in pairs]]
    rank = (scores > right[:, None]).sum(axis=1) + 1
    recalls = "  ".join(f"R@{k} {100 * (rank <= k).mean():.1f}" for k in (1, 5, 10))
    print(
        f"{len(items)} photographs, {len(pairs)} captions: {recalls}  median rank {np.median(rank):.0f}",
        end="",
    )
    print(f"  mAP {100 * (1 / rank).mean():.1f}")


if __name__ == "__main__":
    main()
