"""Downloads a model into the hub's cache, which other programs share; a half-downloaded one never counts."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from semantic_media_search.embeddings.hub import Hub, RepoCache
from semantic_media_search.embeddings.hub_client import HubClient, RemoteFile
from semantic_media_search.embeddings.model_folder import CONFIG, OPTIONAL_FILES, REQUIRED_FILES
from semantic_media_search.embeddings.transfer import bytes_here, fetch_file
from semantic_media_search.errors import HubUnreachableError, ModelError, ModelLayoutError

SPARE_BYTES = 16 << 20
"""How much of a disk a download leaves free."""


class DownloadProgress(Protocol):
    """Who wants to know how a download gets on; the library's `Progress` is one."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """The download begins; `total` bytes in all."""
        ...

    def advance(self, amount: int = 1) -> None:
        """So many bytes more are here."""
        ...

    def finish(self) -> None:
        """The download is over, whole or not."""
        ...


def download_model(model: str, repo: str, hub: Hub, progress: DownloadProgress | None = None) -> Path:
    """Download what is missing of the repository and return the model's folder.

    `model` is what the person calls it. Raises HubUnreachableError where the connection fails (what has
    arrived is kept and not fetched again), ModelNotFoundError and ModelLayoutError for what the hub has,
    ModelError where the disk is full or cannot be written.
    """
    client = HubClient(model, repo, hub)
    files = _list_files(client, repo)
    cache = RepoCache.of(hub, repo)
    commit = files[0].commit
    snapshot = cache.snapshot(commit)
    with _disk_errors(model, hub):
        missing = [file for file in files if not (snapshot / file.name).is_file()]
        _check_space(
            model, hub, sum((file.size or 0) - bytes_here(file, cache.blob(file.etag)) for file in missing)
        )
        _transfer(client, missing, cache, hub, model, progress)
        with FileLock(cache.locks(hub) / f"{commit}.lock"):
            for file in missing:
                _place(cache.blob(file.etag), snapshot / file.name)
            # Last: other programs take the branch's commit for one that is here.
            cache.ref.parent.mkdir(parents=True, exist_ok=True)
            beside = cache.ref.with_suffix(".new")
            beside.write_text(commit, encoding="utf-8")
            beside.replace(cache.ref)
    return snapshot


def _list_files(client: HubClient, repo: str) -> list[RemoteFile]:
    """The model's files, all of one commit. Raises ModelLayoutError where one is missing."""
    config = client.probe()
    files = [config]
    for name in (*REQUIRED_FILES, *OPTIONAL_FILES):
        if name == CONFIG:
            continue
        file = client.describe(name, config.commit)
        if file is not None:
            files.append(file)
        elif name in REQUIRED_FILES:
            raise ModelLayoutError(
                f"{repo} on the model hub is not laid out as expected: it lacks {name}; expected "
                f"{', '.join(REQUIRED_FILES)}"
            )
    return files


def _transfer(
    client: HubClient,
    files: list[RemoteFile],
    cache: RepoCache,
    hub: Hub,
    model: str,
    progress: DownloadProgress | None,
) -> None:
    """Bring the files' contents into `blobs/`, one program at a time, and tell of it."""

    def tell(amount: int) -> None:
        if progress is not None:
            progress.advance(amount)

    locks = cache.locks(hub)
    if progress is not None:
        progress.start(f"downloading {model}", sum(file.size or 0 for file in files), "B")
    try:
        for file in files:
            with FileLock(locks / f"{file.etag}.lock"):
                # Told only now: another program may have fetched it while this one waited.
                tell(bytes_here(file, cache.blob(file.etag)))
                fetch_file(client, file, cache.blob(file.etag), tell)
    finally:
        if progress is not None:
            progress.finish()


def _check_space(model: str, hub: Hub, needed: int) -> None:
    """Refuse to begin what cannot end. Raises ModelError."""
    place = hub.cache
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed and free < needed + SPARE_BYTES:
        raise ModelError(
            f"{model} needs {needed / 1e6:.0f} MB more in {hub.cache}, where {free / 1e6:.0f} MB are free; "
            "free some space, set HF_HOME to a folder on another disk, or use --model starter"
        )


@contextmanager
def _disk_errors(model: str, hub: Hub) -> Iterator[None]:
    """Say which folder cannot be written, and what to do. Raises ModelError."""
    try:
        yield
    except HubUnreachableError:
        raise
    except OSError as error:
        problem = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
        raise ModelError(
            f"{model} cannot be saved in {hub.cache}: {problem}. What has arrived is kept; free some "
            "space, or set HF_HOME to a folder that can be written, and run this again"
        ) from error


def _place(blob: Path, target: Path) -> None:
    """Give the content its name: by a link, or by moving it there where links are not allowed."""
    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.symlink_to(os.path.relpath(blob, target.parent))
    except OSError:
        blob.replace(target)
