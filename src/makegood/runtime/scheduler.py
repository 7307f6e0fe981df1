"""Starting what schedules say, when they say it, for one engine.

Every engine that serves a schedule looks after it, and what is started, or published, has an id
that follows from the slot. So two that take the same slot start the same run, or send the same
message, and one that dies before it has recorded what it started does no harm: that it was about
to is recorded before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from makegood.decision.dispatch.scheduling import (
    Skip,
    Standing,
    Take,
    Wait,
    first_standing,
    meant,
    next_of,
    passed,
    refit,
    taken,
    troubled,
)
from makegood.decision.facts import Beginning
from makegood.definition.call import Call
from makegood.errors import DefinitionError, InvalidInput, StoreError, UnknownRun
from makegood.journal.beside.scheduling import ScheduleRow
from makegood.journal.protocol import Exists, Post
from makegood.runtime.asking.post import CancelPost, write_post
from makegood.runtime.asking.starting import first_record, start_post
from makegood.runtime.looking.lookout import Lookout
from makegood.runtime.telemetry import log
from makegood.values.ids import RunId, slot_key, slot_run
from makegood.values.schemas import misfit_schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from makegood.definition.schedule import Schedule
    from makegood.runtime.moving.fitting import Declared
    from makegood.runtime.ports import Timer
    from makegood.runtime.shell import Shell
    from makegood.values.instants import Instant

__all__ = ["Scheduler", "read_standing"]

STEPS_AT_ONCE_MAX = 100
"""How much is done about one schedule before the others have their turn."""

ACTOR = "schedule"
"""Who cancels a run for the next slot."""

_decoder = msgspec.json.Decoder(Standing)
read_standing = _decoder.decode
"""Return how a schedule stands, from its row's body."""


