"""`serve`: the page and the API."""

import argparse
import ipaddress

from semantic_media_search.cli.commands.models import encoder_loader
from semantic_media_search.cli.console import Console
from semantic_media_search.config import Settings
from semantic_media_search.errors import ConfigError
from semantic_media_search.library import Library


def run_serve(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Serve the page and the API until Ctrl-C."""
    del arguments
    import uvicorn

    from semantic_media_search.api.server import create_app

    if not _is_loopback(settings.host) and not settings.token:
        raise ConfigError(
            f"host is {settings.host!r}, which others can reach: give a --token that they must show, "
            "or leave --host away to serve this machine only"
        )
    library = Library(settings, encoder_loader(settings, console))
    console.info(f"Serving http://{settings.host}:{settings.port} until Ctrl-C")
    uvicorn.run(create_app(settings, library), host=settings.host, port=settings.port, log_level="warning")
    return 0


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
