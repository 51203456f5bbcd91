"""The cached photographs and texts, divided into what is trained on and what is judged with."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

HELD_OUT = 10  # one of so many labelled photographs of each source


@dataclass(frozen=True)
class Dataset:
    """Row numbers are of `features` float32 [N, 1280]; text numbers of `vectors` float32 [T, 384]."""

    features: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.float32]
    classes: npt.NDArray[np.float32]  # vectors of the class texts, float32 [1000, 384]
    classifier: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]  # weight [1000, 1280] and bias
    captioned: npt.NDArray[np.int64]  # rows to train on
    labelled: npt.NDArray[np.int64]
    dev: npt.NDArray[np.int64]  # rows to judge with
    held_out: npt.NDArray[np.int64]
    class_photos: npt.NDArray[np.int64]
    texts_of: dict[int, list[int]]
    group: npt.NDArray[np.int64]  # of each text: texts of one label share a group
    class_queries: list[tuple[str, int, list[int]]]  # kind, text, rows

    @classmethod
    def read(cls, photos: Path, cache: Path) -> "Dataset":
        """Read the caches; photographs whose features are not there are left out."""
        features = np.concatenate([np.load(path) for path in _parts(cache)])
        row_of = cached_photographs(cache)
        strings = json.loads((cache / "texts.json").read_text(encoding="utf-8"))
        text_of = {string: number for number, string in enumerate(strings)}
        texts_of: dict[int, list[int]] = {}
        captioned, dev, labelled, held_out, seen = [], [], [], [], {}  # type: ignore[var-annotated]
        group = np.arange(len(strings))
        for item in _json(photos / "captioned-photos/captions.json"):
            row = row_of.get(f"captioned-photos/images/{item['file']}")
            if row is not None:
                known = [text_of[text] for text in item["captions"] if text in text_of]
                if not known:
                    continue
                texts_of[row] = known
                (dev if item["split"] == "dev" else captioned).append(row)
        for item in _json(photos / "labelled-photos/texts.json"):
            texts = [text_of[text] for text in item["texts"]]
            if item["kind"] == "label":
                group[texts] = min(group[texts])
            seen[item["source"]] = seen.get(item["source"], 0) + 1
            row = row_of.get(f"labelled-photos/images/{item['file']}")
            if row is not None:
                texts_of[row] = texts
                (held_out if seen[item["source"]] % HELD_OUT == 0 else labelled).append(row)
        names = {Path(name).name: row for name, row in row_of.items() if name.startswith("class-photos/")}
        queries = [
            (q["kind"], text_of[q["query"]], [names[Path(file).name] for file in q["relevant"]])
            for q in _json(photos / "class-photos/queries.json")
        ]
        classifier = np.load(cache / "classifier.npz")
        rows = [
            np.array(r, dtype=np.int64) for r in (captioned, labelled, dev, held_out, sorted(names.values()))
        ]
        return cls(
            features,
            np.load(cache / "texts.npy"),
            np.load(cache / "classes.npy"),
            (classifier["weight"], classifier["bias"]),
            *rows,
            texts_of,
            group,
            queries,
        )


def cached_photographs(cache: Path) -> dict[str, int]:
    """Photographs whose features are cached -> their row."""
    files: list[str] = []
    filled = []
    for path in _parts(cache):
        files += json.loads((cache / f"files-{path.stem[9:]}.json").read_text(encoding="utf-8"))
        filled.append(np.load(path).any(axis=1))
    there = np.concatenate(filled)
    return {name: row for row, name in enumerate(files) if there[row]}


def _parts(cache: Path) -> list[Path]:
    return sorted(cache.glob("features-*.npy"))


def _json(path: Path) -> list[dict]:  # type: ignore[type-arg]
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
