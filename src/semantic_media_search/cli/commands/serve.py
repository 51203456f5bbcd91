"""`serve`: the page and the API."""

import argparse
import socket
from contextlib import suppress

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
    listener = _listening(settings.host, settings.port)
    library = Library(settings, encoder_loader(settings, console), note=console.info)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    console.info(f"Serving http://{host}:{listener.getsockname()[1]} until Ctrl-C")
    server = uvicorn.Server(uvicorn.Config(create_app(settings, library), log_level="warning"))
    with listener, suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return 0 if server.started else 1


def _listening(host: str, port: int) -> socket.socket:
    """Listen at this address, at once: better to fail now than after a library was opened.

    Port 0 takes any that is free. Raises ConfigError where nothing can listen there.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        plain = socket.create_server(address[:2], family=family)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port with --port "
            "(or `make run PORT=...`)"
        ) from error
    # asyncio sends an answer's last bytes without delay only where it knows a socket to be TCP; 40 ms an answer else.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, plain.detach())
