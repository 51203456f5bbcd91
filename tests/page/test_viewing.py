import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from colour_library import ENCODERS, embed
from fakes import COLOURS, paint
from page.conftest import Server
from page.driver import names, open_film, search, until
from semantic_media_search.config import Settings
from semantic_media_search.library import Library
from video_makers import write_video

pytestmark = pytest.mark.browser


FOREIGN = {
    "old.avi": ("mpeg4", {}),
    "phone.mp4": ("libx265", {}),
    "camera.mov": ("prores_ks", {"pix_fmt": "yuv422p10le"}),
}
"""Containers and codecs that the browser of the tests does not play."""


def foreign_film(path: Path, seconds: int = 12) -> Path:
    """A film that no browser plays, blue, and red from 0:06 on."""
    codec, options = FOREIGN[path.name]
    path.parent.mkdir(parents=True, exist_ok=True)
    blue, red = (np.full((64, 96, 3), COLOURS[colour], np.uint8) for colour in ("blue", "red"))
    pictures = (red if number >= 48 else blue for number in range(8 * seconds))
    return write_video(path, codec, pictures=pictures, rate=8, size=(96, 64), gop=8, **options)


def library_of(photos: Path) -> Library:
    """A library of this folder, beside it."""
    library = Library(Settings(library=photos.parent / "library", threads=2), ENCODERS.__getitem__)
    library.add_roots([photos])
    embed(library)
    return library


def shown_colour(page: Page) -> list[int]:
    """What the video shows in its corner."""
    found: list[int] = page.evaluate(
        """() => { const canvas = document.createElement('canvas'); canvas.width = canvas.height = 8;
        const context = canvas.getContext('2d');
        context.drawImage(document.querySelector('video'), 0, 0, 8, 8);
        return [...context.getImageData(1, 1, 1, 1).data]; }"""
    )
    return found


_START = "Number(new URL(document.querySelector('video').src).searchParams.get('start'))"
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


def test_a_film_of_six_hours_has_a_line_that_can_be_read(page: Page) -> None:
    found = {"video_id": "x", "duration": 21_600, "points": [
        {"frame_id": 10_000 + second, "timestamp": second, "similarity": 0.2, "frame_url": "/frame/0",
         "strength": 0.9 if second % 200 == 77 else 0.1}
        for second in range(21_600)
    ]}  # fmt: skip
    page.route("**/timeline?*", lambda route: route.fulfill(json=found))
    open_film(page)
    expect(page.locator(".timeline")).to_be_visible()
    bars = page.locator(".heat rect").evaluate_all(
        "bars => bars.map(bar => ['x', 'width', 'height'].map(name => Number(bar.getAttribute(name))))"
    )
    assert len(bars) <= 1000
    assert all(-0.01 < left[0] + left[1] - right[0] < 1 for left, right in pairwise(bars))
    assert sum(height > 30 for *_, height in bars) == 108, "no match is averaged away"
    assert 10 <= page.locator(".mark").count() <= 50


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
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate(place) == 2 + columns
    page.keyboard.press("s")
    expect(page.locator("#headline")).to_have_text("Like this picture")


