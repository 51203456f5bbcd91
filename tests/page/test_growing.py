"""A page that stays open while its library grows."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from colour_library import ENCODERS, embed
from fakes import paint
from page.conftest import Server
from page.driver import until
from semantic_media_search.config import Settings
from semantic_media_search.library import Library

pytestmark = pytest.mark.browser


def test_what_arrives_while_one_looks_on_is_shown_and_moves_nothing(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    for number in range(24):
        os.utime(paint(photos / f"{number:02}.png", "red", seed=number), (number, number))
    library = Library(Settings(library=tmp_path / "library", threads=2), ENCODERS.__getitem__)
    library.add_roots([photos])
    embed(library)
    server = Server(library)
    try:
        page = open_page(server.address, viewport={"width": 800, "height": 500})
        expect(page.locator(".card")).to_have_count(24)
        page.clock.install()
        page.reload()
        expect(page.locator(".segments")).to_contain_text("All 24")
        expect(page.locator(".card")).to_have_count(24)
        page.evaluate("scrollTo(0, 700)")
        until(page, "new URLSearchParams(location.search).get('at') > 0")
        place = int(page.url.rpartition("at=")[2])
        frame = page.locator(".card").nth(place).get_attribute("data-frame")
        where = f"document.querySelector('.card[data-frame=\"{frame}\"]').getBoundingClientRect().top"
        before = page.evaluate(where)
        for number in range(24, 29):
            paint(photos / f"{number}.png", "blue", seed=number)
        embed(library)
        page.clock.fast_forward(10_500)
        expect(page.locator("#toast")).to_have_text("The library has grown by 5 frames")
        expect(page.locator(".card")).to_have_count(29)
        expect(page.locator(".segments")).to_contain_text("All 29")
        assert abs(page.evaluate(where) - before) < 2
        page.close()  # or it would ask a server that is gone
    finally:
        server.stop()
