"""Halting a workflow, an engine or a service on a store, and lifting that again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from makegood.errors import InvalidInput, NotPaused
from makegood.journal.halting import EVERY_ENGINE, Halt, HaltKind, Lifting
from makegood.journal.protocol import Filter
from makegood.journal.upkeep import every_row
from makegood.values.instants import after
from makegood.values.limits import PAGE_RUNS_MAX

if TYPE_CHECKING:
    from makegood.runtime.shell import Shell

__all__ = ["HaltPreview", "halt", "lift", "preview_halt", "standing"]


class HaltPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a halt would come to now."""

    kind: HaltKind
    name: str
    stands: Halt | None
    """The halt that stands already, which stays unless the new one ends later."""
    unfinished: int
    """How many unfinished runs there are that it would keep from going on, parked ones not
    counted. Of a service and of a receptor it is 0: what they are given to is not known here."""


async def halt(
    shell: Shell, kind: HaltKind, name: str, *, actor: str, reason: str, lasting: timedelta | None
) -> Halt:
    """Let nothing more be begun, and return the halt that stands now."""
    _check_name(kind, name)
    now = shell.clock.now()
    if lasting is not None and lasting <= timedelta(0):
        message = f"a halt of {lasting} halts nothing; say how long it is to last, or leave it out"
        raise InvalidInput(message)
    until = None if lasting is None else after(now, lasting)
    wanted = Halt(kind=kind, name=name, actor=actor, reason=reason, at=now, until=until)
    stands = await shell.answer(shell.journal.halt(wanted))
    await _tell(shell)
    return stands


async def lift(shell: Shell, kind: HaltKind, name: str, *, actor: str, reason: str) -> Halt:
    """Lift the halt that stands, and return it; `NotPaused` where none does."""
    _check_name(kind, name)
    lifting = Lifting(actor=actor, reason=reason, at=shell.clock.now())
    lifted = await shell.answer(shell.journal.unhalt(kind, name, lifting))
    if lifted is None:
        message = (
            f"the {kind.value} {name!r} is not paused, so there is nothing to resume; name one "
            "that is"
        )
        raise NotPaused(message)
    await _tell(shell)
    return lifted


async def standing(shell: Shell) -> tuple[Halt, ...]:
    """Return the halts that stand now."""
    now = shell.clock.now()
    return tuple(halt for halt in await shell.answer(shell.journal.halts()) if halt.stands(now))


async def preview_halt(shell: Shell, kind: HaltKind, name: str) -> HaltPreview:
    """Say what a halt would come to now, without wanting it."""
    _check_name(kind, name)
    stands = [halt for halt in await standing(shell) if (halt.kind, halt.name) == (kind, name)]
    unfinished = 0
    if kind in {HaltKind.WORKFLOW, HaltKind.ENGINE}:
        workflow = name if kind is HaltKind.WORKFLOW else None
        wanted = Filter(workflow=workflow, unfinished=True, limit=PAGE_RUNS_MAX)
        async for row in every_row(shell.journal, wanted):
            unfinished += row.status != "parked"
    return HaltPreview(
        kind=kind, name=name, stands=stands[0] if stands else None, unfinished=unfinished
    )


def _check_name(kind: HaltKind, name: str) -> None:
    if not name.strip():
        message = f"the {kind.value} has no name; say which one is meant"
        raise InvalidInput(message)
    if name == EVERY_ENGINE and kind is not HaltKind.ENGINE:
        message = f"there is no {kind.value} {name!r}; only engines are halted all at once"
        raise InvalidInput(message)


async def _tell(shell: Shell) -> None:
    """Let this engine see it at once; others look within their poll."""
    await shell.answer(shell.halts.look_now())
    shell.look_up()
    shell.ring_worker()
    shell.ring_reception()
