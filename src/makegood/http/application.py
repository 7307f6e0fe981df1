"""The HTTP service as one ASGI application: the routes of the engine and those of extensions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from makegood.errors import DefinitionError, InvalidInput
from makegood.extension import Answer, Ask, HttpRoute
from makegood.http.gate import ACTOR, Admission, Gate
from makegood.http.health import health_routes
from makegood.http.problems import on_error, on_http_error
from makegood.http.runs import run_routes
from makegood.http.talking import talk_routes
from makegood.values.codec import Codec, codec_of, writes_json
from makegood.values.limits import PAYLOAD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from makegood.definition.call import Workflow
    from makegood.extension import Extension
    from makegood.http.keys import Keys
    from makegood.runtime.engine import Engine

__all__ = ["application"]

# Any: a workflow is started whatever it takes and returns.
AnyWorkflow = Any

_PLACE = re.compile(r"\{(\w+)(?::\w+)?\}")
_BODY_WITHIN = timedelta(seconds=30)
_KEY = "idempotency-key"


def application(
    engine: Engine,
    *,
    keys: Keys,
    workflows: Iterable[Workflow[..., Any]] = (),
    extensions: Sequence[Extension] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    body_within: timedelta = _BODY_WITHIN,
) -> FastAPI:
    """Return the HTTP service of an engine, which must be open while it is asked.

    Nobody is let in without an API key of `keys` that has the scope of the route, but for those
    routes that are declared for everybody. Only `workflows` can be started, and be sent messages,
    by name; what `extensions` bring stands below their names. Routes that you add are refused to
    everybody: give them as those of an extension, where each names its scope. A body that has not
    come `body_within` is given up.

    Raises `DefinitionError` for two routes of one method and path.
    """
    app = FastAPI(title="makegood", version="1", openapi_url=None, docs_url=None, redoc_url=None)
    admissions: dict[object, Admission] = {}
    taken: set[tuple[str, str]] = set()
    served = tuple(workflows)
    own = [*health_routes(), *run_routes(served), *talk_routes(served), _described(app)]
    theirs = [
        msgspec.structs.replace(route, path=f"/{extension.name}{route.path}")
        for extension in extensions
        for route in extension.routes
    ]
    for route in [*own, *theirs]:
        if (route.method, route.path) in taken:
            message = f"two routes answer {route.method} {route.path}; give one another path"
            raise DefinitionError(message)
        taken.add((route.method, route.path))
        endpoint = _endpoint(engine, route)
        app.add_api_route(
            route.path,
            endpoint,
            methods=[route.method],
            summary=route.summary,
            operation_id=f"{route.method} {route.path}",
            response_class=Response,
            openapi_extra=_documented(route),
        )
        body_max = PAYLOAD_BYTES_MAX if route.body_max is None else route.body_max
        admissions[endpoint] = Admission(route.scope, body_max)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_error)
    app.add_middleware(
        Gate,
        routes=app,
        admissions=admissions,
        keys=keys,
        now=now,
        body_within=body_within,
    )
    return app


def _endpoint(engine: Engine, route: HttpRoute) -> Callable[[Request], Awaitable[Response]]:
    # Any: the type of the body is the route's own.
    codec: Codec[Any] | None = None if route.takes is None else codec_of(route.takes)

    async def endpoint(request: Request) -> Response:
        try:
            ask = await _asked(request, route, codec)
            return _written(await route.handle(engine, ask))
        except Exception as error:  # noqa: BLE001 - whatever it raises is a problem
            return on_error(request, error)

    return endpoint


# Any: as above.
async def _asked(request: Request, route: HttpRoute, codec: Codec[Any] | None) -> Ask:
    body = await request.body()
    key = request.headers.get(_KEY)
    if route.needs_key and not key:
        message = "an `Idempotency-Key` header is needed: whoever asks again gives the same one"
        raise InvalidInput(message)
    return Ask(
        path=request.path_params,
        query=dict(request.query_params),
        headers=dict(request.headers),
        body=body,
        value=None if codec is None else codec.read(body),
        actor=request.scope[ACTOR],
        key=key or None,
    )


def _written(answer: Answer) -> Response:
    if isinstance(answer.value, bytes):
        return Response(answer.value, answer.status, dict(answer.headers))
    body = b"" if answer.status == HTTPStatus.NO_CONTENT else writes_json(answer.value)
    return Response(body, answer.status, {"content-type": "application/json", **answer.headers})


def _documented(route: HttpRoute) -> dict[str, Any]:  # Any: OpenAPI is whatever JSON it likes.
    """Return what OpenAPI says of a route besides its path and summary."""
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PLACE.findall(route.path)
    ]
    if route.needs_key:
        header = {"name": "Idempotency-Key", "in": "header", "required": True}
        parameters.append({**header, "schema": {"type": "string"}})
    said: dict[str, Any] = {"parameters": parameters}
    if route.scope is not None:
        said["security"] = [{"key": [route.scope]}]
        said["description"] = f"Needs the scope `{route.scope}`."
    if route.takes is not None:
        said["requestBody"] = {"required": True, "content": _content(route.takes)}
    if route.gives is not None:
        said["responses"] = {
            "200": {"description": "What is asked for.", "content": _content(route.gives)}
        }
    return said


# Any: a type form, and a schema.
def _content(kind: Any) -> dict[str, Any]:
    (schema,), parts = msgspec.json.schema_components(
        (kind,), schema_hook=lambda _kind: {}, ref_template="#/$defs/{name}"
    )
    return {"application/json": {"schema": {**schema, "$defs": parts} if parts else schema}}


def _described(app: FastAPI) -> HttpRoute:
    async def describe(_engine: object, _ask: Ask) -> Answer:
        described = app.openapi()
        scheme = {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}}
        described.setdefault("components", {})["securitySchemes"] = scheme
        return Answer(value=described)

    return HttpRoute(
        method="GET",
        path="/openapi.json",
        scope="runs:read",
        handle=describe,
        summary="What this service can be asked, as OpenAPI 3.1.",
    )
