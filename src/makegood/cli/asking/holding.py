"""What does a person hold up or steer, and what became of that? Runs, nodes, and halts."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from makegood import ControlAnswer, InvalidInput
from makegood.cli.asking.refusals import refusal_of
from makegood.cli.control import Asking, actor_of, agrees, tell
from makegood.cli.status import DONE, ERROR
from makegood.cli.store import opened
from makegood.cli.writing import json_of, write
from makegood.journal.halting import EVERY_ENGINE, HaltKind
from makegood.picture.typeset import visible
from makegood.picture.words import cause
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from datetime import timedelta

    from makegood import ControlPreview, Halt, HaltPreview, Operator
    from makegood.values.ids import RunId

    Foresee = Callable[[Operator, RunId], Awaitable[ControlPreview]]

__all__ = ["Target", "pause", "resume", "retry_from", "set_result", "skip", "target_of"]


class Target(NamedTuple):
    """What is paused or resumed that is no run."""

    kind: HaltKind
    name: str

    @property
    def shown(self) -> str:
        """Name it in a sentence."""
        if self == Target(HaltKind.ENGINE, EVERY_ENGINE):
            return "every engine"
        return f"the {self.kind.value} {visible(self.name)}"


def target_of(
    run: str | None,
    *,
    workflow: str | None,
    engine: str | None,
    service: str | None,
    schedule: str | None,
    receptor: str | None,
) -> Target | None:
    """Return what the options name, or None where a run is named; exactly one must be."""
    named = [
        Target(kind, name)
        for kind, name in (
            (HaltKind.WORKFLOW, workflow),
            (HaltKind.ENGINE, engine),
            (HaltKind.SERVICE, service),
            (HaltKind.SCHEDULE, schedule),
            (HaltKind.RECEPTOR, receptor),
        )
        if name is not None
    ]
    if len(named) + (run is not None) != 1:
        message = (
            "name one thing: RUN, --workflow NAME, --engine NAME, --service NAME, --schedule NAME "
            "or --receptor NAME"
        )
        raise InvalidInput(message)
    return named[0] if named else None


# Pausing and resuming ----------------------------------------------------------------------------


def pause(
    asking: Asking, target: Target | None, *, lasting: timedelta | None, is_preview: bool
) -> int:
    """Have nothing more begun of a run, or of what is named."""
    if target is None:
        if lasting is not None:
            message = "--for is for what is halted; a run is paused until somebody resumes it"
            raise InvalidInput(message)

        async def ask(operator: Operator, run: RunId, actor: str) -> ControlAnswer | None:
            return await operator.pause(run, actor=actor, reason=asking.reason, wait=asking.wait)

        if is_preview:
            return _foresee(asking, "a pause", lambda operator, run: operator.preview_pause(run))
        return tell(asking, "pause", ask, accepted="is paused: nothing more begins")
    if is_preview:
        return _foresee_halt(asking, target)
    halt = asyncio.run(_halt(asking, target, lasting))
    return _tell_halt(asking, halt, f"{target.shown} is halted{_until(halt)}: nothing of it begins")


def resume(asking: Asking, target: Target | None, *, is_preview: bool) -> int:
    """Have a paused run, or what is halted, go on."""
    if target is None:

        async def ask(operator: Operator, run: RunId, actor: str) -> ControlAnswer | None:
            return await operator.resume(run, actor=actor, reason=asking.reason, wait=asking.wait)

        if is_preview:
            return _foresee(asking, "a resume", lambda operator, run: operator.preview_resume(run))
        return tell(asking, "resume", ask, accepted="goes on where it was")
    if is_preview:
        return _foresee_halt(asking, target)
    halt = asyncio.run(_lift(asking, target))
    return _tell_halt(asking, halt, f"{target.shown} goes on")


async def _halt(asking: Asking, target: Target, lasting: timedelta | None) -> Halt:
    actor = actor_of(asking.actor)
    async with opened(asking.store) as its:
        return await its.operator.halt(
            target.kind, target.name, actor=actor, reason=asking.reason, lasting=lasting
        )


async def _lift(asking: Asking, target: Target) -> Halt:
    actor = actor_of(asking.actor)
    async with opened(asking.store) as its:
        return await its.operator.lift(target.kind, target.name, actor=actor, reason=asking.reason)


def _tell_halt(asking: Asking, halt: Halt, says: str) -> int:
    write(json_of({"halt": halt, "says": says}) if asking.as_json else says)
    return DONE


def _until(halt: Halt) -> str:
    if halt.until is None:
        return ""
    return f" until {as_datetime(halt.until):%Y-%m-%d %H:%M:%S}"


def _foresee_halt(asking: Asking, target: Target) -> int:
    preview = asyncio.run(_halt_foreseen(asking, target))
    if asking.as_json:
        write(json_of(preview))
        return DONE
    stands = preview.stands
    if stands is None:
        write(f"{target.shown} is not halted")
    else:
        since = f"{as_datetime(stands.at):%Y-%m-%d %H:%M:%S}"
        why = f"{visible(stands.actor)}: {visible(stands.reason)}"
        write(f"{target.shown} is halted since {since}{_until(stands)}, by {why}")
    if target.kind not in {HaltKind.SERVICE, HaltKind.RECEPTOR}:
        noun = "run does" if preview.unfinished == 1 else "runs do"
        write(f"while it is, {preview.unfinished:,} unfinished {noun} not go on")
    return DONE


async def _halt_foreseen(asking: Asking, target: Target) -> HaltPreview:
    async with opened(asking.store) as its:
        return await its.operator.preview_halt(target.kind, target.name)


# Steering ---------------------------------------------------------------------------------------


def skip(asking: Asking, node: str, *, is_preview: bool, is_agreed: bool) -> int:
    """Show what skipping a node would come to, and ask for it when the person agrees."""

    async def ask(operator: Operator, run: RunId, actor: str) -> ControlAnswer | None:
        return await operator.skip(run, node, actor=actor, reason=asking.reason, wait=asking.wait)

    def foresee(operator: Operator, run: RunId) -> Awaitable[ControlPreview]:
        return operator.preview_skip(run, node)

    what = f"to skip `{visible(node)}`"
    if is_preview:
        return _foresee(asking, what, foresee)
    if not is_agreed and (status := _unless_agreed(asking, what, "skip it?", foresee)) is not None:
        return status
    return tell(asking, "skip", ask, accepted=f"goes on without `{visible(node)}`")


def set_result(asking: Asking, node: str, result: str, *, is_preview: bool, is_agreed: bool) -> int:
    """Show what giving a node its result would come to, and ask for it when the person agrees."""
    given = msgspec.Raw(result.encode())

    async def ask(operator: Operator, run: RunId, actor: str) -> ControlAnswer | None:
        return await operator.set_result(
            run, node, given, actor=actor, reason=asking.reason, wait=asking.wait
        )

    def foresee(operator: Operator, run: RunId) -> Awaitable[ControlPreview]:
        return operator.preview_set_result(run, node, given)

    what = f"to give `{visible(node)}` its result"
    if is_preview:
        return _foresee(asking, what, foresee)
    question = "give it this result?"
    if not is_agreed and (status := _unless_agreed(asking, what, question, foresee)) is not None:
        return status
    return tell(asking, "set-result", ask, accepted=f"has the result of `{visible(node)}`")


def retry_from(asking: Asking, node: str, *, is_preview: bool, is_agreed: bool) -> int:
    """Show what would be undone and done again, and ask for it when the person agrees."""

    async def ask(operator: Operator, run: RunId, actor: str) -> ControlAnswer | None:
        return await operator.retry_from(
            run, node, actor=actor, reason=asking.reason, wait=asking.wait
        )

    def foresee(operator: Operator, run: RunId) -> Awaitable[ControlPreview]:
        return operator.preview_retry_from(run, node)

    what = f"a retry from `{visible(node)}`"
    if is_preview:
        return _foresee(asking, what, foresee)
    question = "do it again from there?"
    if not is_agreed and (status := _unless_agreed(asking, what, question, foresee)) is not None:
        return status
    return tell(asking, "retry-from", ask, accepted=f"goes back for `{visible(node)}`")


def _unless_agreed(asking: Asking, what: str, question: str, foresee: Foresee) -> int | None:
    """Return with which status to end, unless it is possible and the person agrees."""
    if asking.as_json or not sys.stdin.isatty():
        message = (
            "this asks before it is done, and nobody can answer here; look with --preview, then "
            "add --yes"
        )
        raise InvalidInput(message)
    status = _foresee(asking, what, foresee)
    if status is not DONE:
        return status
    if not agrees(question):
        write("nothing was asked of the run")
        return ERROR
    return None


# What a request would come to --------------------------------------------------------------------


def _foresee(asking: Asking, what: str, foresee: Foresee) -> int:
    """Write what a request would come to, and say by the status whether it could be."""
    preview = asyncio.run(_foreseen(asking, foresee))
    if asking.as_json:
        write(json_of(preview))
    else:
        write("\n".join(_in_words(visible(asking.run), what, preview)))
    return DONE if preview.is_possible else ERROR


async def _foreseen(asking: Asking, foresee: Foresee) -> ControlPreview:
    async with opened(asking.store) as its:
        return await foresee(its.operator, await its.operator.find(asking.run))


def _in_words(run: str, what: str, preview: ControlPreview) -> Iterator[str]:
    if preview.answer is None:
        yield f"{what} of {run} would wait for what is at work: {_listed(preview.at_work)}"
        return
    if not preview.is_possible:
        yield f"{what} of {run} would be refused: {refusal_of(preview.answer)}"
        if preview.needed_by:
            yield f"  needed by {_listed(preview.needed_by)}"
        return
    yield f"{what} of {run} would be accepted; it is {preview.status} then"
    if preview.at_work:
        yield f"  at work, and recorded when it ends: {_listed(preview.at_work)}"
    if preview.goes_back is not None:
        yield f"  goes back: {cause(preview.goes_back)}"
    if preview.undoes:
        yield f"  undone first, in this order: {_listed(preview.undoes)}"
    if preview.again:
        yield f"  done again: {_listed(preview.again)}"
    if preview.begins:
        yield f"  begins at once: {_listed(preview.begins)}"


def _listed(paths: tuple[str, ...]) -> str:
    return ", ".join(visible(path) for path in paths)