def test_a_film_is_found_sought_in_and_saved_by_keyboard_alone(page: Page) -> None:
    page.keyboard.type("white")
    expect(page.locator("#headline")).to_have_text("“white”")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.matches('.card:first-child .tile')")
    page.locator(".name", has_text="film.mp4").first.wait_for(state="attached")
    for _ in range(names(page).index("film.mp4")):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('video')?.readyState >= 2")
    for _ in range(20):
        if page.evaluate("document.activeElement.matches('.timeline')"):
            break
        page.keyboard.press("Tab")
        # The body is where the page ends and begins anew; a video's own controls show the focus themselves.
        assert page.evaluate("document.activeElement.matches(':focus-visible, body, video')")
    page.keyboard.press("Home")
    until(page, f"{_TIME} < 1")
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_contain_text("1 result selected")
    save = page.get_by_role("button", name="Save as zip")
    for _ in range(60):
        if save.evaluate("button => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist() == ["film.mp4"]


def test_a_picture_whose_preview_is_missing_keeps_its_place(
    open_page: Callable[..., Page], server: Server
) -> None:
    page = open_page(server.address, quiet=True)
    page.route("**/frame/*", lambda route: route.fulfill(status=404))
    search(page, "red")
    tile = page.locator(".card .tile").first
    expect(tile).to_have_class("tile gone")
    box = tile.bounding_box()
    assert box is not None
    assert abs(box["width"] / box["height"] - 4 / 3) < 0.02
    assert tile.evaluate("tile => getComputedStyle(tile, '::after').content") == '"No preview"'


@pytest.mark.parametrize("name", FOREIGN)
def test_what_the_browser_cannot_play_is_played_from_a_clip(
    open_page: Callable[..., Page], tmp_path: Path, name: str
) -> None:
    server = Server(library_of(foreign_film(tmp_path / "photos" / name).parent))
    try:
        page = open_page(server.address + "/?q=red", quiet=True, reduced_motion="reduce")
        page.locator(".card").first.locator(".tile").click()
        until(page, "document.querySelector('video')?.src.includes('/clip?')", 20)
        until(page, "document.querySelector('video').readyState >= 2", 20)
        moment = float(page.evaluate("new URLSearchParams(location.search).get('t')"))
        start = float(page.evaluate(_START))
        assert 0 < start < moment
        until(page, f"Math.abs({_TIME} + {start} - {moment}) < 0.1")
        red = shown_colour(page)
        assert red[0] > 150 and red[1] < 90
        page.locator(".timeline").focus()
        page.keyboard.press("Home")
        until(page, f"{_START} === 0", 20)
        until(page, "document.querySelector('video').readyState >= 2", 20)
        until(page, f"{_TIME} < 0.1")
        blue = shown_colour(page)
        assert blue[2] > 150 and blue[0] < 90
    finally:
        server.stop()


def test_the_next_clip_goes_on_where_one_ends(open_page: Callable[..., Page], tmp_path: Path) -> None:
    server = Server(library_of(foreign_film(tmp_path / "photos" / "old.avi", seconds=40).parent))
    try:
        page = open_page(server.address, quiet=True, reduced_motion="reduce")
        page.locator(".card .tile").first.click()
        until(page, "document.querySelector('video')?.src.includes('/clip?')", 20)
        until(page, "document.querySelector('video').readyState >= 2", 20)
        assert page.evaluate(_START) == 0
        page.evaluate("document.querySelector('video').currentTime = 29")
        page.evaluate("document.querySelector('video').play()")
        until(page, f"{_START} === 25", 20)
        until(page, f"document.querySelector('video').readyState >= 2 && {_TIME} >= 4.9", 20)
        until(page, "!document.querySelector('video').paused || document.querySelector('video').ended")
    finally:
        server.stop()


def test_a_video_that_cannot_be_played_says_why(open_page: Callable[..., Page], tmp_path: Path) -> None:
    film = foreign_film(tmp_path / "photos" / "old.avi")
    server = Server(library_of(film.parent))
    try:
        page = open_page(server.address, quiet=True)
        page.locator(".card").first.wait_for()
        film.unlink()
        page.locator(".card .tile").first.click()
        expect(page.locator(".trouble")).to_contain_text("This video cannot be played: ")
        expect(page.locator(".trouble")).to_contain_text("old.avi cannot be read")
    finally:
        server.stop()


def test_steps_keep_the_button_and_say_the_name(page: Page) -> None:
    search(page, "green")
    page.locator(".card .tile").first.click()
    page.get_by_role("button", name="Next result").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer-name")).to_have_text(names(page)[1])
    assert page.evaluate("document.activeElement.matches('.next')")
    expect(page.locator("#viewer [role=status].said")).to_contain_text(names(page)[1])
    page.keyboard.press("Enter")
    expect(page.locator("#viewer-name")).to_have_text(names(page)[2])


def test_next_goes_beyond_what_is_loaded(page: Page) -> None:
    search(page, "blue")
    loaded = page.locator(".card").count()
    page.locator(".card .tile").nth(loaded - 1).click()
    last = page.locator("#viewer-name").inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer-name")).not_to_have_text(last)
    assert page.locator(".card").count() > loaded
    page.goto(page.url.split("?")[0] + "?q=white&kind=video")
    page.locator(".card .tile").last.click()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#toast")).to_have_text("This is the last result")


def test_arrows_in_the_videos_controls_walk_in_time(page: Page) -> None:
    open_film(page)
    page.locator("video").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    expect(page.locator("#viewer-name")).to_have_text("film.mp4")


def test_the_moment_that_was_opened_is_marked_once(page: Page) -> None:
    open_film(page)
    expect(page.locator(".mark.here")).to_have_count(1)
    expect(page.locator(".mark")).to_have_count(1)


def test_what_is_said_is_seen_above_a_preview(open_page: Callable[..., Page], server: Server) -> None:
    page = open_page(server.address + "/?q=green", permissions=["clipboard-read", "clipboard-write"])
    page.locator(".card .tile").first.click()
    page.keyboard.press("c")
    expect(page.locator("#toast")).to_have_text("Path copied")
    assert (
        page.evaluate(
            """(() => { const box = document.getElementById('toast').getBoundingClientRect();
        const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return seen.id; })()"""
        )
        == "toast"
    )
    path = Path(page.evaluate("navigator.clipboard.readText()"))
    assert path.is_file() and path.name == names(page)[0]
    page.keyboard.press("ArrowRight")
    expect(page.locator("#toast")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    page.keyboard.press("c")
    expect(page.locator("body > #toast")).to_be_visible()


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


def test_originals_that_are_gone_are_said_before_the_rest_is_saved(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    _, gone = (paint(photos / f"{colour}.png", colour) for colour in ("red", "blue"))
    server = Server(library_of(photos))
    try:
        page = open_page(server.address, quiet=True)
        expect(page.locator(".card")).to_have_count(2)
        gone.unlink()
        for place in (0, 1):
            page.locator(".card").nth(place).hover()
            page.locator(".card").nth(place).locator(".pick").check()
        expect(page.locator("#selection [role=status]")).to_have_text("2 results selected")
        with page.expect_download() as saving:
            page.get_by_role("button", name="Save as zip").click()
        expect(page.locator("#toast")).to_contain_text("blue.png cannot be read: No such file or directory")
        expect(page.locator("#toast")).to_contain_text("The zip holds the other 1 file.")
        saving.value.save_as(tmp_path / "saved.zip")
        with zipfile.ZipFile(tmp_path / "saved.zip") as archive:
            assert "red.png" in archive.namelist() and "blue.png" not in archive.namelist()
    finally:
        server.stop()
