"""Who may ask: these are someone's private pictures.

Host names are checked against an allow-list, so that a web page elsewhere cannot reach a private library by
pointing its own name at this machine (DNS rebinding); callers that are not on this machine need the token;
requests that change something must come from the page itself.
"""

import hashlib
import hmac
import ipaddress
import logging
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from semantic_media_search.api.errors import error_response
from semantic_media_search.config import Settings
from semantic_media_search.errors import ConfigError

_log = logging.getLogger(__name__)
COOKIE = "media_search"
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def is_loopback(host: str) -> bool:
    """Whether an address or name, brackets of IPv6 allowed, means this machine and no other."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def require_safe_bind(settings: Settings) -> None:
    """Raise ConfigError where others could reach the library without a token."""
    if not is_loopback(settings.host) and not settings.token:
        raise ConfigError(
            f"host is {settings.host!r}, which others can reach: give a token that they must show "
            "(--token, or MEDIA_SEARCH_TOKEN), or leave the host away to serve this machine only"
        )


class HostPolicy:
    """Which Host headers belong to this server. Ports may be any: a forwarded one is still this machine."""

    def __init__(self, settings: Settings):
        """Loopback names always; where others may call, also plain addresses and this machine's own name."""
        self._names = {name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip()}
        self._any_address = not is_loopback(settings.host)
        if self._any_address:
            own = socket.gethostname().lower()
            self._names |= {own, own + ".local"}

    def allows(self, header: str | None) -> bool:
        """Whether a request with this Host header is answered."""
        host = host_of(header)
        if host is None:
            return False
        if host in self._names or is_loopback(host):
            return True
        if not self._any_address:
            return False
        # An address cannot be pointed elsewhere, as a name can.
        try:
            return not ipaddress.ip_address(host).is_unspecified
        except ValueError:
            return False


def host_of(header: str | None) -> str | None:
    """The host of a Host header, lower case, without port and brackets; None where it is no host."""
    if not header or any(character in header for character in "/@\\?# ,"):
        return None
    try:
        parts = urlsplit("//" + header)
        _ = parts.port  # raises where it is no number in range
    except ValueError:
        return None
    return parts.hostname.rstrip(".") if parts.hostname else None


class Guard:
    """ASGI middleware: the checks of this module before, and the security headers on, every answer."""

    def __init__(self, app: ASGIApp, settings: Settings):
        self._app = app
        self._hosts = HostPolicy(settings)
        self._token = settings.token
        self._cookie = _cookie_value(settings.token) if settings.token else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        try:
            await (refusal or self._app)(scope, receive, send_guarded)
        except ClientDisconnect:
            return
        except Exception:
            if started:
                raise
            # Answered here, so that this answer too has its headers and its shape.
            _log.exception("%s %s failed", scope["method"], scope["path"])
            failure = error_response(
                500, "failed", "something went wrong inside the server", "its log says what"
            )
            await failure(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._hosts.allows(hosts[0]):
            return error_response(
                421,
                "unknown_host",
                f"the Host header {', '.join(hosts)!r} is none of this server's",
                "open http://127.0.0.1 with the server's port, or name the host in MEDIA_SEARCH_ALLOWED_HOSTS",
            )
        if scope["method"] not in _SAFE_METHODS and not _same_origin(headers):
            return error_response(
                403, "foreign_origin", "this request comes from another site", "use the page of this server"
            )
        if self._token:
            return self._token_refusal(scope, headers)
        client = scope.get("client")
        if client is not None and not is_loopback(str(client[0])):
            return error_response(
                403,
                "not_this_machine",
                "this server answers callers on its own machine only",
                "start it with a token: media-search serve --host 0.0.0.0 --token SECRET",
            )
        return None

    def _token_refusal(self, scope: Scope, headers: Headers) -> Response | None:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(shown.strip().encode("latin-1")):
            return None
        if hmac.compare_digest(_cookie_of(headers), self._cookie):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if scope["path"] == "/" and scope["method"] == "GET" and given and self._is_token(given.encode()):
            rest = urlencode([pair for pair in query if pair[0] != "token"])
            answer = RedirectResponse("/" + (f"?{rest}" if rest else ""), status_code=303)
            answer.set_cookie(
                COOKIE,
                self._cookie,
                max_age=365 * 86_400,
                httponly=True,
                # A link in a mail must open; what changes anything is a POST, checked by its Origin.
                samesite="lax",
                secure=scope["scheme"] == "https",
            )
            return answer
        refusal = error_response(
            401,
            "token_needed",
            "this library is private",
            "open the page as /?token=SECRET, or send the header Authorization: Bearer SECRET",
        )
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal

    def _is_token(self, shown: bytes) -> bool:
        return hmac.compare_digest(shown, (self._token or "").encode())


def _same_origin(headers: Headers) -> bool:
    """Whether a request that changes something was made by this server's page, or by no page at all."""
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def _cookie_value(token: str) -> str:
    """What the browser keeps: shows that the token was known, without being it."""
    return hmac.new(token.encode(), b"media-search cookie", hashlib.sha256).hexdigest()


def _cookie_of(headers: Headers) -> str:
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    value = jar[COOKIE].value if COOKIE in jar else ""
    return value if value.isascii() else ""
