import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from colour_library import ENCODERS, PAYLOAD, embed, fill
from fakes import film, paint, paint_dated
from page.conftest import Server
from page.driver import names, search, until
from semantic_media_search.config import Settings
from semantic_media_search.library import Library

pytestmark = pytest.mark.browser


def test_results_come_while_one_types(page: Page) -> None:
    page.locator("#q").press_sequentially("white", delay=15)
    expect(page.locator("#headline")).to_have_text("“white”")
    first = page.locator(".card").first
    expect(first.locator(".score")).to_have_text(re.compile(r"[01]\.\d\d"))
    assert all("white" in name or name == "film.mp4" for name in names(page)[:15])
    expect(page.locator(".card", has_text="film.mp4").first.locator(".badge")).to_have_text(
        re.compile(r"0:(08|09|10|11) / 0:12")
    )
    assert page.url.endswith("/?q=white")


def test_stale_answers_are_dropped(page: Page, server: Server) -> None:
    def slow(route: Route) -> None:
        answer = route.fetch()
        time.sleep(0.6)
        route.fulfill(response=answer)

    page.route("**/search?q=red&**", slow)
    page.locator("#q").fill("red")
    page.wait_for_timeout(120)
    page.locator("#q").fill("green")
    expect(page.locator("#headline")).to_have_text("“green”")
    page.wait_for_timeout(900)
    expect(page.locator("#headline")).to_have_text("“green”")
    assert "green" in names(page)[0]


def test_scrolling_loads_more_and_nothing_jumps(page: Page) -> None:
    page.evaluate(
        """() => { window.shifts = 0; new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
        }).observe({ type: "layout-shift", buffered: true }); }"""
    )
    search(page, "blue")
    end = time.monotonic() + 20
    at_end = "scrollY + innerHeight > document.documentElement.scrollHeight - 4"
    while page.locator(".card").count() <= 100 or not page.evaluate(at_end):
        assert time.monotonic() < end, "the end of the results does not come"
        page.mouse.wheel(0, 1500)
        page.wait_for_timeout(40)
    ids = page.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.frame)")
    assert len(set(ids)) == len(ids) > 100  # some of the 120 flat pictures are copies of one another
    assert len(names(page)) == len(ids)
    assert page.evaluate("window.shifts") < 0.01
    expect(page.locator("#status")).to_contain_text(f"{len(ids)} results")


def test_back_forward_reload_and_links_restore_the_view(page: Page, open_page: Callable[..., Page]) -> None:
    search(page, "red")
    page.locator("#q").press("Enter")
    page.wait_for_timeout(100)
    search(page, "green")
    until(page, "(scrollTo(0, 2600), scrollY === 2600)")
    until(page, "new URLSearchParams(location.search).get('at') > 0")
    page.wait_for_timeout(300)
    at, top = page.url, page.evaluate("scrollY")
    assert top > 1500
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/search?" in request.url else None)
    page.reload()
    until(page, f"Math.abs(scrollY - {top}) < 6")
    assert len([one for one in asked if "offset=0" in one]) == 1
    assert len(asked) <= 2, asked
    page.go_back()
    expect(page.locator("#headline")).to_have_text("“red”")
    expect(page.locator("#q")).to_have_value("red")
    page.go_forward()
    expect(page.locator("#headline")).to_have_text("“green”")
    until(page, f"Math.abs(scrollY - {top}) < 6")
    shared = open_page(at)
    until(shared, f"Math.abs(scrollY - {top}) < 150")
    expect(shared.locator("#q")).to_have_value("green")


def test_filters_narrow_the_results(page: Page) -> None:
    search(page, "white")
    expect(page.locator(".segments")).to_contain_text("Photos 121")
    page.get_by_role("radio", name="Videos").check(force=True)
    expect(page.locator(".card .name").first).to_have_text("film.mp4")
    assert set(names(page)) == {"film.mp4"}
    assert "kind=video" in page.url
    expect(page.locator(".passing")).to_contain_text("1 of 122 items pass")
    page.get_by_role("radio", name="All").check(force=True)
    page.get_by_label("Folder").select_option(label="trip (60)")
    expect(page.locator(".passing")).to_contain_text("60 of 122 items pass")
    page.get_by_label("From").fill("2024-01-01")
    expect(page.locator("#message h2")).to_have_text("Nothing passes these filters")
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.locator(".card").first).to_be_visible()
    page.get_by_label("Every frame").check()
    page.get_by_role("radio", name="Videos").check(force=True)
    expect(page.locator(".card")).to_have_count(12)


