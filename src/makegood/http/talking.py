"""What others say over HTTP: messages for runs, how a step ended, and signed webhooks."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from makegood.errors import Declined, InvalidInput, OutcomeUnknown, Unavailable, UnknownMessage
from makegood.extension import Answer, Ask, HttpRoute
from makegood.runtime.asking.messages import named_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.definition.call import Workflow
    from makegood.runtime.engine import Engine

__all__ = ["talk_routes"]

_ANSWERED_WITHIN = timedelta(seconds=5)

_ERRORS: dict[str, type[Exception]] = {
    "declined": Declined,
    "unavailable": Unavailable,
    "unknown": OutcomeUnknown,
}


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message at once."""

    id: str
    run: str | None
    """The run that it was given to; None while it is kept for one that does not wait yet."""
    until: datetime
    """Until when it is kept."""
    state: Literal["stored", "duplicate"]
    """Whether it was stored now, or was received before."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a step failed that waits for somebody outside."""

    error: str
    kind: Literal["declined", "unavailable", "unknown"]
    """A definite no; not now, try again; or nobody knows."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of what was said of a step."""

    answer: str | None
    """None: it is on record, and no worker has taken it yet."""


# Any: a workflow is looked at whatever it takes and returns.
def talk_routes(workflows: Iterable[Workflow[..., Any]]) -> tuple[HttpRoute, ...]:
    """Return the routes of messages and completions; of messages those for these workflows."""
    known = tuple(workflows)

    async def send(engine: Engine, ask: Ask) -> Answer:
        wanted = ask.path["message"]
        codec = named_message(known, wanted)
        if codec is None:
            message = f"no workflow that is served over HTTP waits for one message named {wanted!r}"
            raise UnknownMessage(message)
        sent = await engine.send(codec.read(ask.body), key=ask.path["key"], id=ask.key)
        # It is kept either way: who waits for it may come later.
        return Answer(
            value=Sent(id=sent.id, run=sent.run, until=sent.until, state=sent.state),
            status=HTTPStatus.ACCEPTED if sent.run is None else HTTPStatus.OK,
        )

    return (
        HttpRoute(
            method="POST",
            path="/messages/{message}/{key}",
            scope="messages:write",
            handle=send,
            gives=Sent,
            needs_key=True,
            summary="Send a message to the run that waits for it, now or later.",
        ),
        HttpRoute(
            method="POST",
            path="/steps/{token}/complete",
            scope="steps:write",
            handle=_complete,
            gives=Taken,
            summary="Say that a step is done which waits for this; the body is its result.",
        ),
        HttpRoute(
            method="POST",
            path="/steps/{token}/fail",
            scope="steps:write",
            handle=_fail,
            takes=Failed,
            gives=Taken,
            summary="Say that a step which waits for somebody outside failed.",
        ),
    )


async def _complete(engine: Engine, ask: Ask) -> Answer:
    try:
        msgspec.json.decode(ask.body)
    except msgspec.DecodeError as error:
        message = f"the result given is no JSON: {error}"
        raise InvalidInput(message) from None
    said = await engine.complete(
        ask.path["token"],
        msgspec.Raw(ask.body),
        actor=f"key {ask.actor}",
        wait=_ANSWERED_WITHIN,
    )
    return _taken(said)


async def _fail(engine: Engine, ask: Ask) -> Answer:
    failed: Failed = ask.value
    said = await engine.fail(
        ask.path["token"],
        _ERRORS[failed.kind](failed.error),
        actor=f"key {ask.actor}",
        wait=_ANSWERED_WITHIN,
    )
    return _taken(said)


def _taken(said: str | None) -> Answer:
    status = HTTPStatus.ACCEPTED if said is None else HTTPStatus.OK
    return Answer(value=Taken(answer=said), status=status)
