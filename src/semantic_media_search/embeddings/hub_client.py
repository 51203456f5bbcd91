"""Asks the model hub: is it there, what does it say about a file, and the file's bytes from any point on.

huggingface_hub brings the session, which knows the machine's certificates and proxies, and the token.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from semantic_media_search import __version__
from semantic_media_search.embeddings.hub import BRANCH, Hub
from semantic_media_search.embeddings.model_folder import CONFIG
from semantic_media_search.errors import HubUnreachableError, ModelNotFoundError

if TYPE_CHECKING:
    import httpx2

PROBE_SECONDS = 4.0
STALL_SECONDS = 10.0

_REDIRECTS = 5
_ETAG = re.compile(r"[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file on the hub. `etag` names its content; `size` is in bytes, None where the hub does not say."""

    name: str
    url: str
    etag: str
    commit: str
    size: int | None


class HubClient:
    """The hub's side of one model repository."""

    def __init__(self, model: str, repo: str, hub: Hub) -> None:
        """`model` is what the person calls it, `repo` its `owner/name` on the hub."""
        self._model = model
        self._repo = repo
        self._hub = hub

    def probe(self) -> RemoteFile:
        """What the hub says about the model's `config.json`, asked for 5 seconds at most.

        Raises HubUnreachableError where it does not answer, ModelNotFoundError where it has no such model.
        """
        if self._hub.offline:
            raise self.unreachable("HF_HUB_OFFLINE is set, or offline use was asked for")
        _session()  # the library is loaded before the clock starts
        try:
            # A connection's own time-out bounds neither the look-up of its name nor a host of many addresses.
            remote = _within(PROBE_SECONDS, lambda: self.describe(CONFIG, BRANCH))
        except TimeoutError as error:
            raise self.unreachable(f"it did not answer within {PROBE_SECONDS:.0f} seconds") from error
        if remote is None:
            raise ModelNotFoundError(
                f"the model hub at {self._hub.endpoint} has no {self._repo}, where {self._model} should be; "
                "check HF_ENDPOINT, or use --model starter"
            )
        return remote

    def describe(self, name: str, revision: str) -> RemoteFile | None:
        """What the hub says about a file; None where it says that there is no such file.

        Raises HubUnreachableError, and ModelNotFoundError where the file may not be read.
        """
        import httpx2

        url = f"{self._hub.endpoint}/{self._repo}/resolve/{quote(revision, safe='')}/{quote(name)}"
        try:
            response = _head(url)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise self.unreachable(reason(error)) from error
        if response.status_code in (401, 403):
            raise ModelNotFoundError(
                f"the model hub at {self._hub.endpoint} does not let you read {self._repo} "
                f"(HTTP {response.status_code}); log in with `hf auth login`, or use --model starter"
            )
        if response.status_code == 404:
            return None
        if response.status_code >= 400:
            raise self.unreachable(f"it answered HTTP {response.status_code}")
        headers = response.headers
        etag = (headers.get("x-linked-etag") or headers.get("etag") or "").removeprefix("W/").strip('"')
        commit = headers.get("x-repo-commit") or ""
        if not _ETAG.fullmatch(etag) or not _COMMIT.fullmatch(commit):
            raise self.unreachable("what answered is no model hub; a proxy or a log-in page, perhaps")
        size = headers.get("x-linked-size")
        if size is None and not response.is_redirect:
            size = headers.get("content-length")
        return RemoteFile(name, url, etag, commit, int(size) if size else None)

    @contextmanager
    def read(self, file: RemoteFile, start: int) -> "Iterator[httpx2.Response]":
        """The answer to asking for a file's bytes from `start` on, its body yet unread.

        Raises httpx2.HTTPError when the connection fails.
        """
        headers = _headers() | ({"range": f"bytes={start}-"} if start else {})
        with _session().stream("GET", file.url, headers=headers, timeout=STALL_SECONDS) as response:
            yield response

    def unreachable(self, why: str) -> HubUnreachableError:
        """The error that says why the model cannot be had, and what to do."""
        return HubUnreachableError(
            f"{self._model} is not on this machine yet, and the model hub at {self._hub.endpoint} cannot be "
            f"used: {why}. Try again later (a download goes on where it was cut off), use the model that "
            "needs no download with --model starter, or give a folder that holds the model with "
            "--model /path/to/folder"
        )


def reason(error: Exception) -> str:
    """An error in words; some of httpx's have none."""
    return str(error) or type(error).__name__


def _session() -> "httpx2.Client":
    from huggingface_hub import get_session

    return get_session()


def _headers() -> dict[str, str]:
    """What goes with every request: who asks, the person's token, and no compression, which has no size."""
    from huggingface_hub import get_token

    headers = {"accept-encoding": "identity", "user-agent": f"semantic-media-search/{__version__}"}
    token = get_token()
    return headers | ({"authorization": f"Bearer {token}"} if token else {})


def _head(url: str) -> "httpx2.Response":
    """Ask for a file's headers. Redirects within the hub are followed; the one to its storage is the answer.

    The hub puts size, etag and commit on that redirect itself, and the token must not go any further.
    """
    import httpx2

    for _ in range(_REDIRECTS):
        response = _session().request(
            "HEAD", url, headers=_headers(), timeout=PROBE_SECONDS, follow_redirects=False
        )
        target = urljoin(url, response.headers.get("location", ""))
        if not response.is_redirect or urlsplit(target)[:2] != urlsplit(url)[:2]:
            return response
        url = target
    raise httpx2.TooManyRedirects(f"more than {_REDIRECTS} redirects")


def _within(seconds: float, work: Callable[[], T]) -> T:
    """The result of `work`. Raises TimeoutError when it takes longer; it is then left to end by itself."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        # Whatever it is, it belongs to the thread that waits.
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    # Not a pool: its threads are waited for when the program ends, and this one may be stuck for minutes.
    thread = threading.Thread(target=run, name="hub-probe", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
