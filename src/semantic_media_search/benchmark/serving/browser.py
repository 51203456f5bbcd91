"""A Chromium that types in the page as a person does, and its own clock from the last key to what it then shows."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semantic_media_search.errors import ConfigError, LibraryError

if TYPE_CHECKING:
    from playwright.sync_api import Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_PATIENCE_MS = 60_000
# What is drawn for other words than those in the field is an answer on the way there: not what was asked for.
_WATCH = """() => {
  const field = document.getElementById("q"), grid = document.getElementById("grid");
  let last = 0, drawn = null;
  const clean = () => { drawn = null; window.probe = null; performance.clearResourceTimings(); };
  const asked = () => new URLSearchParams(location.search).get("q");
  field.addEventListener("input", (event) => { last = event.timeStamp; clean(); }, true);
  new MutationObserver(() => {
    if (drawn || !grid.firstElementChild || asked() !== field.value) return;
    drawn = { built: performance.now() };
    const mine = drawn;
    const search = performance.getEntriesByType("resource").filter((one) => one.name.includes("/search?")).at(-1);
    requestAnimationFrame(() => {
      const shown = performance.now() - last;
      const thumbnail = () => {
        const picture = grid.querySelector(".tile img");
        if (drawn !== mine) return;
        if (!picture.complete) return void requestAnimationFrame(thumbnail);
        window.probe = {
          "key to request": search.startTime - last,
          "request to answer": search.responseEnd - search.startTime,
          "answer to first tile": last + shown - search.responseEnd,
          "key to first tile": shown,
          "key to first thumbnail": performance.now() - last,
        };
      };
      thumbnail();
    });
  }).observe(grid, { childList: true });
}"""


@dataclass(frozen=True, slots=True)
class Typist:
    """An open page in which words can be typed."""

    page: "Page"

    def search(self, words: str, key_ms: float) -> dict[str, float]:
        """Type words over what stands there, a key each `key_ms`; milliseconds from the last key to each step.

        Raises LibraryError where no result comes.
        """
        field = self.page.locator("#q")
        field.fill("")
        field.press_sequentially(words, delay=key_ms)
        waited = 0
        while (found := self.page.evaluate("window.probe")) is None:
            if waited >= _PATIENCE_MS:
                raise LibraryError(
                    f"no result for {words!r} stood in the page within {_PATIENCE_MS / 1000:.0f} s"
                )
            self.page.wait_for_timeout(50)
            waited += 50
        times: dict[str, float] = found
        return times


@contextmanager
def typist(address: str, size: Sequence[int] = (1280, 800)) -> Iterator[Typist]:
    """Open a page of a server in a Chromium of this machine. Raises ConfigError where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ConfigError("the page is driven by playwright: pip install playwright") from error
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise ConfigError(f"no browser found under the names {', '.join(_NAMES)}; install Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_FLAGS)
        try:
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            page.goto(address)
            page.locator(".card").first.wait_for(timeout=_PATIENCE_MS)
            page.evaluate(_WATCH)
            yield Typist(page)
        finally:
            browser.close()
