"""A model hub on loopback, for tests: it speaks what a download needs of the real one, and can be unkind.

Files of a repository are answered under `/OWNER/NAME/resolve/REVISION/FILE` with the headers of the real
hub: small files from the hub itself with Git's blob hash as their etag, large ones by a redirect to a storage
host that carries size and SHA-256. Ranges are served. Every request is kept in `requests`.

    with HubStandIn({"owner/name": folder}) as hub:
        os.environ["HF_ENDPOINT"] = hub.endpoint
"""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# The real hub keeps what Git should not hold in a storage of its own.
LARGE_BYTES = 50_000
CHUNK_BYTES = 16_384


@dataclass
class Request:
    """One request that was answered: `sent` is how many bytes of the body went out."""

    method: str
    path: str
    range: str | None
    authorization: str | None
    status: int = 0
    sent: int = 0


@dataclass
class Unkindness:
    """What the stand-in does wrong with one file.

    `cut_after`: the connection is closed after so many bytes of a body, `cuts` times in all. `hold_after`:
    after so many bytes the rest waits until `release` is set. `damage`: one byte is changed on its way.
    `no_ranges`: a range is answered with the whole file. `status`: answered instead of the file.
    """

    cut_after: int | None = None
    cuts: int = 1
    hold_after: int | None = None
    damage: bool = False
    no_ranges: bool = False
    status: int | None = None
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class HubStandIn:
    """The server; a context manager. `unkind` maps a file's name to what goes wrong with it."""

    def __init__(self, repos: Mapping[str, Path], unkind: Mapping[str, Unkindness] | None = None) -> None:
        self.repos = dict(repos)
        self.unkind = dict(unkind or {})
        self.requests: list[Request] = []
        standin = self

        class Handler(_Handler):
            hub = standin

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT must be."""
        return f"http://127.0.0.1:{self.port}"

    def bodies(self, name: str) -> list[Request]:
        """The requests that asked for the content of a file, oldest first."""
        wanted = (f"/{name}", f"/storage/{self._sha256(name)}")
        return [r for r in self.requests if r.method == "GET" and r.status < 300 and r.path.endswith(wanted)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for unkindness in self.unkind.values():
            unkindness.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _sha256(self, name: str) -> str:
        paths = [folder / name for folder in self.repos.values() if (folder / name).is_file()]
        return hashlib.sha256(paths[0].read_bytes()).hexdigest() if paths else "-"

    def find(self, path: str) -> tuple[str, Path] | None:
        """The name and place of the file that a path of the hub means."""
        for repo, folder in self.repos.items():
            prefix = f"/{repo}/resolve/"
            if path.startswith(prefix):
                revision, _, name = path.removeprefix(prefix).partition("/")
                if revision in ("main", COMMIT) and (folder / name).is_file():
                    return name, folder / name
        return None

    def find_stored(self, digest: str) -> tuple[str, Path] | None:
        """The name and place of the large file with this SHA-256."""
        for folder in self.repos.values():
            for file in folder.rglob("*"):
                if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest:
                    return file.relative_to(folder).as_posix(), file
        return None


class _Handler(BaseHTTPRequestHandler):
    hub: HubStandIn
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def _answer(self, *, body: bool) -> None:
        path = unquote(self.path)
        self.request_ = Request(
            self.command, path, self.headers.get("Range"), self.headers.get("Authorization")
        )
        self.hub.requests.append(self.request_)
        if path.startswith("/storage/"):
            found = self.hub.find_stored(path.removeprefix("/storage/"))
        else:
            found = self.hub.find(path)
        if found is None:
            self._status(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        name, file = found
        unkind = self.hub.unkind.get(name, Unkindness())
        if unkind.status is not None:
            self._status(unkind.status)
            return
        content = file.read_bytes()
        if path.startswith("/storage/"):
            self._content(content, unkind, {}, body=body)
        elif len(content) > LARGE_BYTES:
            digest = hashlib.sha256(content).hexdigest()
            headers = {
                # Another host than the hub's, as with the real one.
                "Location": f"http://localhost:{self.hub.port}/storage/{digest}",
                "X-Linked-Etag": f'"{digest}"',
                "X-Linked-Size": str(len(content)),
                "X-Repo-Commit": COMMIT,
            }
            self._status(302, headers)
        else:
            etag = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            self._content(content, unkind, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, body=body)

    def _status(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """An answer without a body."""
        self.request_.status = status
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _content(self, content: bytes, unkind: Unkindness, headers: Mapping[str, str], *, body: bool) -> None:
        start = 0
        asked = self.headers.get("Range")
        if asked and not unkind.no_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self._status(416)
                return
        if unkind.damage:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.request_.status = 206 if start else 200
        self.send_response(self.request_.status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if body:
            self._send(content[start:], unkind)

    def _send(self, content: bytes, unkind: Unkindness) -> None:
        """Send a body in pieces, as unkindly as was asked."""
        end = len(content)
        if unkind.cut_after is not None and unkind.cuts > 0:
            unkind.cuts -= 1
            end = min(end, unkind.cut_after)
        try:
            while self.request_.sent < end:
                if unkind.hold_after is not None and self.request_.sent >= unkind.hold_after:
                    unkind.held.set()
                    unkind.release.wait(60)
                piece = content[self.request_.sent : min(self.request_.sent + CHUNK_BYTES, end)]
                self.wfile.write(piece)
                self.request_.sent += len(piece)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if end < len(content):
            self.close_connection = True
