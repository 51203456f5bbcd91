"""`serve`: the page and the API."""

import argparse
import socket

from semantic_media_search.cli.commands.models import encoder_loader
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings
from semantic_media_search.errors import ConfigError
from semantic_media_search.library import Library


def run_serve(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Serve the page and the API until Ctrl-C."""
    del arguments
    import uvicorn

    from semantic_media_search.api.security import require_safe_bind
    from semantic_media_search.api.server import create_app

    require_safe_bind(settings)
    _require_free(settings.host, settings.port)
    library = Library(settings, encoder_loader(settings, console))
    console.info(f"Serving http://{settings.host}:{settings.port} until Ctrl-C")
    uvicorn.run(create_app(settings, library), host=settings.host, port=settings.port, log_level="warning")
    return 0


def _require_free(host: str, port: int) -> None:
    """Raise ConfigError where nothing can listen at this address: better now than after a library was opened."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port with --port "
            "(or `make run PORT=...`)"
        ) from error
