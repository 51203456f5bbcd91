"""The few things that tests of the page do again and again."""

import time

from playwright.sync_api import Page, expect


def until(page: Page, expression: str, seconds: float = 8) -> None:
    """Wait until an expression holds in the page (Playwright's own wait needs `eval`, which the page forbids)."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"after {seconds} s it does not hold: {expression}"
        page.wait_for_timeout(40)


def search(page: Page, words: str) -> None:
    """Search for words, and wait for their results."""
    page.locator("#q").fill(words)
    expect(page.locator("#headline")).to_contain_text(words)


def names(page: Page) -> list[str]:
    """The file names of the results, in order."""
    return page.locator(".card .name").all_inner_texts()


def open_film(page: Page) -> None:
    """Search for the white part of the film and open it."""
    search(page, "white")
    page.locator(".card", has_text="film.mp4").first.locator(".tile").click()
    until(page, "document.querySelector('video')?.readyState >= 2")
