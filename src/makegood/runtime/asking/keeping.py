"""What is kept of runs that have ended? Their history is pruned with age, and erased on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision.facts import EndStatus, Erased, read_facts, write_facts
from makegood.decision.people.erasure import without_values
from makegood.errors import UnknownRun
from makegood.journal.protocol import Filter, RunRow
from makegood.journal.upkeep import every_row
from makegood.runtime.clock import pause
from makegood.runtime.shell import UNREADABLE
from makegood.values.instants import Instant, after
from makegood.values.limits import PAGE_MESSAGES_MAX, PAGE_RUNS_MAX

if TYPE_CHECKING:
    from datetime import timedelta

    from makegood.runtime.shell import Shell

__all__ = ["NEVER", "ErasureReport", "erase", "prune"]

NEVER = Instant(0)
"""A moment before which no run has ended."""

_TIMES_TRIED_MAX = 3
"""How often a run is read again that moved while it was being erased."""


class ErasureReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the runs that are about a subject."""

    erased: tuple[RunRow, ...]
    """Their values are gone. The rows are those that were found, before that."""
    under_way: tuple[RunRow, ...]
    """Left as they are, because they have not ended, or were asked for something since."""
    unreadable: tuple[RunRow, ...]
    """Left as they are, because another version wrote their facts, or they are damaged."""
    messages: int = 0
    """How many messages about the subject, kept for receptors or for runs, lost their bodies."""
    messages_waiting: int = 0
    """How many are left, because they are still to be received."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left that is about the subject."""
        return not (self.under_way or self.unreadable or self.messages_waiting)


async def prune(shell: Shell, *, ended_before: Instant | None, batch: int, rest: timedelta) -> int:
    """Remove the history of runs that ended before a moment, batch by batch; return how many.

    Without a moment only those go whose workflow says how long they are kept.
    """
    removed, before = 0, NEVER if ended_before is None else ended_before
    while True:
        now = shell.clock.now()
        count = await shell.journal.prune(ended_before=before, limit=batch, now=now)
        removed += count
        if count < batch:
            return removed
        # Whoever works on the store has it to himself between two batches.
        await pause(shell.clock, after(shell.clock.now(), rest))


async def erase(shell: Shell, subject: str, *, actor: str, reason: str) -> ErasureReport:
    """Take every value out of the facts of the ended runs that are about a subject."""
    erased: list[RunRow] = []
    under_way: list[RunRow] = []
    unreadable: list[RunRow] = []
    async for row in every_row(shell.journal, Filter(subject=subject, limit=PAGE_RUNS_MAX)):
        done: bool | None = False
        if row.ended_at is not None:
            done = await _erase(shell, row, actor=actor, reason=reason)
        group = unreadable if done is None else erased if done else under_way
        group.append(row)
    messages, waiting = await _erase_messages(shell, subject)
    if messages:
        # Rows of read models that they went to are folded again.
        shell.ring_reception()
    messages += await shell.journal.erase_letters(subject=subject, now=shell.clock.now())
    return ErasureReport(
        erased=tuple(erased),
        under_way=tuple(under_way),
        unreadable=tuple(unreadable),
        messages=messages,
        messages_waiting=waiting,
    )


async def _erase_messages(shell: Shell, subject: str) -> tuple[int, int]:
    """Erase the messages about a subject; say how many, and how many wait."""
    messages, count = shell.journal.messages, 0
    while True:
        now = shell.clock.now()
        erased = await messages.erase(subject=subject, limit=PAGE_MESSAGES_MAX, now=now)
        count += erased.count
        if erased.count < PAGE_MESSAGES_MAX:
            return count, erased.waiting


async def _erase(shell: Shell, row: RunRow, *, actor: str, reason: str) -> bool | None:
    """Erase one run that has ended; False when it moves again, None when it cannot be read."""
    for _ in range(_TIMES_TRIED_MAX):
        try:
            history = await shell.journal.read(row.run)
        except UnknownRun:
            # It was pruned meanwhile, and had no key to keep its row for.
            return True
        if history.row.pruned_at is not None or history.row.status == EndStatus.ERASED:
            # The second is what an erasure finds whose own answer was lost.
            return True
        try:
            appends = tuple(
                write_facts([without_values(fact) for fact in read_facts(append)])
                for append in history.appends
            )
        except UNREADABLE:
            return None
        now = shell.clock.now()
        done = await shell.journal.erase(
            row.run,
            seq=history.row.seq,
            appends=appends,
            last=write_facts((Erased(actor, reason, now),)),
            token=shell.ids.token(),
            now=now,
        )
        if done:
            return True
    return False