class Scheduler:
    """Looks after the schedules that one engine serves."""

    def __init__(self, shell: Shell, *, keep: Callable[[Declared], Awaitable[None]]) -> None:
        self._shell = shell
        self._keep = keep
        """Stores the plan of what is to be started."""
        self._served: dict[str, Schedule] = {}
        self._timer: Timer | None = None
        self.lookout = Lookout(
            shell,
            self._look,
            longest=shell.config.poll_max,
            about="schedules",
            purpose="look after schedules",
        )

    def serve(self, schedules: Iterable[Schedule]) -> None:
        """Look after these too; refuse another one of a name that is served."""
        for schedule in schedules:
            before = self._served.setdefault(schedule.name, schedule)
            if before is not schedule:
                message = f"two schedules are named {schedule.name!r}; give one another name"
                raise DefinitionError(message)
        self.lookout.ring()

    @property
    def served(self) -> tuple[str, ...]:
        """The names of the schedules that are looked after here."""
        return tuple(sorted(self._served))

    async def stop(self) -> None:
        """Look no further."""
        if self._timer is not None:
            self._timer.cancel()
        await self.lookout.stop()

    async def _look(self) -> bool:
        """Do what is due; say whether more is due at once."""
        if not self._served:
            return False
        rows = {row.name: row for row in await self._shell.journal.schedules()}
        has_more = False
        wake_at: list[Instant] = []
        for name, schedule in self._served.items():
            row = rows.get(name)
            if row is not None and self._shell.halts.holds_schedule(name):
                continue
            for _ in range(STEPS_AT_ONCE_MAX):
                following = await self._step(schedule, row)
                if following is None:
                    break
                row = following
            else:
                has_more = True
            if row is not None and row.wake_at is not None:
                wake_at.append(row.wake_at)
        self._wake_up(wake_at)
        return has_more

    def _wake_up(self, instants: list[Instant]) -> None:
        """Look again at the very moment when the next one falls due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        upcoming = [instant for instant in instants if instant > self._shell.clock.now()]
        if upcoming and not self.lookout.is_stopping:
            self._timer = self._shell.clock.call_at(min(upcoming), self.lookout.ring)

    async def _step(self, schedule: Schedule, row: ScheduleRow | None) -> ScheduleRow | None:
        """Do one thing about a schedule; return how it is kept then, or None to leave it."""
        now = self._shell.clock.now()
        if row is None:
            return await self._record(schedule, None, first_standing(schedule, now))
        standing = refit(schedule, read_standing(row.body), now)
        step = next_of(schedule, standing, now, is_running=await self._is_running(standing))
        match step:
            case Wait():
                is_as_before = standing == read_standing(row.body)
                return None if is_as_before else await self._record(schedule, row, standing)
            case Skip(standing=moved, cancel=run):
                if run is not None:
                    await self._cancel(RunId(run), schedule)
                return await self._record(schedule, row, moved)
            case Take(slot=slot):
                return await self._record(schedule, row, await self._take(schedule, standing, slot))
            case _:
                assert_never(step)

    async def _is_running(self, standing: Standing) -> bool:
        """Say whether the run of the slot before still moves."""
        if standing.last_run is None:
            return False
        run = RunId(standing.last_run)
        return run not in await self._shell.journal.settled([run])

    async def _cancel(self, run: RunId, schedule: Schedule) -> None:
        reason = f"the next slot of the schedule {schedule.name!r} has come"
        body = write_post(CancelPost(ACTOR, reason))
        try:
            await self._shell.journal.post(Post(run=run, body=body, at=self._shell.clock.now()))
        except UnknownRun:
            return
        self._shell.ring(run)

    async def _record(
        self, schedule: Schedule, row: ScheduleRow | None, standing: Standing
    ) -> ScheduleRow | None:
        """Write where it stands; None where somebody else was quicker."""
        written = ScheduleRow(
            name=schedule.name,
            version=1 if row is None else row.version + 1,
            wake_at=standing.wake_at,
            body=msgspec.json.encode(standing),
        )
        return written if await self._shell.journal.keep_schedule(written) else None

    async def _take(self, schedule: Schedule, standing: Standing, slot: Instant) -> Standing:
        """Start what the slot is for, and return how the schedule stands then.

        That it is to be taken is recorded first, so that nothing else becomes of it.
        """
        moment = schedule.shown(slot)
        try:
            if standing.taking != slot:
                is_refused = schedule.when is not None and not schedule.when(moment)
                return passed(schedule, standing, slot) if is_refused else meant(standing, slot)
            made = schedule.make(moment)
            run = await self._start(schedule, slot, made)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - the user's functions end here
            now = self._shell.clock.now()
            log.warning(
                "the slot %s of the schedule %r is not taken yet: %r", moment, schedule.name, error
            )
            return troubled(standing, f"{type(error).__name__}: {error}", now)
        return taken(schedule, standing, slot, run)

    async def _start(self, schedule: Schedule, slot: Instant, made: object) -> RunId | None:
        """Start the run that was made for a slot and return it, or publish the message."""
        shell = self._shell
        if not isinstance(made, Call):
            self._require_message(schedule, made)
            await shell.publisher.publish_slot(made, schedule=schedule.name, slot=slot)
            return None
        # Any: whatever its workflow returns.
        call: Call[Any] = made  # pyright: ignore[reportUnknownVariableType]
        await self._keep(call.workflow)
        key = slot_key(schedule.name, slot)
        run = slot_run(key, slot)
        started, new = first_record(
            call,
            shell.clock.now(),
            key=key,
            subject=None,
            context={},
            beginning=Beginning(causation=key),
        )
        answer = await shell.journal.post(start_post(run, started, new))
        shell.ring_worker()
        return answer.run if isinstance(answer, Exists) else run

    def _require_message(self, schedule: Schedule, made: object) -> None:
        why = misfit_schema(type(made))
        if why is not None:
            message = (
                f"the schedule {schedule.name!r} made {made!r:.80}; return a call of a workflow, "
                f"such as settle(day), or a message: {why}"
            )
            raise InvalidInput(message)
