"""Searching at every key: what stands in the field is what is shown in the end, and pictures are kept."""

from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import Error, Page, Route, expect

from page.conftest import Server
from page.driver import names, search, until


def _answer(held: list[Route]) -> None:
    for route in held:
        with suppress(Error):  # the page may have given it up
            route.continue_()


def test_a_key_that_is_taken_back_leaves_what_stood_there(page: Page) -> None:
    search(page, "red")
    held: list[Route] = []
    page.route("**/search?q=redd&**", lambda route: held.append(route))
    page.locator("#q").press("End")
    with page.expect_request("**/search?q=redd&**"):
        page.locator("#q").press("d")
    page.locator("#q").press("Backspace")
    page.unroute("**/search?q=redd&**", lambda _: None)
    _answer(held)
    page.wait_for_timeout(500)
    expect(page.locator("#headline")).to_have_text("“red”")
    expect(page.locator("#q")).to_have_value("red")
    assert "q=red" in page.url and "redd" not in page.url


def test_going_back_gives_up_what_was_on_its_way(page: Page) -> None:
    search(page, "red")
    page.locator("#q").press("Enter")
    held: list[Route] = []
    page.route("**/search?q=green&**", lambda route: held.append(route))
    with page.expect_request("**/search?q=green&**"):
        page.locator("#q").fill("green")
    page.go_back()
    _answer(held)
    page.wait_for_timeout(500)
    expect(page.locator("#headline")).to_have_text("“red”")
    expect(page.locator("#q")).to_have_value("red")
    assert "red" in names(page)[0]


def test_pictures_that_made_way_for_a_search_come_back_where_it_fails(
    open_page: Callable[..., Page], server: Server
) -> None:
    page = open_page(server.address, quiet=True)
    held: list[Route] = []
    page.route("**/frame/*", lambda route: held.append(route))
    search(page, "red")
    waiting = "document.querySelectorAll('.card img:not(.here)').length"
    assert page.evaluate(waiting) > 0
    page.route("**/search?q=green&**", lambda route: route.abort())
    page.locator("#q").fill("green")
    expect(page.locator("#message h2")).to_have_text("The server does not answer")
    until(page, "!document.querySelector('.card img:not([src])')")
    assert page.evaluate(waiting) > 0
    page.unroute("**/frame/*")
    # One that nobody answers is an error in the log of whichever test runs when it is cleared away.
    _answer(held)
    page.close()  # or it would ask on, and on


def test_a_picture_that_is_found_again_is_not_loaded_again(page: Page) -> None:
    search(page, "red")
    first = page.locator(".card").first
    frame = first.get_attribute("data-frame")
    first.locator("img.here").wait_for()
    first.locator("img").evaluate("picture => { picture.before = true }")
    search(page, "bright red")
    again = page.locator(f'.card[data-frame="{frame}"] img')
    assert again.evaluate("picture => picture.before === true")
