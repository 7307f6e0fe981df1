"""How does one process answer HTTP until it is told to stop? With the user's own engine."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, cast

from makegood import InvalidInput
from makegood.cli.status import DONE
from makegood.cli.worker.working import engine_of, loop_factory, stopped_by_signals
from makegood.cli.workflows import object_at, workflows_of
from makegood.http.keys import KeyFile

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import uvicorn

    from makegood.extension import Extension

__all__ = ["Serving", "serve"]

_log = logging.getLogger("makegood")


class Serving(NamedTuple):
    """What is served, to whom, and where."""

    place: str
    keys: Path
    apps: Sequence[str]
    extensions: Sequence[str]
    host: str
    port: int


def serve(wanted: Serving, *, has_uvloop: bool) -> int:
    """Answer HTTP in this process; return the exit status."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s"
    )
    if not KeyFile(wanted.keys).all():
        message = f"{wanted.keys} has no key, so nobody could ask; `makegood keys create` makes one"
        raise InvalidInput(message)
    found = object_at(wanted.place, asked="http", wanted="an engine")
    with asyncio.Runner(loop_factory=loop_factory(has_uvloop=has_uvloop)) as runner:
        return runner.run(_serve(wanted, found))


async def _serve(wanted: Serving, found: object) -> int:
    try:
        import uvicorn  # noqa: PLC0415 - an optional extra

        from makegood.http.application import application  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        message = f'{error.name} is missing; run: pip install "makegood[http]"'
        raise InvalidInput(message) from None
    workflows = [each for app in wanted.apps for each in workflows_of(app)]
    extensions = [_extension_at(place) for place in wanted.extensions]
    with _listening(wanted.host, wanted.port) as listener:
        async with engine_of(wanted.place, found) as engine:
            app = application(
                engine, keys=KeyFile(wanted.keys), workflows=workflows, extensions=extensions
            )
            config = uvicorn.Config(app, lifespan="off", log_config=None, server_header=False)
            host, port = listener.getsockname()[:2]
            _log.info("%r answers at http://%s:%d", engine, host, port)
            await _until_stopped(uvicorn.Server(config), listener)
    return DONE


async def _until_stopped(server: uvicorn.Server, listener: socket.socket) -> None:
    stopped = stopped_by_signals()
    # One rule for all processes of makegood: the engine gives its runs to others before the end.
    server.capture_signals = _with_no_handlers  # type: ignore[method-assign]
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    stopping = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving


@contextmanager
def _with_no_handlers() -> Generator[None]:
    yield


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=_family(host))
    except OSError as error:
        message = f"nothing can listen at {host} port {port}: {error.strerror}"
        raise InvalidInput(message) from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _extension_at(place: str) -> Extension:
    found = object_at(place, asked="--extension", wanted="an extension")
    if not all(hasattr(found, name) for name in ("name", "migrations", "commands", "routes")):
        message = f"--extension {place} is {found!r:.80} and no extension"
        raise InvalidInput(message)
    return cast("Extension", found)
