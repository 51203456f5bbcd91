"""Errors as HTTP: one JSON shape, a status for each branch of the error tree, and sentences that help."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

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


def error_response(status: int, code: str, message: str, hint: str = "") -> JSONResponse:
    """The one shape of every error: `{"error": {"code", "message", "hint"}, "detail"}`."""
    whole = f"{message}; {hint}" if hint else message
    return JSONResponse(
        {"error": {"code": code, "message": message, "hint": hint}, "detail": whole},
        status_code=status,
        headers={"Cache-Control": "no-store"},
    )


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of this package, of validation and of routing answer in the one shape."""
    app.add_exception_handler(MediaSearchError, _own_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


async def _own_error(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, NotHereError):
        return error_response(404, "not_found", str(error), error.hint)
    message, _sep, hint = str(error).partition("; ")
    for branch, status, code in _STATUS:
        if isinstance(error, branch):
            return error_response(status, code, message, hint)
    _log.error("unexpected %s: %s", type(error).__name__, error)
    return error_response(500, "failed", message, hint)


async def _validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    given = first.get("input")
    shown = repr(given if not isinstance(given, str) or len(given) <= 60 else given[:60] + "…")
    return error_response(422, "bad_parameter", f"{name} is {shown}", _expected(first))


async def _http_error(_: Request, error: Exception) -> JSONResponse:
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
