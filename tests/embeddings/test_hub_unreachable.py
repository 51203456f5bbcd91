"""A hub that is not there is found out within five seconds, however it is not there."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub_standin import HubStandIn
from semantic_media_search.embeddings import DEFAULT_MODEL, STARTER_MODEL, Hub, choose_model, load_encoder
from semantic_media_search.errors import HubUnreachableError

LIMIT_SECONDS = 5.0


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "*")
    huggingface_hub.close_session()


@contextmanager
def refusing() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def silent() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def black_hole() -> Iterator[str]:
    """An address whose queue of connections is full: further ones get no answer at all."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        with socket.socket() as check:
            check.settimeout(0.3)
            with pytest.raises(TimeoutError):
                check.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def trickling() -> Iterator[str]:
    """An address that answers a byte a second and so never times out."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while not stop.wait(1):
                connection.sendall(b"H")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join()
        listener.close()


@contextmanager
def unknown_name() -> Iterator[str]:
    yield "http://no-such-hub.invalid"


@contextmanager
def no_address() -> Iterator[str]:
    yield "huggingface.co"


@pytest.mark.parametrize(
    "hub_at", [refusing, silent, black_hole, trickling, unknown_name, no_address], ids=lambda f: f.__name__
)
def test_it_is_found_out_in_time_and_said_what_to_do(hub_at: Any, tmp_path: Path) -> None:
    with hub_at() as endpoint:
        began = time.monotonic()
        with pytest.raises(HubUnreachableError) as caught:
            load_encoder(DEFAULT_MODEL, hub=Hub(endpoint, tmp_path))
        assert time.monotonic() - began < LIMIT_SECONDS
    message = str(caught.value)
    for part in (DEFAULT_MODEL, endpoint, "--model starter", "--model /path", "Try again"):
        assert part in message


def test_a_name_server_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = threading.Event(), threading.Event()

    def getaddrinfo(*_: object, **__: object) -> list[object]:
        asked.set()
        over.wait(30)
        raise socket.gaierror("late")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        began = time.monotonic()
        with pytest.raises(HubUnreachableError, match="did not answer within 4 seconds"):
            load_encoder(DEFAULT_MODEL, hub=Hub("http://hub.example", tmp_path))
        assert time.monotonic() - began < LIMIT_SECONDS
        assert asked.is_set()
    finally:
        over.set()


def test_something_else_that_answers_is_no_hub(tmp_path: Path) -> None:
    """A log-in page of a hotel answers everything with 200 and a page of its own."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "config.json").write_text("<html>")

    class LoginPage(HubStandIn):
        def find(self, path: str) -> tuple[str, Path] | None:
            return None if "resolve" in path else super().find(path)

    with LoginPage({"Xenova/clip-vit-base-patch32": page}) as standin:
        standin._server.RequestHandlerClass._status = _plain_page  # type: ignore[attr-defined]
        with pytest.raises(HubUnreachableError, match="no model hub"):
            load_encoder(DEFAULT_MODEL, hub=Hub(standin.endpoint, tmp_path / "cache"))


def _plain_page(handler: Any, status: int, headers: object = None) -> None:
    handler.request_.status = 200
    handler.send_response(200)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def test_offline_asks_nobody(tmp_path: Path) -> None:
    with HubStandIn({}) as standin:
        hub = Hub(standin.endpoint, tmp_path)
        with pytest.raises(HubUnreachableError, match="HF_HUB_OFFLINE is set"):
            load_encoder(DEFAULT_MODEL, hub=Hub(standin.endpoint, tmp_path, offline=True))
        with pytest.raises(HubUnreachableError):
            load_encoder(DEFAULT_MODEL, offline=True, hub=hub)
        assert not standin.requests


def test_the_first_library_falls_back_to_the_starter_model(tmp_path: Path) -> None:
    with refusing() as endpoint:
        choice = choose_model(None, None, hub=Hub(endpoint, tmp_path))
        assert choice.name == STARTER_MODEL
        assert choice.notice is not None
        assert f"media-search index --model {DEFAULT_MODEL}" in choice.notice
        assert endpoint in choice.reason
