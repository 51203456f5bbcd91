"""A real server and a real Chromium, driven as a person would."""

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from colour_library import ENCODERS, PAYLOAD, embed
from fakes import COLOURS, film, paint
from semantic_media_search.api.server import create_app
from semantic_media_search.config import Settings
from semantic_media_search.library import Library

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
ARTIFACTS = Path("artifacts/screenshots")
expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong


class Server:
    """The application on a port of its own; can be stopped and started again on the same one."""

    def __init__(self, library: Library):
        self.library = library
        self._port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", self._port))
        self._port = self._socket.getsockname()[1]
        app = create_app(self.library.settings, self.library)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def fill_large(photos: Path) -> Path:
    """120 photos in two folders, one with a name that is markup, and a film whose white part begins at 0:08."""
    colours = [*COLOURS]
    for number in range(120):
        folder = photos / ("trip" if number % 2 else "home")
        paint(folder / f"{number:03}_{colours[number % 6]}.png", colours[number % 6], (64, 48), seed=number)
    paint(photos / "odd" / PAYLOAD, "yellow", seed=999)
    film(photos / "film.mp4", ["black", "red", "white"], seconds_each=4)
    return photos


@pytest.fixture(scope="session")
def page_library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    root = tmp_path_factory.mktemp("page")
    library = Library(Settings(library=root / "library", threads=2), ENCODERS.__getitem__)
    library.add_roots([fill_large(root / "photos")])
    embed(library)
    return library


@pytest.fixture(scope="session")
def server(page_library: Library) -> Iterator[Server]:
    server = Server(page_library)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that does not outlive its file: one without a page may keep a core busy with pages of its own."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        message = f"no Chromium found under the names {', '.join(_NAMES)}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages; at the end none may have seen an error, a dialog, or another host."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_one(address: str, *, quiet: bool = False, **options: object) -> Page:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        if not quiet:
            page.on(
                "console",
                lambda line: problems.append(line.text) if line.type in ("error", "warning") else None,
            )
        host = address.split("/")[2]
        page.on(
            "request",
            lambda request: (
                None
                if request.url.split("/")[2] == host or request.url.startswith("blob:")
                else problems.append(request.url)
            ),
        )
        page.goto(address)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(open_page: Callable[..., Page], server: Server) -> Page:
    """The start page of the shared library."""
    page = open_page(server.address)
    page.locator(".card").first.wait_for()
    return page
