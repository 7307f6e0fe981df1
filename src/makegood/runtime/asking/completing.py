"""Completing a step from outside, by the token that it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from makegood.decision.facts import ControlAnswer
from makegood.definition.plan import Kind
from makegood.errors import InvalidInput, NotAwaited, PayloadTooLarge, UnknownToken
from makegood.runtime.asking.post import CompletionPost, misfit_in
from makegood.runtime.asking.reading import ask, facts_of, history_of, required_plan, state_of
from makegood.runtime.calling.failing import as_failure, classify
from makegood.values.codec import NULL, writes_json
from makegood.values.ids import completion_token, effect_key, run_of_token
from makegood.values.instants import after
from makegood.values.limits import ACTOR_CHARACTERS_MAX, PAYLOAD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from makegood.decision.state import RunState
    from makegood.definition.code import Code
    from makegood.journal.protocol import RunRow
    from makegood.runtime.shell import Shell
    from makegood.values.ids import RunId

__all__ = ["complete", "fail", "token_of"]


class _Found(NamedTuple):
    """The step that a token is for."""

    run: RunId
    workflow: str
    fingerprint: str
    path: str
    number: int
    """Which of the step's tokens it is."""
    planned: int
    """The number by which the plan and its code know the step."""


async def complete(
    shell: Shell,
    codes: Mapping[str, Code],
    token: str,
    result: object,
    *,
    actor: str,
    wait: timedelta,
) -> ControlAnswer | None:
    """Say that the step of a token is done, with its result."""
    found = await _find(shell, token)
    raw = result if isinstance(result, msgspec.Raw) else msgspec.Raw(writes_json(result))
    if len(bytes(raw)) > PAYLOAD_BYTES_MAX:
        message = (
            f"the result given has {len(bytes(raw)):,} bytes as JSON; at most "
            f"{PAYLOAD_BYTES_MAX:,} are allowed: store it elsewhere and carry its id"
        )
        raise PayloadTooLarge(message)
    misfit = misfit_in(codes.get(found.fingerprint), found.planned, raw)
    if misfit is not None:
        message = f"the result given is none of `{found.path}`: {misfit}"
        raise InvalidInput(message)
    post = CompletionPost(
        node=found.path, number=found.number, planned=found.planned, result=raw, actor=actor
    )
    return await _say(shell, found, post, wait)


async def fail(
    shell: Shell,
    codes: Mapping[str, Code],
    token: str,
    error: Exception,
    *,
    actor: str,
    wait: timedelta,
) -> ControlAnswer | None:
    """Say that the step of a token failed; the class of the error says how definite that is."""
    found = await _find(shell, token)
    code = codes.get(found.fingerprint)
    retry_on = () if code is None else code.nodes[found.planned].retry_on
    failure = as_failure(error, classify(error, Kind.STEP, retry_on))
    post = CompletionPost(
        node=found.path,
        number=found.number,
        planned=found.planned,
        result=NULL,
        failure=failure,
        actor=actor,
    )
    return await _say(shell, found, post, wait)


def token_of(row: RunRow, state: RunState, index: int) -> str:
    """Return the token by which a step that waits is completed."""
    return _token(row, state, index, len(state.nodes[index].told))


def _token(row: RunRow, state: RunState, index: int, number: int) -> str:
    path, generation = state.graph[index].path, state.nodes[index].generation
    key = effect_key(row.workflow, row.key or row.run, path, "do", generation=generation)
    return completion_token(row.run, key, number)


async def _find(shell: Shell, token: str) -> _Found:
    run = run_of_token(token)
    history = await history_of(shell, run)
    plan = await required_plan(shell, history)
    state = state_of(history, plan, facts_of(history))
    for index, node in enumerate(state.nodes):
        if not node.attempt:
            continue
        for number in range(len(node.told) + 1):
            if _token(history.row, state, index, number) == token:
                return _Found(
                    run=run,
                    workflow=history.row.workflow,
                    fingerprint=plan.fingerprint,
                    path=state.graph[index].path,
                    number=number,
                    planned=state.number_of(index),
                )
    message = (
        f"no step of run {run} has the token {token!r}; take the one that `describe()` of the run "
        "shows of the step"
    )
    raise UnknownToken(message)


async def _say(
    shell: Shell, found: _Found, post: CompletionPost, wait: timedelta
) -> ControlAnswer | None:
    if len(post.actor) > ACTOR_CHARACTERS_MAX:
        message = f"the actor has {len(post.actor):,} characters; name one in fewer"
        raise InvalidInput(message)
    answer = await ask(shell, found.run, post, until=after(shell.clock.now(), wait))
    match answer:
        case None | ControlAnswer.ACCEPTED | ControlAnswer.SAID_BEFORE:
            return answer
        case ControlAnswer.SAID_OTHERWISE:
            message = (
                f"`{found.path}` of run {found.run} was completed with this token before, and "
                "otherwise; what was said first stands, so undo or cancel the run if it was wrong"
            )
            raise NotAwaited(message, state=await _state_of(shell, found))
        case ControlAnswer.NOT_A_RESULT:
            message = (
                f"the result given is none of `{found.path}`: it is not of its type; give one of "
                "the type that the step returns"
            )
            raise InvalidInput(message)
        case _:
            state = await _state_of(shell, found)
            message = (
                f"`{found.path}` of run {found.run} waits for nobody outside: its state is "
                f"`{state}`; nothing was changed"
            )
            raise NotAwaited(message, state=state)


async def _state_of(shell: Shell, found: _Found) -> str:
    """Return in a word where the step stands."""
    history = await history_of(shell, found.run)
    plan = await required_plan(shell, history)
    state = state_of(history, plan, facts_of(history))
    phase = state.nodes[state.positions[found.path]].phase
    return phase.name.lower().replace("_", " ")
