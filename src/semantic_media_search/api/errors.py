"""Errors as HTTP: one JSON shape, a status for each branch of the error tree, and sentences that help."""

import json
import logging
from html import escape
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from semantic_media_search.errors import (
    LibraryError,
    LibraryNotFoundError,
    MediaError,
    MediaSearchError,
    MediaTooLargeError,
    ModelError,
    QueryError,
)

_log = logging.getLogger(__name__)

_STATUS: list[tuple[type[MediaSearchError], int, str]] = [
    (QueryError, 422, "bad_query"),
    (MediaTooLargeError, 413, "picture_too_large"),
    (MediaError, 422, "unreadable_media"),
    (LibraryNotFoundError, 503, "library_not_ready"),
    (LibraryError, 503, "library_unusable"),
    (ModelError, 503, "model_unusable"),
]


class NotHereError(MediaSearchError, LookupError):
    """What an address names does not exist; `hint` says what to do."""

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message)
        self.hint = hint


class ErrorResponse(Response):
    """The one shape of every error: `{"error": {"code", "message", "hint"}, "detail"}`.

    A person who opened the address in a browser (the request accepts text/html) reads the same in a page.
    """

    media_type = "application/json"

    def __init__(self, status: int, code: str, message: str, hint: str = ""):
        whole = f"{message}; {hint}" if hint else message
        shape = {"error": {"code": code, "message": message, "hint": hint}, "detail": whole}
        super().__init__(
            json.dumps(shape, ensure_ascii=False).encode("utf-8", "replace"),
            status,
            {"Cache-Control": "no-store", "Vary": "Accept"},
        )
        self._said = message, hint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the error in the form that the caller reads."""
        if "text/html" in Headers(scope=scope).get("accept", ""):
            self.body = _error_page(*self._said).encode("utf-8", "replace")
            self.headers["Content-Length"] = str(len(self.body))
            self.headers["Content-Type"] = "text/html; charset=utf-8"
        await super().__call__(scope, receive, send)


def error_response(status: int, code: str, message: str, hint: str = "") -> Response:
    """An error in the one shape: `code` is for programs, `message` and `hint` for people."""
    return ErrorResponse(status, code, message, hint)


def _error_page(message: str, hint: str) -> str:
    title, advice = (escape(text[:1].upper() + text[1:]) for text in (message, hint))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/app/styles/base.css">
<main class="message"><h1>{title}</h1><p>{advice}</p><a class="plain" href="/">To the search page</a></main>
</html>
"""


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of this package, of validation and of routing answer in the one shape."""
    app.add_exception_handler(MediaSearchError, _own_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


async def _own_error(_: Request, error: Exception) -> Response:
    if isinstance(error, NotHereError):
        return error_response(404, "not_found", str(error), error.hint)
    message, _sep, hint = str(error).partition("; ")
    for branch, status, code in _STATUS:
        if isinstance(error, branch):
            return error_response(status, code, message, hint)
    _log.error("unexpected %s: %s", type(error).__name__, error)
    return error_response(500, "failed", message, hint)


async def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    given = first.get("input")
    shown = repr(given if not isinstance(given, str) or len(given) <= 60 else given[:60] + "…")
    return error_response(422, "bad_parameter", f"{name} is {shown}", _expected(first))


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return error_response(404, "not_found", "there is nothing at this address", "start at /")
    return error_response(error.status_code, "refused", str(error.detail))


def _expected(problem: dict[str, Any]) -> str:
    """What a parameter must be, in words."""
    context = problem.get("ctx", {})
    kind = str(problem["type"])
    if kind == "greater_than_equal":
        return f"the smallest value is {context['ge']}"
    if kind == "less_than_equal":
        return f"the largest value is {context['le']}"
    if kind.startswith("int_"):
        return "expected a whole number"
    if kind in ("float_parsing", "finite_number"):
        return "expected a number"
    if kind in ("literal_error", "enum"):
        return f"expected {context['expected']}"
    return str(problem["msg"])
