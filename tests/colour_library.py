"""A small library of colours, and a client that talks to its server as a browser on the same machine does."""

from collections.abc import Iterable
from pathlib import Path

from fastapi.testclient import TestClient

from fakes import COLOURS, ColourEncoder, film, paint
from semantic_media_search.api.server import create_app
from semantic_media_search.config import Settings
from semantic_media_search.library import Library
from semantic_media_search.library.index_run import embed_pending
from semantic_media_search.library.progress import Silent
from semantic_media_search.library.writer import open_writer

ENCODERS = {"colours": ColourEncoder(), "other": ColourEncoder("other", "07be2")}
PAYLOAD = "<img src=x onerror=alert(1)>.png"


def fill(photos: Path) -> Path:
    """Four photos in two folders, one of them with a name that is markup, and a film of three colours."""
    for number, colour in enumerate(["red", "green", "blue"]):
        paint(photos / "trip" / f"{colour}.png", colour, seed=number)
    paint(photos / "odd names" / PAYLOAD, "yellow", seed=9)
    film(photos / "film.mp4", ["black", "red", "white"], seconds_each=4)
    return photos


def painted(folder: Path, colours: Iterable[str] = COLOURS) -> Library:
    """A library over a photo of each colour, in `photos`; nothing is read yet."""
    for number, colour in enumerate(colours):
        paint(folder / "photos" / f"{colour}.png", colour, seed=number)
    library = Library(Settings(library=folder / "library", threads=1), lambda _: ColourEncoder())
    library.add_roots([folder / "photos"])
    return library


def embed(library: Library, model: str = "colours") -> None:
    """Ingest and embed, and commit without a graph: a library this small is searched exactly anyway."""
    library.ingest()
    encoder = library.encoder(model)
    with open_writer(library.paths.root) as writer:
        generation = writer.generation_for(encoder.info)
        generation = embed_pending(writer, generation, encoder, library.settings, Silent())
        writer.store_generation(generation, serve=True)


def client_of(library: Library, host: str = "127.0.0.1:8000", caller: str = "127.0.0.1") -> TestClient:
    """A client on `caller` that asks for `host`; use it in a with block, which starts the server."""
    app = create_app(library.settings, library)
    return TestClient(app, base_url=f"http://{host}", client=(caller, 50_000), raise_server_exceptions=False)
