"""Brings one file from the hub to a path: resumed where it was cut off, in its place only when it is whole.

huggingface_hub starts a file again from nothing when its download was cut off (its partial files have names
that nobody finds again); 350 MB over a poor line may then never arrive.
"""

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path

from semantic_media_search.embeddings.hub_client import HubClient, RemoteFile, reason
from semantic_media_search.errors import ModelLayoutError

RETRY_PAUSES = (0.5, 1.0, 2.0, 4.0)
PARTIAL_SUFFIX = ".incomplete"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_SHA1 = re.compile(r"[0-9a-f]{40}")
_TRANSIENT = {408, 416, 429}


def bytes_here(file: RemoteFile, target: Path) -> int:
    """How many bytes of the file need not be fetched any more."""
    if target.is_file():
        return file.size or 0
    return min(_size(_partial(target)), file.size or 0)


def fetch_file(client: HubClient, file: RemoteFile, target: Path, on_bytes: Callable[[int], None]) -> None:
    """Bring a file to `target`, from where the last attempt, in this process or another, ended.

    `on_bytes` is told of bytes as they come (less than 0: of some that must come again). A connection that
    fails is tried anew, with pauses, for as long as bytes keep coming. Raises HubUnreachableError when they
    do not, ModelLayoutError when what came is not what the hub named, OSError when it cannot be written.
    """
    import httpx2

    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(target)
    if file.size is None or _size(partial) > file.size:
        partial.unlink(missing_ok=True)
    pauses = iter(RETRY_PAUSES)
    whole = _size(partial) == file.size
    while not whole:
        before = _size(partial)
        problem = "the connection ended early"
        try:
            _receive(client, file, partial, on_bytes)
            whole = file.size is None or _size(partial) >= file.size
        except httpx2.HTTPError as error:
            problem = reason(error)
        if whole:
            break
        if _size(partial) > before:
            pauses = iter(RETRY_PAUSES)
        pause = next(pauses, None)
        if pause is None:
            here = f"{_size(partial)} of {file.size} bytes of {file.name} have arrived"
            raise client.unreachable(f"{problem}; {here}")
        time.sleep(pause)
    _verify(partial, file)
    partial.replace(target)


def _receive(client: HubClient, file: RemoteFile, partial: Path, on_bytes: Callable[[int], None]) -> None:
    """Append what the hub sends to the partial file. Raises httpx2.HTTPError when the connection fails."""
    have = _size(partial)
    with client.read(file, have) as response:
        if 400 <= response.status_code < 500 and response.status_code not in _TRANSIENT:
            raise client.unreachable(f"it answered HTTP {response.status_code} for {file.name}")
        if response.status_code == 416:
            partial.unlink(missing_ok=True)
        response.raise_for_status()
        resumed = response.status_code == 206
        if have and not resumed:
            on_bytes(-have)
        with partial.open("ab" if resumed else "wb") as out:
            # Bytes as they come: what has arrived before a cut must not be lost in a buffer.
            for chunk in response.iter_raw():
                out.write(chunk)
                on_bytes(len(chunk))


def _verify(partial: Path, file: RemoteFile) -> None:
    """Compare a whole file with its etag: SHA-256 for large files, Git's blob hash for small ones.

    A file that differs is removed. Raises ModelLayoutError.
    """
    size = _size(partial)
    digest = None
    if _SHA256.fullmatch(file.etag):
        digest = hashlib.sha256()
    elif _GIT_SHA1.fullmatch(file.etag):
        digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    if digest is not None:
        with partial.open("rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
    if file.size not in (None, size) or (digest is not None and digest.hexdigest() != file.etag):
        partial.unlink()
        raise ModelLayoutError(
            f"{file.name} arrived damaged: its {size} bytes do not match the hub's checksum {file.etag}. It "
            "was removed; run this again to download it anew"
        )


def _partial(target: Path) -> Path:
    """Where the bytes of a file gather until it is whole."""
    return target.with_name(target.name + PARTIAL_SUFFIX)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
