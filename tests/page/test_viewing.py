import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from colour_library import ENCODERS, embed
from fakes import COLOURS
from page.conftest import Server
from page.driver import names, open_film, search, until
from semantic_media_search.config import Settings
from semantic_media_search.library import Library

pytestmark = pytest.mark.browser


def old_film(path: Path) -> None:
    """Twelve seconds in a container and codec that no browser plays, red from 0:06 on."""
    path.parent.mkdir(parents=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(96):
            picture = np.empty((64, 96, 3), dtype=np.uint8)
            picture[:] = COLOURS["red" if number >= 48 else "blue"]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


_TIME = "document.querySelector('video').currentTime"


def test_a_photo_opens_large_and_closes(page: Page) -> None:
    search(page, "green")
    first = page.locator(".card").first
    name = first.locator(".name").inner_text()
    first.locator(".tile").click()
    expect(page.locator("#viewer")).to_be_visible()
    expect(page.locator("#viewer-name")).to_have_text(name)
    until(page, "document.querySelector('.photo').src.includes('/original/')")
    assert "open=" in page.url
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer-name")).to_have_text(names(page)[1])
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    assert "open=" not in page.url
    assert page.evaluate("document.activeElement.className") == "tile"


def test_a_video_plays_at_its_moment(page: Page) -> None:
    open_film(page)
    moment = float(page.evaluate("new URLSearchParams(location.search).get('t')"))
    assert 7.5 <= moment < 12
    until(page, f"{_TIME} >= {moment - 0.3} && {_TIME} < {moment + 3}")
    until(page, "!document.querySelector('video').paused || document.querySelector('video').ended")
    expect(page.locator(".timeline")).to_be_visible()
    assert page.locator(".heat rect").count() == 12
    expect(page.locator(".mark.here")).to_have_count(1)


def test_the_heat_map_shows_and_seeks(page: Page) -> None:
    open_film(page)
    line = page.locator(".timeline")
    box = line.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 5.5 / 12, box["y"] + box["height"] / 2)
    expect(page.locator(".peek")).to_be_visible()
    expect(page.locator(".peek span")).to_contain_text("0:05")
    page.evaluate("document.querySelector('video').pause()")
    page.mouse.click(box["x"] + box["width"] * 5.5 / 12, box["y"] + box["height"] / 2)
    until(page, f"Math.abs({_TIME} - 5.5) < 0.3")
    assert abs(float(page.evaluate("new URLSearchParams(location.search).get('t')")) - 5.5) < 0.2
    line.focus()
    page.keyboard.press("ArrowRight")
    until(page, f"Math.abs({_TIME} - 6) < 0.3")
    assert "0:06" in (line.get_attribute("aria-valuetext") or "")
    heights = page.locator(".heat rect").evaluate_all(
        "bars => bars.map(bar => Number(bar.getAttribute('height')))"
    )
    assert min(heights[8:]) > max(heights[:8])


def test_a_link_opens_the_very_second(page: Page, open_page: Callable[..., Page]) -> None:
    open_film(page)
    address = page.url.split("&t=")[0] + "&t=9.25"
    shared = open_page(address, reduced_motion="reduce")
    until(shared, f"document.querySelector('video') && Math.abs({_TIME} - 9.25) < 0.05")
    # With reduced motion nothing plays of itself.
    assert shared.evaluate("document.querySelector('video').paused")
    shared.keyboard.press("Space")
    until(shared, "!document.querySelector('video').paused || document.querySelector('video').ended")
    shared.get_by_role("button", name="Close (Esc)").click()
    expect(shared.locator("#viewer")).to_be_hidden()
    expect(shared.locator(".card").first).to_be_visible()


def test_back_closes_and_forward_opens_again(page: Page) -> None:
    open_film(page)
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()
    page.go_forward()
    expect(page.locator("#viewer-name")).to_have_text("film.mp4")


def test_by_keyboard_alone(open_page: Callable[..., Page], server: Server) -> None:
    page = open_page(server.address)
    page.locator(".card").first.wait_for()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("white")
    expect(page.locator("#headline")).to_have_text("“white”")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.matches('.card:first-child .tile')")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    columns = page.evaluate(
        "getComputedStyle(document.getElementById('grid')).gridTemplateColumns.split(' ').length"
    )
    place = "[...document.querySelectorAll('.card')].indexOf(document.activeElement.closest('.card'))"
    assert page.evaluate(place) == 2 + columns
    page.keyboard.press("x")
    expect(page.locator("#selection")).to_contain_text("1 result selected")
    page.keyboard.press("x")
    expect(page.locator("#selection")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate(place) == 2 + columns
    page.keyboard.press("s")
    expect(page.locator("#headline")).to_have_text("Like this picture")


def test_what_the_browser_cannot_play_is_played_from_a_clip(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    old_film(tmp_path / "photos" / "old.avi")
    library = Library(Settings(library=tmp_path / "library", threads=2), ENCODERS.__getitem__)
    library.add_roots([tmp_path / "photos"])
    embed(library)
    server = Server(library)
    try:
        page = open_page(server.address + "/?q=red", quiet=True, reduced_motion="reduce")
        page.locator(".card").first.locator(".tile").click()
        until(page, "document.querySelector('video')?.src.includes('/clip?')")
        until(page, "document.querySelector('video').readyState >= 2")
        colour = page.evaluate(
            """() => { const canvas = document.createElement('canvas'); canvas.width = canvas.height = 8;
            const context = canvas.getContext('2d');
            context.drawImage(document.querySelector('video'), 0, 0, 8, 8);
            return [...context.getImageData(1, 1, 1, 1).data]; }"""
        )
        assert colour[0] > 150 and colour[1] < 90
        start = float(page.evaluate("new URL(document.querySelector('video').src).searchParams.get('start')"))
        page.locator(".timeline").focus()
        page.keyboard.press("Home")
        until(page, f"document.querySelector('video').currentTime + {start} < 0.3 || {start} > 0")
    finally:
        server.stop()


def test_several_results_are_saved_together(page: Page, tmp_path: Path) -> None:
    search(page, "green")
    for place in (0, 1):
        page.locator(".card").nth(place).hover()
        page.locator(".card").nth(place).locator(".pick").check()
    expect(page.locator("#selection")).to_contain_text("2 results selected")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as zip").click()
    saving.value.save_as(tmp_path / "saved.zip")
    with zipfile.ZipFile(tmp_path / "saved.zip") as archive:
        assert sorted(archive.namelist()) == sorted(names(page)[:2])
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save list").click()
    saving.value.save_as(tmp_path / "paths.txt")
    lines = (tmp_path / "paths.txt").read_text().splitlines()
    assert [Path(line).name for line in lines] == names(page)[:2]
    page.get_by_role("button", name="Clear", exact=True).last.click()
    expect(page.locator("#selection")).to_be_hidden()
