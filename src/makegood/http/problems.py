"""What is answered where something is wrong? One problem (RFC 9457) for every kind of error."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from rfc9457 import Problem
from starlette.exceptions import HTTPException
from starlette.responses import Response

from makegood import errors
from makegood.values.codec import writes_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

__all__ = ["answered", "on_error", "on_http_error", "problem", "problem_of"]

_log = logging.getLogger("makegood")

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


_STATUS: tuple[tuple[type[errors.MakegoodError], HTTPStatus], ...] = (
    (errors.PayloadTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (errors.UnknownMessage, HTTPStatus.NOT_FOUND),
    (errors.InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.KeyConflict, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.TooDeep, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.UnknownRun, HTTPStatus.NOT_FOUND),
    (errors.UnknownToken, HTTPStatus.NOT_FOUND),
    (errors.NotAwaited, HTTPStatus.CONFLICT),
    (errors.ControlRefused, HTTPStatus.CONFLICT),
    (errors.NotPaused, HTTPStatus.CONFLICT),
    (errors.UnreadableRun, HTTPStatus.CONFLICT),
    (errors.MailboxFull, HTTPStatus.TOO_MANY_REQUESTS),
    (errors.BadSignature, HTTPStatus.BAD_REQUEST),
    (errors.StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.EngineClosed, HTTPStatus.SERVICE_UNAVAILABLE),
)
"""How each error of the package is answered: the first that it is one of."""

_AGAIN_SECONDS = 1
"""When whoever was answered 503 or 429 may ask again."""


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    name: str = "",
    headers: Mapping[str, str] | None = None,
    **more: str,
) -> Problem:
    """Return a problem; `name` is what programs know it by, and `more` goes beside it."""
    kind = (name or status.phrase).lower().replace(" ", "-")
    return Problem(
        title=status.phrase,
        type_=f"urn:makegood:problem:{kind}",
        detail=detail,
        status=status.value,
        headers=dict(headers or {}),
        **more,
    )


def problem_of(error: Exception) -> Problem:
    """Return how an error is answered; what nobody has foreseen is logged and not told."""
    if isinstance(error, Problem):
        return error
    for kind, status in _STATUS:
        if isinstance(error, kind):
            again = status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}
            more = {
                name: str(getattr(error, name))
                for name in ("answer", "state")
                if hasattr(error, name)
            }
            return problem(
                status,
                str(error),
                name=_WORDS.sub("-", type(error).__name__),
                headers={"retry-after": str(_AGAIN_SECONDS)} if again else None,
                **more,
            )
    _log.error("a route failed", exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "something went wrong here; what it was is in the log of this service",
    )


def answered(found: Problem) -> Response:
    """Return a problem as a response."""
    headers = {"content-type": "application/problem+json", **(found.headers or {})}
    return Response(writes_json(found.marshal()), found.status, headers)


def on_error(_request: Request, error: Exception) -> Response:
    """Answer an error that a route has raised."""
    return answered(problem_of(error))


def on_http_error(_request: Request, error: Exception) -> Response:
    """Answer what the framework refuses: no such route, or not by that method."""
    assert isinstance(error, HTTPException), "it is asked for these alone"
    status = HTTPStatus(error.status_code)
    return answered(problem(status, error.detail, headers=error.headers))
