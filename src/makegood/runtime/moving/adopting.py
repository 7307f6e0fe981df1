"""Finding runs that began under another definition of what is served, and that can go on.

An engine looks when something is served, and seldom after that: whoever serves
their own plan has them first. Nothing is claimed to look at it: a run is read, and where all that
is recorded of it fits, it is let go by the plan that is served, and claimed like any other. The
rest stays where it is, unclaimed, and the log says once why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from makegood.journal.protocol import Filter
from makegood.runtime.asking.reading import plan_of
from makegood.runtime.looking.lookout import Lookout
from makegood.runtime.moving.fitting import misfit_of_history
from makegood.runtime.telemetry import log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from makegood.journal.protocol import History, RunRow
    from makegood.runtime.calling.served import Served
    from makegood.runtime.looking.retaining import Retainer
    from makegood.runtime.moving.fitting import Declared
    from makegood.runtime.shell import Shell
    from makegood.values.ids import RunId

__all__ = ["Adopter"]

READ_AT_ONCE = 50
"""How many runs are listed and read in one go."""

POLLS_BETWEEN_LOOKS = 30
"""How many times longer than between two claims it is, at the most, to the next look."""

STRANDED_MAX = 100_000
"""How many runs that fit nothing are remembered, so as not to be read again."""


class Adopter:
    """Looks for such runs for one engine."""

    def __init__(
        self,
        shell: Shell,
        served: Mapping[str, Served],
        retainer: Retainer,
        *,
        keep: Callable[[Declared], Awaitable[None]],
        ring: Callable[[], None],
    ) -> None:
        self._shell = shell
        self._served = served
        """By fingerprint."""
        self._keep = keep
        """Stores the plan that a run is to go by."""
        self._retainer = retainer
        """Tells the store how long the runs are kept of what is served."""
        self._ring = ring
        """Has what was adopted claimed at once."""
        self._stranded: dict[RunId, tuple[int, frozenset[str]]] = {}
        """Up to which append each run was read, and for which plans, and fitted none."""
        self.lookout = Lookout(
            shell,
            self._look,
            longest=shell.config.poll_max * POLLS_BETWEEN_LOOKS,
            about="runs of other definitions",
            purpose="look for runs of other definitions",
        )
        """Is rung when other plans are served."""

    async def _look(self) -> bool:
        """Adopt what fits; only what is served or written anew makes another look worth while."""
        await self._retainer.tell()
        adopted = 0
        by_name: dict[str, list[Served]] = {}
        for served in self._served.values():
            by_name.setdefault(served.name, []).append(served)
        for name, candidates in by_name.items():
            plans = frozenset(served.plan.fingerprint for served in candidates)
            async for rows in self._others(name, plans):
                for history in await self._shell.journal.read_all([row.run for row in rows]):
                    adopted += await self._adopt(history, candidates, plans)
                if self.lookout.is_stopping:
                    return False
        if adopted:
            self._ring()
        return False

    async def _others(self, name: str, plans: frozenset[str]) -> AsyncIterator[list[RunRow]]:
        """Give the runs of other plans that are worth reading, page by page."""
        for wanted in (
            Filter(workflow=name, not_of=plans, unfinished=True, limit=READ_AT_ONCE),
            # One that has ended moves on where somebody wants it undone.
            Filter(workflow=name, not_of=plans, unfinished=False, posted=True, limit=READ_AT_ONCE),
        ):
            after_run: RunId | None = None
            while True:
                page = await self._shell.journal.list(_from(wanted, after_run))
                now = self._shell.clock.now()
                rows = [
                    row
                    for row in page.rows
                    if row.owner is None or (row.wake_at is not None and row.wake_at <= now)
                    if self._stranded.get(row.run) != (row.seq, plans)
                ]
                if rows:
                    yield rows
                if page.next is None:
                    break
                after_run = page.next

    async def _adopt(
        self, history: History, candidates: list[Served], plans: frozenset[str]
    ) -> bool:
        row = history.row
        old = await plan_of(self._shell, row.fingerprint)
        why = f"the journal lacks its plan {row.fingerprint}"
        for served in candidates if old is not None else ():
            assert old is not None
            misfit = misfit_of_history(history, old, served)
            if misfit is not None:
                why = misfit.sentence
                continue
            await self._keep(served)
            fingerprint = served.plan.fingerprint
            return await self._shell.journal.adopt(
                row.run,
                plan=fingerprint,
                instead_of=row.fingerprint,
                seq=row.seq,
                now=self._shell.clock.now(),
                wakes=_is_to_listen(row, served),
            )
        if len(self._stranded) < STRANDED_MAX:
            self._stranded[row.run] = (row.seq, plans)
        log.warning("run %s of `%s` is stranded: %s", row.run, row.workflow, why)
        return False


def _is_to_listen(row: RunRow, served: Served) -> bool:
    """Say whether a record stands and waits, which may be for something else from now on."""
    return served.plan.machine is not None and row.status == "waiting"


def _from(wanted: Filter, run: RunId | None) -> Filter:
    return wanted if run is None else replace(wanted, after=run)
