"""Is this process alive, and can it do its work? For whoever starts and stops it: anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.extension import Answer, Ask, HttpRoute
from makegood.journal.protocol import Filter

if TYPE_CHECKING:
    from makegood.runtime.engine import Engine

__all__ = ["health_routes"]


def health_routes() -> tuple[HttpRoute, ...]:
    """Return the routes that need no key."""
    return (
        HttpRoute(
            method="GET",
            path="/health/live",
            scope=None,
            handle=_live,
            summary="Whether this process answers at all.",
            body_max=0,
        ),
        HttpRoute(
            method="GET",
            path="/health/ready",
            scope=None,
            handle=_ready,
            summary="Whether its store answers too: 503 where it does not.",
            body_max=0,
        ),
    )


async def _live(_engine: Engine, _ask: Ask) -> Answer:
    return Answer(value={"status": "live"})


async def _ready(engine: Engine, _ask: Ask) -> Answer:
    await engine.list(Filter(limit=1))
    return Answer(value={"status": "ready"})
