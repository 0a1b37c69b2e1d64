"""Errors of the house -> RFC 9457 problem details; the one table that knows both an error and an HTTP status."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hilum import errors

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1

# The first class that fits decides; a test proves that every error of the tree has a row.
STATUS: tuple[tuple[type[errors.HilumError], int], ...] = (
    (errors.NotFound, 404),
    (errors.ImageGone, 404),
    (errors.DuplicateRecord, 409),
    (errors.StorageError, 503),
    (errors.UnknownTask, 404),
    (errors.UnknownModel, 404),
    (errors.MissingExtra, 501),
    (errors.ErasedAlready, 409),
    (errors.NothingSaid, 409),
    (errors.TooLarge, 413),
    (errors.UsageError, 422),
    (errors.ImageTooLarge, 413),
    (errors.UnsupportedFormat, 415),
    (errors.ForbiddenAddress, 403),
    (errors.InputError, 422),
    (errors.NotSignedIn, 401),
    (errors.TooManyAttempts, 429),
    (errors.AccessError, 403),
    (errors.DataError, 422),
    (errors.PackageError, 503),
    (errors.TrainingError, 500),
    (errors.Full, 503),
    (errors.Late, 504),
    (errors.Stopping, 503),
    (errors.Busy, 503),
    (errors.HilumError, 500),
)

# Errors whose words may name folders and hosts -> what the caller is told instead; the log has their words.
QUIET: tuple[tuple[type[errors.HilumError], str], ...] = (
    (errors.StorageError, "it could not be put on record or kept, so nothing was answered"),
    (errors.PackageNotTrusted, "the model package is neither pinned nor signed; the server's log says which"),
    (errors.PackageError, "the model package must not be used; the server's log says why"),
)

# What the schema says of every operation: any other status than those it names is a problem.
ANY_ERROR = {
    "description": "an error (RFC 9457); `code` names it",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

log = logging.getLogger("hilum.http")


class Problem(Exception):
    """A request that ends here: status, code (the last part of `type`), and a sentence for the caller."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers = status, code, detail, dict(headers or {})


def problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The response; `error` repeats the detail, because the Open Inference Protocol asks for it."""
    body = {
        "type": f"urn:hilum:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "error": detail,
    }
    return Response(json.dumps(body), status, dict(headers or {}), MEDIA_TYPE)


def told_as(media: str, status: int = 200, words: str = "Successful Response") -> dict[int | str, dict[str, Any]]:
    """For the schema: an answer of this status that comes as `media`."""
    return {status: {"description": words, "content": {media: {}}}}


def status_of(error: errors.HilumError) -> int:
    """The HTTP status of an error."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def from_error(error: BaseException) -> Response:
    """Any error as a problem; one that is not of the house says nothing of what happened inside."""
    if isinstance(error, Problem):
        return problem(error.status, error.code, error.detail, error.headers)
    if isinstance(error, errors.HilumError):
        return problem(status_of(error), error.code, _words(error), _again(error))
    log.error("unexpected error: %s", type(error).__name__, exc_info=error)
    return problem(500, "internal", "something went wrong here; the server's log says what")


def _words(error: errors.HilumError) -> str:
    instead = next((words for kind, words in QUIET if isinstance(error, kind)), "")
    if status_of(error) != 503 or not instead:
        return str(error)
    log.error("%s: %s", error.code, error)
    return instead


def _again(error: errors.HilumError) -> dict[str, str]:
    """When to come again, where that helps."""
    if isinstance(error, errors.TooManyAttempts):
        return {"Retry-After": str(math.ceil(error.seconds))}
    soon = isinstance(error, errors.Busy | errors.StorageError) and status_of(error) >= 500
    return {"Retry-After": str(RETRY_SECONDS)} if soon else {}


def install(app: FastAPI) -> None:
    """Make every error of every route leave as a problem."""

    async def known(_: Request, error: Exception) -> Response:
        return from_error(error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = error.detail if error.status_code != 404 else f"there is nothing at {request.url.path}"
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        return problem(error.status_code, code, str(detail), error.headers)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem(422, "invalid", in_words(error.errors()))

    app.add_exception_handler(errors.HilumError, known)
    app.add_exception_handler(Problem, known)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, known)


def in_words(faults: Sequence[Any]) -> str:
    """The members of a body that do not fit, each with the reason, as Pydantic tells them."""
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in faults[:5])


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return JSONResponse(value, status, dict(headers or {}))
