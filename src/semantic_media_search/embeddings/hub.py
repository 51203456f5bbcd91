"""Where the model hub is, and what of it lies in the local cache: answered without any network.

The cache is the one that huggingface_hub documents and shares among programs:
`models--OWNER--NAME/{blobs/<etag>, refs/<branch>, snapshots/<commit>/<file>}`.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from semantic_media_search.embeddings.model_folder import REQUIRED_FILES

PUBLIC_HUB = "https://huggingface.co"
BRANCH = "main"

_TRUE = {"1", "ON", "YES", "TRUE"}


@dataclass(frozen=True, slots=True)
class Hub:
    """A model hub and its cache folder on this machine. `offline` forbids to ask it anything."""

    endpoint: str
    cache: Path
    offline: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Hub":
        """What huggingface_hub's variables say: HF_ENDPOINT, HF_HUB_CACHE, HF_HOME and HF_HUB_OFFLINE."""
        environ = os.environ if environ is None else environ
        home = environ.get("HF_HOME") or Path(environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
        cache = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE") or Path(home) / "hub"
        offline = environ.get("HF_HUB_OFFLINE") or environ.get("TRANSFORMERS_OFFLINE") or ""
        return cls(
            endpoint=(environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/"),
            cache=Path(os.path.expandvars(cache)).expanduser(),
            offline=offline.upper() in _TRUE,
        )


@dataclass(frozen=True, slots=True)
class RepoCache:
    """The folder of one model repository in the hub's cache."""

    folder: Path

    @classmethod
    def of(cls, hub: Hub, repo: str) -> "RepoCache":
        """The cache folder of `owner/name`, whether it is there or not."""
        return cls(hub.cache / f"models--{repo.replace('/', '--')}")

    @property
    def ref(self) -> Path:
        """The file that names the commit which the branch stood at."""
        return self.folder / "refs" / BRANCH

    def snapshot(self, commit: str) -> Path:
        """The folder of the files of one commit."""
        return self.folder / "snapshots" / commit

    def blob(self, etag: str) -> Path:
        """Where the content with this etag lies."""
        return self.folder / "blobs" / etag

    def locks(self, hub: Hub) -> Path:
        """The folder of the locks that programs take which write here; made on demand. Raises OSError."""
        folder = hub.cache / ".locks" / self.folder.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def complete_snapshot(self, required: Sequence[str] = REQUIRED_FILES) -> Path | None:
        """The folder of a commit that holds every required file: the branch's, else the newest. None if none.

        Files arrive under their names only when they are whole, so a name that is there can be trusted.
        """
        snapshots = self.folder / "snapshots"
        try:
            candidates = sorted(snapshots.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        except OSError:
            return None
        with contextlib.suppress(OSError):
            candidates.insert(0, snapshots / self.ref.read_text(encoding="utf-8").strip())
        return next(
            (path for path in candidates if all((path / name).is_file() for name in required)),
            None,
        )