def test_a_picture_is_a_query(page: Page, tmp_path: Path) -> None:
    picture = paint(tmp_path / "query.png", "blue", (300, 200), seed=12345)
    page.locator("#file").set_input_files(picture)
    expect(page.locator("#headline")).to_have_text("Like your picture")
    expect(page.locator("#subject img")).to_be_visible()
    assert "blue" in names(page)[0]
    page.locator("#q").fill("red")
    expect(page.locator("#headline")).to_have_text("Like your picture and “red”")
    assert "picture=" in page.url and "q=red" in page.url
    page.reload()
    expect(page.locator("#subject img")).to_be_visible()
    page.get_by_role("button", name="Search without this picture").click()
    expect(page.locator("#subject")).to_be_hidden()
    expect(page.locator(".card .name").first).to_contain_text("red")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_can_be_dropped_or_pasted(page: Page, tmp_path: Path, way: str) -> None:
    picture = paint(tmp_path / "query.png", "green", (90, 60), seed=12346)
    page.evaluate(
        """([bytes, way]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "query.png", { type: "image/png" }));
            const event = way === "drop"
              ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
              : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
        }""",
        [list(picture.read_bytes()), way],
    )
    expect(page.locator("#headline")).to_have_text("Like your picture")
    assert "green" in names(page)[0]


def test_find_similar(page: Page) -> None:
    search(page, "yellow")
    first = page.locator(".card").first
    name = first.locator(".name").inner_text()
    first.hover()
    first.get_by_role("button", name="Find similar").click()
    expect(page.locator("#headline")).to_have_text("Like this picture")
    assert name not in names(page)[:10]
    assert all("yellow" in other or other == PAYLOAD for other in names(page)[:10])
    page.go_back()
    expect(page.locator("#headline")).to_have_text("“yellow”")


def test_names_are_text_whatever_they_say(page: Page) -> None:
    search(page, "yellow")
    page.locator(".card", has_text=PAYLOAD).first.locator(".tile").click()
    expect(page.locator("#viewer-name")).to_have_text(PAYLOAD)
    assert page.locator("img[src='x']").count() == 0
    page.keyboard.press("Escape")
    search(page, "<img src=x onerror=alert(1)>")
    assert page.locator("img[src='x']").count() == 0


def test_a_server_that_goes_away_and_comes_back(
    open_page: Callable[..., Page], page_library: Library
) -> None:
    server = Server(page_library)
    try:
        page = open_page(server.address, quiet=True)
        page.locator(".card").first.wait_for()
        server.stop()
        page.locator("#q").fill("red")
        expect(page.locator("#message h2")).to_have_text("The server does not answer")
        expect(page.locator("#message")).to_contain_text("media-search serve")
        expect(page.locator("#results")).to_have_class("stale")
        server.start()
        expect(page.locator("#headline")).to_have_text("“red”", timeout=10_000)
        expect(page.locator("#message")).to_be_hidden()
        expect(page.locator("#results")).not_to_have_class("stale")
    finally:
        server.stop()


def test_a_library_that_is_made_meanwhile(open_page: Callable[..., Page], tmp_path: Path) -> None:
    library = Library(Settings(library=tmp_path / "library", threads=2), ENCODERS.__getitem__)
    server = Server(library)
    try:
        page = open_page(server.address + "/?q=red", quiet=True)
        expect(page.locator("#message")).to_contain_text("media-search update")
        library.add_roots([fill(tmp_path / "photos")])
        library.ingest()
        expect(page.locator("#message")).to_contain_text("media-search index", timeout=6000)
        embed(library)
        expect(page.locator(".card .name").first).to_have_text("red.png", timeout=6000)
    finally:
        server.stop()


