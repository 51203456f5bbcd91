"""What the page is like to eyes and to screen readers; its screenshots are kept."""

from collections.abc import Callable
from importlib.resources import files

import pytest
from playwright.sync_api import Page, expect

from page.conftest import ARTIFACTS, Server
from page.driver import open_film, search
from semantic_media_search.library import Library

pytestmark = pytest.mark.browser

SIZES = {"phone": (390, 844), "desktop": (1280, 800), "wide": (2560, 1440)}


def findings(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    # Thumbnails fade in: colours are judged once they stand.
    page.wait_for_timeout(300)
    answer = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{finding['id']}: {node['html'][:120]}"
        for finding in answer["violations"]
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"]
    ]


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        ("phone", "light"),
        ("desktop", "dark"),
        ("wide", "light"),
        pytest.param("phone", "dark", marks=pytest.mark.exhaustive),
        pytest.param("desktop", "light", marks=pytest.mark.exhaustive),
        pytest.param("wide", "dark", marks=pytest.mark.exhaustive),
    ],
)
def test_each_view_fits_its_screen(
    open_page: Callable[..., Page], server: Server, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    page = open_page(server.address, viewport={"width": width, "height": height}, color_scheme=scheme)
    page.locator(".card").first.wait_for()
    search(page, "red")
    ARTIFACTS.mkdir(parents=True, exist_ok=True)

    def keep(view: str) -> None:
        page.wait_for_timeout(250)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.screenshot(path=ARTIFACTS / f"{view}-{size}-{scheme}.png")

    keep("results")
    light = (
        page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]") > 128
    )
    assert light == (scheme == "light")
    if size == "phone":
        assert page.locator(".segments").is_hidden()
        page.get_by_role("button", name="Filters").click()
        expect(page.locator(".segments")).to_be_visible()
        keep("filters")
        page.get_by_role("button", name="Filters").click()
    open_film(page)
    expect(page.locator(".timeline")).to_be_visible()
    for part in ("video", ".timeline", ".close"):
        box = page.locator(part).first.bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= width + 1 and box["y"] + box["height"] <= height
    keep("moment")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page: Callable[..., Page], server: Server, scheme: str) -> None:
    page = open_page(server.address, color_scheme=scheme)
    page.locator(".card").first.wait_for()
    assert findings(page) == []
    search(page, "red")
    assert findings(page) == []
    page.locator(".card .pick").first.check(force=True)
    page.get_by_role("button", name="Help and keyboard").click()
    assert findings(page) == []
    page.keyboard.press("Escape")
    open_film(page)
    expect(page.locator(".timeline")).to_be_visible()
    assert findings(page) == []


def test_axe_finds_nothing_serious_where_there_is_nothing(
    open_page: Callable[..., Page], server: Server
) -> None:
    page = open_page(server.address + "/?q=red&after=2030-01-01")
    expect(page.locator("#message h2")).to_be_visible()
    assert findings(page) == []


def test_axe_finds_nothing_serious_on_a_phone_with_filters(
    open_page: Callable[..., Page], server: Server
) -> None:
    page = open_page(server.address + "/?q=red&kind=image", viewport={"width": 390, "height": 844})
    page.locator(".card").first.wait_for()
    page.get_by_role("button", name="Filters", exact=True).click()
    expect(page.locator(".segments")).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_weak_results(
    open_page: Callable[..., Page], server: Server, scheme: str
) -> None:
    page = open_page(server.address + "/?q=purple", color_scheme=scheme)
    expect(page.locator("#headline")).to_contain_text("No good match")
    page.mouse.move(1, 1)
    assert findings(page) == []
    page.screenshot(path=ARTIFACTS / f"weak-desktop-{scheme}.png")


def test_axe_finds_nothing_serious_where_the_server_is_gone(
    open_page: Callable[..., Page], page_library: Library
) -> None:
    server = Server(page_library)
    try:
        page = open_page(server.address, quiet=True)
        page.locator(".card").first.wait_for()
    finally:
        server.stop()
    page.locator("#q").fill("red")
    expect(page.locator("#message h2")).to_have_text("The server does not answer")
    assert findings(page) == []
    page.screenshot(path=ARTIFACTS / "gone-desktop-light.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_an_error_page(
    open_page: Callable[..., Page], server: Server, scheme: str
) -> None:
    page = open_page(server.address + "/search?q=red&kind=<script>", quiet=True, color_scheme=scheme)
    expect(page.locator("h1")).to_have_text("Kind is '<script>'")
    assert findings(page) == []
    page.screenshot(path=ARTIFACTS / f"error-desktop-{scheme}.png")
    page.get_by_role("link", name="To the search page").click()
    page.locator(".card").first.wait_for()
