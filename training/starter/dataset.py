"""The cached photographs and texts, divided into what is trained on and what is judged with."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

HELD_OUT = 10  # one of so many labelled photographs of each source

Array = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """Row numbers are of `features` and `cropped`; text numbers of `vectors`."""

    features: Array  # float32 [N, 1280], of the photographs as they are
    cropped: Array  # float32 [N, 1280], of random parts; only of photographs to train on
    vectors: Array  # float32 [T, 384], unit
    classes: Array  # vectors of the class texts, float32 [1000, 384]
    classifier: tuple[Array, Array]  # weight [1000, 1280] and bias
    captioned: Rows  # rows to train on
    labelled: Rows
    dev: Rows  # rows to judge with
    held_out: Rows
    class_photos: Rows
    texts_of: dict[int, list[int]]
    group: Rows  # of each text: texts of one label share a group
    class_queries: list[tuple[str, int, list[int]]]  # kind, text, rows
    class_names: Rows  # texts that name a class, or what it is a kind of

    @classmethod
    def read(cls, photos: Path, cache: Path) -> "Dataset":
        """Read the caches that `features.py` and `texts.py` leave."""
        files = json.loads((cache / "files.json").read_text(encoding="utf-8"))
        row_of = {name: row for row, name in enumerate(files)}
        strings = json.loads((cache / "texts.json").read_text(encoding="utf-8"))
        text_of = {string: number for number, string in enumerate(strings)}
        texts_of: dict[int, list[int]] = {}
        captioned, dev, labelled, held_out, seen = [], [], [], [], {}  # type: ignore[var-annotated]
        group = np.arange(len(strings))
        for item in read_items(photos / "captioned-photos/captions.json"):
            row = row_of[f"captioned-photos/images/{item['file']}"]
            texts_of[row] = [text_of[text] for text in item["captions"]]
            (dev if item["split"] == "dev" else captioned).append(row)
        for item in read_items(photos / "labelled-photos/texts.json"):
            row = row_of[f"labelled-photos/images/{item['file']}"]
            texts_of[row] = texts = [text_of[text] for text in item["texts"]]
            if item["kind"] == "label":
                group[texts] = min(group[texts])
            seen[item["source"]] = seen.get(item["source"], 0) + 1
            (held_out if seen[item["source"]] % HELD_OUT == 0 else labelled).append(row)
        names = {Path(name).name: row for name, row in row_of.items() if name.startswith("class-photos/")}
        queries = [
            (q["kind"], text_of[q["query"]], [names[Path(file).name] for file in q["relevant"]])
            for q in read_items(photos / "class-photos/queries.json")
        ]
        class_names = json.loads((cache / "class-names.json").read_text(encoding="utf-8"))
        classifier = np.load(cache / "classifier.npz")
        return cls(
            np.load(cache / "features-plain.npy"),
            np.load(cache / "features-cropped.npy"),
            np.load(cache / "texts.npy"),
            np.load(cache / "classes.npy"),
            (classifier["weight"], classifier["bias"]),
            *(np.array(r, dtype=np.int64) for r in (captioned, labelled, dev, held_out)),
            np.array(sorted(names.values()), dtype=np.int64),
            texts_of,
            group,
            queries,
            np.array([text_of[name] for name in class_names], dtype=np.int64),
        )

    def texts(self, rows: Rows) -> Rows:
        """The texts of these photographs, each once."""
        return np.unique([text for row in rows for text in self.texts_of[row]])


def read_items(path: Path) -> list[dict]:  # type: ignore[type-arg]
    """The list in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
