"""Which runs do not get on by themselves? Every unfinished run is looked at and left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision.people.control import waited_for
from makegood.errors import UnknownRun, UnreadableRun
from makegood.journal.halting import Halt
from makegood.journal.protocol import Filter, RunRow
from makegood.journal.upkeep import every_row
from makegood.runtime.asking.halting import standing
from makegood.runtime.asking.reading import facts_of, history_of, required_plan, state_of
from makegood.runtime.asking.waking import unwoken_runs
from makegood.runtime.moving.stranding import StrandedRun, stranding_among
from makegood.values.limits import PAGE_RUNS_MAX

if TYPE_CHECKING:
    from collections.abc import Collection

    from makegood.runtime.moving.fitting import Declared
    from makegood.runtime.shell import Shell

__all__ = ["ParkedRun", "Stuck", "stuck_runs"]


class ParkedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that waits for a person."""

    row: RunRow
    """`row.reason` says why it is parked."""
    left: tuple[str, ...]
    """The nodes that it waits for: paths."""
    problem: str | None = None
    """Why it is not known what is left: its facts or its plan cannot be read."""


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that do not get on by themselves."""

    unwoken: tuple[RunRow, ...]
    """Nothing will wake them: nobody holds them and they have no wake time, though they have not
    ended or something was posted to them. There should never be one."""
    parked: tuple[ParkedRun, ...]
    """They wait for a person."""
    stranded: tuple[StrandedRun, ...]
    """Unfinished, and nobody can carry them on: their plan is not in the journal, or what is
    recorded of them fits nothing that is served. A parked run may be stranded too."""
    paused: tuple[RunRow, ...] = ()
    """Somebody has paused them."""
    halts: tuple[Halt, ...] = ()
    """What is halted on the store: nothing of that goes on."""


async def stuck_runs(shell: Shell, served: Collection[Declared] | None) -> Stuck:
    """Return the runs that do not get on by themselves, the newest first."""
    parked: list[ParkedRun] = []
    paused: list[RunRow] = []
    stranded: list[StrandedRun] = []
    async for row in every_row(shell.journal, Filter(unfinished=True, limit=PAGE_RUNS_MAX)):
        if row.status == "parked":
            parked.append(await _parked(shell, row))
        if row.status == "paused":
            paused.append(row)
        why = await stranding_among(shell, row, served)
        if why is not None:
            stranded.append(why)
    return Stuck(
        unwoken=await unwoken_runs(shell.journal),
        parked=tuple(parked),
        paused=tuple(paused),
        halts=await standing(shell),
        stranded=tuple(stranded),
    )


async def _parked(shell: Shell, row: RunRow) -> ParkedRun:
    try:
        history = await history_of(shell, row.run)
        plan = await required_plan(shell, history)
        state = state_of(history, plan, facts_of(history))
    except (UnknownRun, UnreadableRun) as error:
        return ParkedRun(row=row, left=(), problem=str(error))
    left = tuple(state.graph[index].path for index in waited_for(plan, state))
    return ParkedRun(row=row, left=left)
