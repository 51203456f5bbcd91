"""Sets of photographs with the words that should find them, read from the files they are published in.

Understood, told apart by their content:

- `[{file, split, captions}]`: each caption is a query for its photograph
- `[{file, source, kind, texts}]`: photographs of one label answer one query, its first text; the split
  `held-out` is every tenth photograph of each source, in file order, the ones `training/` never learns from
- `[{kind, query, relevant: [files]}]`
- Karpathy's splits: `{images: [{filename, filepath?, split, sentences: [{raw}]}]}`
- COCO captions: `{images: [{id, file_name}], annotations: [{image_id, caption}]}`
- Flickr8k's token file: lines `photo.jpg#0<TAB>caption`
- the same sets as Kaggle has them: `captions.txt` with the header `image,caption`, `results.csv` with the header
  `image_name| comment_number| comment`

Where a list of texts or files is expected, a lone text or file will do. Photographs without words are there to be
wrong.

COCO's file and lists of queries have no splits. Those of lines have them where a list says which photographs are of
one: `Flickr_8k.devImages.txt` beside the captions is the split `dev`, and a list anywhere else is named by its path.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_media_search.benchmark.caption_lines import captions_of_lines, split_of_list
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
    """Queries and all the photographs they are asked of, those without words of their own included."""

    files: tuple[str, ...]
    queries: tuple[RetrievalQuery, ...]


def read_retrieval_set(path: Path, split: str | None = None) -> RetrievalSet:
    """Read a set; `split` keeps the photographs of one split only.

    Raises ConfigError for a file of no known layout, for one that has no splits where one is asked for, and for a
    split that the file does not have.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the captions file {path}: {error}") from error
    try:
        entries = list(_entries(path, content, split))
    except (LookupError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is in none of the layouts known ({error!r}); see {__name__} for those"
        ) from error
    queries = tuple(_merged(entry for entry in entries if isinstance(entry, RetrievalQuery)))
    if not queries:
        raise ConfigError(f"{path} has no queries in split {split!r}; leave --split out or name one it has")
    named = (file for query in queries for file in query.files)
    wordless = (entry for entry in entries if isinstance(entry, str))
    return RetrievalSet(tuple(dict.fromkeys((*named, *wordless))), queries)


def _entries(path: Path, content: str, split: str | None) -> Iterator[RetrievalQuery | str]:
    """Queries, and the files of photographs without words."""
    try:
        document: Any = json.loads(content)
    except ValueError:
        yield from _lines(path, content, split)
        return
    if isinstance(document, dict) and "annotations" in document:
        _require_no_split(path, split, "COCO has a file of its own for each split: give that one")
        yield from _coco(document)
    elif isinstance(document, dict):
        yield from _karpathy(document["images"], split)
    elif "query" in document[0]:
        _require_no_split(path, split, "a list of queries has none")
        for item in document:
            yield RetrievalQuery(item["kind"], item["query"], tuple(_several(item["relevant"])))
    elif "texts" in document[0]:
        yield from _labelled(document, split)
    else:
        for item in document:
            if split in (None, item["split"]):
                yield from _captioned(item["file"], _several(item["captions"]))


def _several(value: str | list[str]) -> list[str]:
    """A list of texts; a text by itself is a list of one, not of its letters."""
    return [value] if isinstance(value, str) else value


def _captioned(file: str, captions: Sequence[str], kind: str = "caption") -> Iterator[RetrievalQuery | str]:
    if not captions:
        yield file
    for caption in captions:
        yield RetrievalQuery(kind, caption, (file,))


def _require_no_split(path: Path, split: str | None, why: str) -> None:
    if split is not None:
        raise ConfigError(f"--split {split}: {path} has no splits ({why}); leave --split out")


def _labelled(items: list[dict[str, Any]], split: str | None) -> Iterator[RetrievalQuery | str]:
    seen: Counter[str] = Counter()
    for item in items:
        seen[item["source"]] += 1
        place = HELD_OUT_SPLIT if seen[item["source"]] % HELD_OUT_EVERY == 0 else "train"
        if split in (None, place):
            texts = _several(item["texts"])[: 1 if item["kind"] == "label" else None]
            yield from _captioned(item["file"], texts, item["kind"])


def _karpathy(images: list[dict[str, Any]], split: str | None) -> Iterator[RetrievalQuery | str]:
    for image in images:
        if split in (None, image["split"]):
            file = (Path(image.get("filepath", "")) / image["filename"]).as_posix()
            yield from _captioned(file, [sentence["raw"] for sentence in image["sentences"]])


def _coco(document: dict[str, Any]) -> Iterator[RetrievalQuery | str]:
    names = {image["id"]: image["file_name"] for image in document["images"]}
    for annotation in document["annotations"]:
        yield RetrievalQuery("caption", annotation["caption"].strip(), (names[annotation["image_id"]],))
    yield from names.values()  # those that have captions are known by now


def _lines(path: Path, content: str, split: str | None) -> Iterator[RetrievalQuery]:
    captions = captions_of_lines(content)
    wanted = None if split is None else split_of_list(path, split)
    if split is not None and wanted is None:
        next(captions, None)  # a file of no known layout is the worse news
        why = f"no list *.{split}Images.txt lies beside it, and no file is called {split}"
        _require_no_split(path, split, why)
    for file, caption in captions:
        if wanted is None or not wanted.isdisjoint((file, Path(file).stem)):
            yield RetrievalQuery("caption", caption, (file,))


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