def test_a_slow_network_is_said_and_steals_nothing(page: Page) -> None:
    held: list[Route] = []
    page.route("**/search?q=red&**", lambda route: held.append(route), times=1)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.locator("#q").fill("red")
    page.locator("#q").press("Enter")
    expect(page.locator("#status")).to_have_text("Searching…")
    assert page.locator("#results").evaluate("place => place.classList.contains('waiting')")
    expect(page.locator("#grid")).to_have_css("opacity", re.compile(r"0\.\d+"))
    page.get_by_label("From").focus()
    for route in held:
        route.continue_()
    expect(page.locator("#headline")).to_have_text("“red”")
    assert "red" in names(page)[0]
    assert not page.locator("#results").evaluate("place => place.classList.contains('waiting')")
    assert page.evaluate("document.activeElement.type") == "date"
    until(page, "!document.getElementById('more').classList.contains('loading')")


def test_a_search_that_was_given_up_takes_no_focus(page: Page) -> None:
    held: list[Route] = []
    page.route("**/search?q=red&**", lambda route: held.append(route))
    page.locator("#q").fill("red")
    page.locator("#q").press("Enter")
    until(page, "document.getElementById('status').textContent === 'Searching…'")
    page.locator("#q").fill("green")
    expect(page.locator("#headline")).to_have_text("“green”")
    for route in held:
        route.abort()
    page.wait_for_timeout(200)
    assert page.evaluate("document.activeElement.id") == "q"
    assert "green" in names(page)[0]


def test_a_bound_on_the_similarity_is_not_counted_as_items(page: Page) -> None:
    slider = page.get_by_label("Similarity")
    expect(slider).to_be_disabled()
    search(page, "white")
    expect(slider).to_be_enabled()
    assert slider.get_attribute("max") == "1"
    before = page.evaluate("history.length")
    slider.focus()
    # Keys in quick succession are one step of the history; how quick this machine is must not matter.
    page.evaluate("performance.now = () => 1e6")
    for _ in range(39):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".passing")).to_contain_text("Only matches of 0.39 and above are shown")
    assert page.evaluate("history.length") == before + 1
    page.evaluate("performance.now = () => 1e6 + 2000")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".passing")).to_contain_text("Only matches of 0.40 and above are shown")
    expect(page.locator(".passing")).not_to_contain_text("items pass")
    assert page.evaluate("history.length") == before + 2
    page.get_by_role("radio", name="Videos").check(force=True)
    expect(page.locator(".passing")).to_contain_text(
        "1 of 122 items pass the other filters; only matches of 0.40"
    )
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".passing")).to_be_hidden()
    expect(page.locator("#headline")).to_have_text("“white”")
    assert "min=" not in page.url and "kind=" not in page.url


def test_an_address_is_shown_in_the_filters(open_page: Callable[..., Page], server: Server) -> None:
    page = open_page(server.address + "/?q=red&after=2023&before=2024-02&folder=trip")
    expect(page.get_by_label("From")).to_have_value("2023-01-01")
    expect(page.get_by_label("To", exact=True)).to_have_value("2024-02-29")
    expect(page.locator(".field.folder option:checked")).to_have_text("trip (0)")
    expect(page.locator(".passing")).to_contain_text("0 of 122 items pass; 60 without a date do not")


def test_what_an_address_cannot_mean_is_left_out(open_page: Callable[..., Page], server: Server) -> None:
    page = open_page(server.address + "/?q=red&kind=bogus&after=soon&min=x&similar=-1&open=1e999")
    expect(page.locator(".card .name").first).to_contain_text("red")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.get_by_label("From")).to_have_value("")
    expect(page.locator(".passing")).to_be_hidden()


def test_a_picture_that_the_server_forgot_can_be_left_out(
    open_page: Callable[..., Page], page_library: Library, tmp_path: Path
) -> None:
    picture = paint(tmp_path / "query.png", "blue", (300, 200), seed=4)
    server = Server(page_library)
    try:
        page = open_page(server.address + "/?q=red", quiet=True)
        page.locator(".card").first.wait_for()
        page.locator("#file").set_input_files(picture)
        expect(page.locator("#headline")).to_contain_text("your picture")
        server.stop()
        server.start()
        page.reload()
        page.locator("#message").get_by_role("button", name="Search without this picture").click()
        expect(page.locator("#headline")).to_have_text("“red”")
        assert "picture=" not in page.url and "red" in names(page)[0]
    finally:
        server.stop()


