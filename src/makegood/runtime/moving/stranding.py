"""Which runs can nobody carry on, as workflows are declared? They are read, and never claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.journal.protocol import Filter, RunRow
from makegood.journal.upkeep import every_row
from makegood.runtime.asking.reading import plan_of
from makegood.runtime.moving.fitting import misfit_of_history
from makegood.values.limits import PAGE_RUNS_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from makegood.runtime.moving.fitting import Declared
    from makegood.runtime.shell import Shell

__all__ = ["StrandedRun", "stranded_by", "stranding", "stranding_among"]


class StrandedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has not ended and that nobody can carry on."""

    row: RunRow
    difference: str
    """What keeps it from going on under what is declared, in one sentence."""
    fact: int | None = None
    """Which of its recorded facts is the first that does not fit, counted from 1; None: its plan
    is not known, or nothing of its name is declared."""
    node: str | None = None
    """The node that this fact is about."""


async def stranded_by(shell: Shell, declared: Sequence[Declared]) -> AsyncIterator[StrandedRun]:
    """Give the unfinished runs of these workflows that cannot go on as they are declared.

    Those that have the very plan are read too: what a type holds may have changed.
    """
    by_name: dict[str, list[Declared]] = {}
    for each in declared:
        by_name.setdefault(each.plan.workflow, []).append(each)
    for name, candidates in by_name.items():
        wanted = Filter(workflow=name, unfinished=True, limit=PAGE_RUNS_MAX)
        async for row in every_row(shell.journal, wanted):
            stranded = await stranding(shell, row, candidates)
            if stranded is not None:
                yield stranded


async def stranding_among(
    shell: Shell, row: RunRow, served: Collection[Declared] | None
) -> StrandedRun | None:
    """Return why none of what is served can carry a run on, or None.

    One whose very plan is served is not read. Where it is not known what is served, only a plan
    that the journal lacks strands a run.
    """
    candidates = [each for each in served or () if each.plan.workflow == row.workflow]
    is_served = any(each.plan.fingerprint == row.fingerprint for each in candidates)
    if (served is None or is_served) and await plan_of(shell, row.fingerprint) is not None:
        return None
    return await stranding(shell, row, candidates)


async def stranding(
    shell: Shell, row: RunRow, candidates: Sequence[Declared]
) -> StrandedRun | None:
    """Return why none of these declarations of a run's workflow can carry it on, or None."""
    old = await plan_of(shell, row.fingerprint)
    if old is None:
        return StrandedRun(row=row, difference=f"its plan {row.fingerprint} is not in the journal")
    if not candidates:
        return StrandedRun(row=row, difference=f"nothing named `{row.workflow}` is declared")
    found = await shell.answer(shell.journal.read_all([row.run]))
    if not found:
        # It was removed in the meantime.
        return None
    stranded: StrandedRun | None = None
    for each in _most_alike(row, candidates):
        misfit = misfit_of_history(found[0], old, each)
        if misfit is None:
            return None
        if stranded is None:
            stranded = StrandedRun(
                row=row, difference=misfit.sentence, fact=misfit.position, node=misfit.node
            )
    return stranded


def _most_alike(row: RunRow, candidates: Sequence[Declared]) -> Sequence[Declared]:
    """Return the declarations in the order in which their differences are of interest."""
    return sorted(candidates, key=lambda each: each.plan.fingerprint != row.fingerprint)
