"""Which weights are these? SHA-256 over a model's files, without reading 600 MB at each start.

The content's hash is taken from the name of the file where the model hub's cache has put it there, else from
a note in the user's cache folder that holds for as long as the file's size and times stay as they are, else
computed and noted.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

_SHA256_NAME = re.compile(r"[0-9a-f]{64}")
# Files below this size are read each time: that takes no longer than looking the note up.
_NOTED_FROM_BYTES = 4 << 20


def fingerprint_files(folder: Path, names: Sequence[str]) -> str:
    """SHA-256 (hex) over the names and contents of these files of the folder.

    The same files give the same fingerprint on every machine; any changed byte gives another. Raises OSError.
    """
    total = hashlib.sha256()
    for name in sorted(names):
        total.update(f"{name}\0{content_hash(folder / name)}\n".encode())
    return total.hexdigest()


def content_hash(path: Path, *, notes: Path | None = None) -> str:
    """SHA-256 (hex) of a file's content. `notes` is the file of remembered hashes, None the user's own."""
    blob = path.resolve()
    if blob.parent.name == "blobs" and _SHA256_NAME.fullmatch(blob.name):
        return blob.name
    stat = blob.stat()
    if stat.st_size < _NOTED_FROM_BYTES:
        return _hash(blob)
    notes = notes or cache_folder() / "fingerprints.json"
    state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    known = _read_notes(notes).get(str(blob))
    if isinstance(known, list) and len(known) == 5 and known[:4] == state and isinstance(known[4], str):
        return known[4]
    digest = _hash(blob)
    _note(notes, str(blob), [*state, digest])
    return digest


def cache_folder() -> Path:
    """The folder of the user where this package may keep what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "semantic-media-search"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_notes(notes: Path) -> dict[str, object]:
    try:
        value = json.loads(notes.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _note(notes: Path, key: str, value: list[object]) -> None:
    """Remember one hash. Where the folder cannot be written, the hash is simply computed again next time."""
    with contextlib.suppress(OSError):
        notes.parent.mkdir(parents=True, exist_ok=True)
        beside = notes.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(_read_notes(notes) | {key: value}, indent=0), encoding="utf-8")
        beside.replace(notes)
