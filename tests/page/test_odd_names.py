"""A list of paths has one path a line, whatever is in the files' names."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from colour_library import ENCODERS, embed
from fakes import paint
from page.conftest import Server
from semantic_media_search.config import Settings
from semantic_media_search.ingest.discovery import text_to_path
from semantic_media_search.library import Library

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of these names"),
]
NAMES = ["line\nbreak \N{DOG FACE} '&%2e.png", "\N{DOG FACE}.png", os.fsdecode(b"caf\xe9.png")]


def test_a_list_of_paths(open_page: Callable[..., Page], tmp_path: Path) -> None:
    plain = [paint(tmp_path / "photos" / f"{seed}.png", "red", seed=seed) for seed in range(len(NAMES))]
    paths = {path.rename(path.with_name(name)) for path, name in zip(plain, NAMES, strict=True)}
    library = Library(Settings(library=tmp_path / "library", threads=2), ENCODERS.__getitem__)
    library.add_roots([tmp_path / "photos"])
    embed(library)
    server = Server(library)
    try:
        page = open_page(server.address)
        expect(page.locator(".card")).to_have_count(len(NAMES))
        for place in range(len(NAMES)):
            page.locator(".card").nth(place).hover()
            page.locator(".card").nth(place).locator(".pick").check()
        with page.expect_download() as saving:
            page.get_by_role("button", name="Save list").click()
        saving.value.save_as(tmp_path / "paths.txt")
        lines = (tmp_path / "paths.txt").read_text(encoding="utf-8").split("\n")[:-1]
        assert {Path(text_to_path(line)) for line in lines} == paths
        page.close()
    finally:
        server.stop()
