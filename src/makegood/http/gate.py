"""May this caller ask this at all? The one place that lets a request in; nothing is let in else.

A route that nobody has declared a scope for is refused to everybody, whoever has added it, and
whoever is not known is not even told which routes there are.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import Match

from makegood.http.keys import bearer, fits
from makegood.http.problems import answered, problem, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from rfc9457 import Problem
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from makegood.http.keys import ApiKey, Keys

__all__ = ["ACTOR", "Admission", "Gate"]

ACTOR = "makegood.actor"
"""Where the scope of an admitted request says who asks."""

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_POLICY_VIOLATED = 1008  # RFC 6455, section 7.4.1


class Admission(NamedTuple):
    """What a route asks of its callers."""

    scope: str | None
    """What their key must be allowed to do; None: they need none."""
    body_max: int
    """How many bytes they may send."""


class Gate:
    """ASGI middleware in front of all routes of an application.

    `admissions` says what is asked of the callers of each route, by its endpoint.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Starlette,
        admissions: Mapping[object, Admission],
        keys: Keys,
        now: Callable[[], datetime],
        body_within: timedelta,
    ) -> None:
        self._app = app
        self._routes = routes
        self._admissions = admissions
        self._keys = keys
        self._now = now
        self._body_within = body_within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, _with_headers(send))
        else:
            # No route speaks anything else.
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATED})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = next((each for each in self._routes.routes if _leads_to(each, scope)), None)
        admission = self._admissions.get(getattr(route, "endpoint", None))
        try:
            is_open = admission is not None and admission.scope is None
            key = None if is_open else self._known(Headers(scope=scope))
            found = None if is_open else _refused(key, route, admission)
        except Exception as error:  # noqa: BLE001 - keys may be kept anywhere
            key, found = None, problem_of(error)
        if found is None and admission is not None:
            body = await self._body(scope, receive, admission)
            found, receive = (body, receive) if not callable(body) else (None, body)
        if found is not None:
            await answered(found)(scope, receive, send)
            return
        scope[ACTOR] = "" if key is None else key.name
        await self._app(scope, receive, send)

    def _known(self, headers: Headers) -> ApiKey | None:
        """Return the key that a request brings, if it is one and may be used now."""
        given = bearer(headers.get("authorization"))
        if given is None:
            return None
        id, text = given
        key = self._keys.find(id)
        return key if fits(key, text, now=self._now()) else None

    async def _body(
        self, scope: Scope, receive: Receive, admission: Admission
    ) -> Receive | Problem:
        """Take the whole body, and return what gives it once more; or why it is refused."""
        announced = Headers(scope=scope).get("content-length", "0")
        too_large = problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {admission.body_max:,} bytes",
        )
        if not announced.isdecimal() or int(announced) > admission.body_max:
            return too_large
        parts, size, more = [b""], 0, True
        try:
            async with asyncio.timeout(self._body_within.total_seconds()):
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        break
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > admission.body_max:
                        return too_large
                    more = message.get("more_body", False)
        except TimeoutError:
            return problem(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time")
        if more:
            return problem(HTTPStatus.BAD_REQUEST, "the body ended early")
        return _told(b"".join(parts), receive)


def _leads_to(route: BaseRoute, scope: Scope) -> bool:
    return route.matches(scope)[0] is Match.FULL


def _refused(
    key: ApiKey | None, route: BaseRoute | None, admission: Admission | None
) -> Problem | None:
    """Say why a caller may not go on; None where it may."""
    if key is None:
        return problem(
            HTTPStatus.UNAUTHORIZED,
            "an API key is needed that is valid now, as in `Authorization: Bearer mg_…`",
            headers={"www-authenticate": "Bearer"},
        )
    if route is None:
        # Whoever is known may learn that there is no such route.
        return None
    if admission is None:
        return problem(HTTPStatus.FORBIDDEN, "nobody has declared who may use this route")
    if admission.scope not in key.scopes:
        return problem(
            HTTPStatus.FORBIDDEN,
            f"this key may not be used for {admission.scope}",
            headers={
                "www-authenticate": f'Bearer error="insufficient_scope" scope="{admission.scope}"'
            },
            scope=admission.scope or "",
        )
    return None


def _told(body: bytes, receive: Receive) -> Receive:
    """Return what tells a body that was taken already, and then what comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def tell() -> Message:
        return left.pop() if left else await receive()

    return tell


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", [])))
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            message = {**message, "headers": headers.raw}
        await send(message)

    return sending
