"""What does somebody outside say of a step that waits, and what became of that? Complete, fail."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from makegood import (
    ControlAnswer,
    Declined,
    InvalidInput,
    NotAwaited,
    OutcomeUnknown,
    Unavailable,
)
from makegood.cli.control import actor_of
from makegood.cli.status import DONE, ERROR, UNANSWERED
from makegood.cli.store import opened
from makegood.cli.writing import json_of, write
from makegood.picture.typeset import visible
from makegood.picture.words import lasted

if TYPE_CHECKING:
    from datetime import timedelta

    from makegood import Engine

__all__ = ["Saying", "complete", "fail"]

Kind = Literal["declined", "unavailable", "unknown"]

_ERRORS: dict[Kind, type[Exception]] = {
    "declined": Declined,
    "unavailable": Unavailable,
    "unknown": OutcomeUnknown,
}


class Saying(NamedTuple):
    """Of which step something is said, by whom, and how the answer is told."""

    store: str
    token: str
    actor: str | None
    """None stands for the login name."""
    wait: timedelta
    as_json: bool


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of what was said, as JSON shows it."""

    token: str
    answer: str | None
    """None: it is on record, and no worker has answered yet."""
    says: str


def complete(saying: Saying, result: str) -> int:
    """Say that a step is done, with its result as JSON."""
    raw = msgspec.Raw(result.encode())
    try:
        msgspec.json.decode(raw)
    except msgspec.MsgspecError as error:
        message = f"the result given is no JSON: {error}"
        raise InvalidInput(message) from error

    async def say(engine: Engine, actor: str) -> ControlAnswer | None:
        return await engine.complete(saying.token, raw, actor=actor, wait=saying.wait)

    return _tell(saying, say, accepted="the step is done")


def fail(saying: Saying, error: str, kind: Kind) -> int:
    """Say that a step failed, and how definite that is."""

    async def say(engine: Engine, actor: str) -> ControlAnswer | None:
        return await engine.fail(saying.token, _ERRORS[kind](error), actor=actor, wait=saying.wait)

    return _tell(saying, say, accepted="the step has failed")


Say = Callable[["Engine", str], Awaitable[ControlAnswer | None]]
"""How it is said: to an engine, by an actor."""


def _tell(saying: Saying, say: Say, *, accepted: str) -> int:
    """Say it, write what became of it in one sentence, and return the exit status."""
    answer: str | None
    try:
        said = asyncio.run(_said(saying, say))
    except NotAwaited as error:
        status, answer, sentence = ERROR, ControlAnswer.NOT_AWAITED.value, visible(str(error))
    else:
        answer = None if said is None else said.value
        match said:
            case None:
                status = UNANSWERED
                sentence = (
                    f"it is on record, and no worker has answered within {lasted(saying.wait)}; "
                    "the worker that next serves the run takes it"
                )
            case ControlAnswer.SAID_BEFORE:
                status, sentence = DONE, "the same was said before, and nothing changes"
            case _:
                status, sentence = DONE, accepted
    if saying.as_json:
        write(json_of(Told(token=saying.token, answer=answer, says=sentence)))
    elif status == ERROR:
        sys.stderr.write(f"{sentence}\n")
    else:
        write(sentence)
    return status


async def _said(saying: Saying, say: Say) -> ControlAnswer | None:
    actor = actor_of(saying.actor)
    async with opened(saying.store) as its:
        return await say(its.engine, actor)