def test_what_is_no_picture_is_said(open_page: Callable[..., Page], server: Server, tmp_path: Path) -> None:
    page = open_page(server.address, quiet=True)
    page.locator(".card").first.wait_for()
    empty = tmp_path / "empty.png"
    empty.touch()
    page.locator("#file").set_input_files(empty)
    expect(page.locator("#toast")).to_have_text("empty.png is empty: 0 bytes.")
    page.locator("#file").set_input_files(film(tmp_path / "clip.mp4", ["red"], seconds_each=1))
    expect(page.locator("#toast")).to_contain_text("clip.mp4 cannot be searched by: this is a video")


def test_an_arrow_from_nowhere_begins_in_sight(page: Page) -> None:
    search(page, "blue")
    page.evaluate("document.activeElement.blur()")
    until(page, "(scrollTo(0, 900), scrollY === 900)")
    page.keyboard.press("ArrowDown")
    box = page.locator(".tile:focus").bounding_box()
    assert box is not None and -300 < box["y"] < 500
    assert page.evaluate(
        "[...document.querySelectorAll('.card')].indexOf(document.activeElement.closest('.card'))"
    )


def test_weak_results_are_said_to_be_weak(page: Page) -> None:
    page.locator("#q").fill("purple")
    expect(page.locator("#headline")).to_have_text("No good match for “purple”")
    expect(page.locator("#status")).to_contain_text("Nothing stands out in this library")
    assert page.locator("#results").evaluate("place => place.classList.contains('weak')")
    expect(page.locator(".card").first).to_be_visible()


def test_a_path_is_copied_by_key(open_page: Callable[..., Page], server: Server) -> None:
    page = open_page(server.address + "/?q=green", permissions=["clipboard-read", "clipboard-write"])
    page.locator(".card .tile").first.focus()
    page.keyboard.press("c")
    expect(page.locator("#toast")).to_have_text("Path copied")
    assert Path(page.evaluate("navigator.clipboard.readText()")).name == names(page)[0]


def test_dates_filter_by_when_pictures_were_taken(open_page: Callable[..., Page], tmp_path: Path) -> None:
    for year in (2022, 2023):
        paint_dated(tmp_path / "photos" / f"{year}.jpg", "red", f"{year}:05:31 23:30:00", seed=year)
    library = Library(Settings(library=tmp_path / "library", threads=2), ENCODERS.__getitem__)
    library.add_roots([tmp_path / "photos"])
    embed(library)
    server = Server(library)
    try:
        page = open_page(server.address + "/?q=red")
        expect(page.locator(".card")).to_have_count(2)
        page.get_by_label("From").fill("2023-05-31")
        expect(page.locator(".card .name")).to_have_text(["2023.jpg"])
        expect(page.locator(".passing")).to_contain_text("1 of 2 items pass")
        page.get_by_label("From").fill("")
        page.get_by_label("To", exact=True).fill("2022-05-31")
        expect(page.locator(".card .name")).to_have_text(["2022.jpg"])
    finally:
        server.stop()


def test_a_library_that_grows_is_shown_anew(page: Page, server: Server) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.split("?")[0].rsplit("/", 1)[1]))
    page.clock.install()
    state = {"pending_frames": 5}

    def health(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | state)

    page.route("**/health", health)
    page.goto(server.address + "/?q=red")
    expect(page.locator("#notice")).to_contain_text("5 frames are still being read in")
    state["pending_frames"] = 0
    asked.clear()
    page.clock.fast_forward(10_500)
    expect(page.locator("#notice")).to_be_hidden()
    until(page, "document.getElementById('grid').ariaBusy === 'false'")
    page.wait_for_timeout(200)
    assert sorted(asked).count("health") == 1
    assert "search" in asked and "filters" in asked
