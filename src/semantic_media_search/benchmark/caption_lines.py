"""Captions in files of lines, as Flickr8k and Flickr30k are published, and the lists that make their splits."""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from semantic_media_search.errors import ConfigError

_BARS = re.compile(r"(?P<file>[^|]+)\|\s*\d+\s*\|?\s*(?P<caption>.+)")
"""Of `results.csv` of Flickr30k, whose line 2199200615.jpg has lost its second bar."""
_FILE_COLUMNS, _CAPTION_COLUMNS = ("image", "image_name"), ("caption", "comment")


def captions_of_lines(content: str) -> Iterator[tuple[str, str]]:
    """Each photograph's file with a caption of it, from any of the three layouts.

    Raises KeyError for a line that is in none of them.
    """
    lines = content.splitlines()
    header = lines[0].replace(" ", "").lower() if lines else ""
    if header == "image_name|comment_number|comment":
        yield from _matched(lines[1:], 2, _of_bars, "photo.jpg| number| caption")
    elif (columns := header.split(","))[0] in _FILE_COLUMNS and columns[-1] in _CAPTION_COLUMNS:
        yield from _of_commas(lines, len(columns))
    else:
        yield from _matched(lines, 1, _of_tabs, "photo.jpg#number<TAB>caption")


def _matched(
    lines: list[str], first: int, parse: Callable[[str], tuple[str, str] | None], layout: str
) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, start=first):
        if not line.strip():
            continue
        found = parse(line)
        if found is None:
            raise KeyError(f"line {number} is neither JSON nor `{layout}`")
        yield found


def _of_bars(line: str) -> tuple[str, str] | None:
    found = _BARS.fullmatch(line)
    return None if found is None else (found["file"].strip(), found["caption"].strip())


def _of_tabs(line: str) -> tuple[str, str] | None:
    place, tab, caption = line.partition("\t")
    file, mark, _ = place.rpartition("#")
    return (file, caption.strip()) if tab and mark else None


def _of_commas(lines: list[str], columns: int) -> Iterator[tuple[str, str]]:
    reader = csv.reader(lines)
    next(reader)
    for fields in reader:
        if not fields:
            continue
        if len(fields) < columns:
            raise KeyError(f"line {reader.line_num} has {len(fields)} fields where its header has {columns}")
        # A comma in a caption that nobody quoted ends no field: all that follows is the caption.
        yield fields[0].strip(), ",".join(fields[columns - 1 :]).strip()


def split_of_list(captions: Path, split: str) -> frozenset[str] | None:
    """The photographs of a split, by the list that is published with them; None where there is none.

    `split` is the list's own path, or the part of its name that Flickr8k has: `Flickr_8k.devImages.txt` beside the
    captions is `dev`. Raises ConfigError for a list that cannot be read.
    """
    if Path(split).is_file():
        path = Path(split)
    else:
        ending = f".{split}Images.txt"
        found = sorted(path for path in captions.parent.iterdir() if path.name.endswith(ending))
        if not found:
            return None
        path = found[0]
    try:
        return frozenset(line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the list of photographs {path}: {error}") from error
