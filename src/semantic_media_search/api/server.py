"""The application: `create_app()`, and `app` for uvicorn, made on first use."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from semantic_media_search import __version__
from semantic_media_search.api import frame_routes, health, search_routes, selection_routes, video_routes
from semantic_media_search.api.errors import install_error_handlers
from semantic_media_search.api.security import Guard, require_safe_bind
from semantic_media_search.api.serving import Serving
from semantic_media_search.config import Settings, load_settings
from semantic_media_search.library import Library

FRONTEND = Path(__file__).parent.parent / "frontend"
_app: FastAPI | None = None


def create_app(settings: Settings | None = None, library: Library | None = None) -> FastAPI:
    """The API and the page, for one library; nothing of it is opened before the server starts.

    Raises ConfigError where the settings would let others reach the library without a token.
    """
    settings = settings or (library.settings if library else load_settings())
    require_safe_bind(settings)
    serving = Serving(settings, library)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = threading.Thread(target=serving.warm_up, name="warm-up", daemon=True)
        warming.start()
        yield
        serving.close()

    app = FastAPI(
        title="Semantic Media Search",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.serving = serving
    app.add_middleware(Guard, settings=settings)
    install_error_handlers(app)
    for routes in (health, search_routes, frame_routes, video_routes, selection_routes):
        app.include_router(routes.router)
    app.add_route("/", _page)
    app.mount("/app", _PageFiles(directory=FRONTEND))
    return app


async def _page(_: Request) -> Response:
    return FileResponse(FRONTEND / "index.html", headers={"Cache-Control": "no-cache"})


class _PageFiles(StaticFiles):
    """The page's modules and styles, revalidated each time so that an update is never half seen."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def __getattr__(name: str) -> FastAPI:
    """Make `app` when it is first asked for: importing this module opens nothing."""
    global _app
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _app is None:
        _app = create_app()
    return _app
