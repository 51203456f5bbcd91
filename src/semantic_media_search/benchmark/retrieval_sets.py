"""Sets of photographs with the words that should find them, read from the files they are published in.

Understood, told apart by their content:

- `[{file, split, captions}]`: each caption is a query for its photograph
- `[{file, source, kind, texts}]`: photographs of one label answer one query, its first text; the split
  `held-out` is every tenth photograph of each source, in file order, the ones `training/` never learns from
- `[{kind, query, relevant: [files]}]`
- Karpathy's splits: `{images: [{filename, filepath?, split, sentences: [{raw}]}]}`
- COCO captions: `{images: [{id, file_name}], annotations: [{image_id, caption}]}`
- Flickr8k's token file: lines `photo.jpg#0<TAB>caption`
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_media_search.errors import ConfigError

HELD_OUT_SPLIT = "held-out"
HELD_OUT_EVERY = 10


@dataclass(frozen=True, slots=True)
class RetrievalQuery:
    """Words, and the files they should find. `kind` groups queries whose figures belong together."""

    kind: str
    text: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """Queries and all the photographs they are asked of."""

    files: tuple[str, ...]
    queries: tuple[RetrievalQuery, ...]


def read_retrieval_set(path: Path, split: str | None = None) -> RetrievalSet:
    """Read a set; `split` keeps the photographs of one split only.

    Raises ConfigError for a file of no known layout, and for a split that the file does not have.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the captions file {path}: {error}") from error
    try:
        queries = tuple(_merged(_queries(content, split)))
    except (LookupError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is in none of the layouts known ({error!r}); see {__name__} for those"
        ) from error
    if not queries:
        raise ConfigError(f"{path} has no queries in split {split!r}; leave --split out or name one it has")
    files = dict.fromkeys(file for query in queries for file in query.files)
    return RetrievalSet(tuple(files), queries)


def _queries(content: str, split: str | None) -> Iterator[RetrievalQuery]:
    try:
        document: Any = json.loads(content)
    except ValueError:
        yield from _token_lines(content)
        return
    if isinstance(document, dict):
        yield from _coco(document) if "annotations" in document else _karpathy(document["images"], split)
    elif "query" in document[0]:
        for item in document:
            yield RetrievalQuery(item["kind"], item["query"], tuple(item["relevant"]))
    elif "texts" in document[0]:
        yield from _labelled(document, split)
    else:
        for item in document:
            if split in (None, item["split"]):
                for caption in item["captions"]:
                    yield RetrievalQuery("caption", caption, (item["file"],))


def _labelled(items: list[dict[str, Any]], split: str | None) -> Iterator[RetrievalQuery]:
    seen: Counter[str] = Counter()
    for item in items:
        seen[item["source"]] += 1
        place = HELD_OUT_SPLIT if seen[item["source"]] % HELD_OUT_EVERY == 0 else "train"
        if split in (None, place):
            for text in item["texts"][: 1 if item["kind"] == "label" else None]:
                yield RetrievalQuery(item["kind"], text, (item["file"],))


def _karpathy(images: list[dict[str, Any]], split: str | None) -> Iterator[RetrievalQuery]:
    for image in images:
        if split in (None, image["split"]):
            file = (Path(image.get("filepath", "")) / image["filename"]).as_posix()
            for sentence in image["sentences"]:
                yield RetrievalQuery("caption", sentence["raw"], (file,))


def _coco(document: dict[str, Any]) -> Iterator[RetrievalQuery]:
    names = {image["id"]: image["file_name"] for image in document["images"]}
    for annotation in document["annotations"]:
        yield RetrievalQuery("caption", annotation["caption"].strip(), (names[annotation["image_id"]],))


def _token_lines(content: str) -> Iterator[RetrievalQuery]:
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        place, tab, caption = line.partition("\t")
        file, mark, _ = place.rpartition("#")
        if not (tab and mark):
            raise KeyError(f"line {number} is neither JSON nor `photo#number<TAB>caption`")
        yield RetrievalQuery("caption", caption.strip(), (file,))


def _merged(queries: Iterator[RetrievalQuery]) -> Iterator[RetrievalQuery]:
    """One query for each label, with all its files; captions stay one each, even where two read the same."""
    labels: dict[str, dict[str, None]] = {}
    for query in queries:
        if query.kind == "label":
            labels.setdefault(query.text, {}).update(dict.fromkeys(query.files))
        else:
            yield query
    for text, files in labels.items():
        yield RetrievalQuery("label", text, tuple(files))
