"""One story: a run on a host that dies, or stands still, exactly where the script says."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from makegood import Config, Engine
from makegood.journal.memory import MemoryJournal
from makegood.testing.simulation import Fate, Host, Line, SimulatedJournal, Simulation
from makegood.values.ids import RunId
from tests.simulation.ablation import NOTHING
from tests.simulation.crashing.checks import CALLED, RUN_KEY, Intents, broken, history, value_of
from tests.simulation.crashing.outside import Way
from tests.simulation.crashing.points import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from makegood.decision.facts import Fact
    from makegood.testing.simulation import Call
    from tests.simulation.ablation import Ablation
    from tests.simulation.crashing.cases import Case
    from tests.simulation.crashing.points import Mishap

__all__ = ["End", "Played", "play"]

CONFIG = Config(poll_min=timedelta(seconds=5), poll_max=timedelta(seconds=5))
"""Few looks for due runs, each of which is a place to die."""

DOWN_MICROSECONDS = 11_000_000
"""How long a machine is down: the lease has run out then, and is claimed at the first look."""

PATIENCE_SECONDS = 600
"""How long a story may take until its run has ended."""

GRACE_MICROSECONDS = 12_000_000
"""How long is waited, with all processes up, for what must not come after the end."""


class End(msgspec.Struct, frozen=True):
    """How a run ended, as its row says, and what it returned."""

    status: str
    cause: str | None
    rollback: str | None
    reason: str | None
    value: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One story that was played, and what was wrong in it."""

    calls: tuple[Call, ...]
    """The calls of the host, up to the end of the run."""
    wakes: tuple[int, ...]
    """How long after the host stood still each call of the standby was done, in microseconds."""
    end: End
    violations: tuple[str, ...]
    facts: tuple[Fact, ...]
    """What was remembered of the run."""
    story: tuple[str, ...]


def play(
    case: Case,
    mishaps: Sequence[Mishap] = (),
    *,
    standby: bool = False,
    ablation: Ablation = NOTHING,
    tells: bool = False,
) -> Played:
    """Play one story to its end and look at everything that it left.

    With a `standby` another process waits for runs that it may take over.
    """
    with _unseen() as logged:
        return _World(case, mishaps, ablation, tells=tells).play(logged, standby=standby)


class _World:
    def __init__(
        self,
        case: Case,
        mishaps: Sequence[Mishap],
        ablation: Ablation,
        *,
        tells: bool,
    ) -> None:
        self.case = case
        self.ablation = ablation
        self.simulation = Simulation(0)
        if tells:
            self.simulation.story = []
        self.simulation.watch = self._see
        self.script = Script("shop", mishaps)
        self.plan = case.call.workflow.plan
        intents = Intents(self.simulation.store, case.call.workflow)
        self.outside = case.outside(intents.wrong)
        self.paused_at: int | None = None
        self.wakes: list[int] = []
        self.settled = self.simulation.loop.create_future()
        self.is_known = False
        """The start of the run was acknowledged, so nobody starts it again."""
        self.told: set[int] = set()
        """Which letters were acknowledged, so nobody sends them again."""
        self.starts: list[asyncio.Task[None]] = []
        self.host = self._host("shop", serve=self._serve_and_start)
        self.host.pause_micros = max((mishap.micros for mishap in mishaps), default=0)

    def _host(self, name: str, *, serve: Callable[[Engine], None]) -> Host:
        clock = self.simulation.clock()
        host = Host(self.simulation, name, clock, make=self._make, serve=serve)
        host.down_micros = DOWN_MICROSECONDS
        return host

    def _make(self, host: Host) -> Engine:
        simulation, ablation = self.simulation, self.ablation
        store = ablation.store(MemoryJournal(simulation.store), simulation.store)
        journal = SimulatedJournal(store, simulation, host, self.script)
        way = Way(Line(simulation, host, self.script), self.outside)
        # Any: what is asked and answered here is not what the simulated world asks.
        teller: Any = ablation.teller
        return Engine(
            ablation.journal(journal, host),
            services=self.case.services(teller(way)),
            extensions=self.case.extensions,
            config=CONFIG,
            clock=host.clock,
            ids=simulation.ids,
            decide=ablation.decide,
        )

    def _serve(self, engine: Engine) -> None:
        workflow = self.case.call.workflow
        engine.serve(workflow, *CALLED.get(workflow.name, ()))

    def _serve_and_start(self, engine: Engine) -> None:
        self._serve(engine)
        loop = asyncio.get_running_loop()
        if not self.is_known:
            self.starts.append(loop.create_task(self._start(engine)))
        self.starts += [
            loop.create_task(self._tell(engine, number))
            for number in range(len(self.case.letters))
            if number not in self.told
        ]

    async def _start(self, engine: Engine) -> None:
        await engine.start(self.case.call, key=RUN_KEY)
        self.is_known = True

    async def _tell(self, engine: Engine, number: int) -> None:
        seconds, message = self.case.letters[number]
        await asyncio.sleep(seconds - self.simulation.loop.time())
        await engine.send(message, key=RUN_KEY, id=f"letter {number}")
        self.told.add(number)

    def _see(self, call: Call, fate: Fate, _outcome: object) -> None:
        if self.settled.done():
            return
        now = self.simulation.loop.micros
        if fate is Fate.PAUSE:
            self.paused_at = now
        elif self.paused_at is not None and call.host != self.host.name:
            self.wakes.append(now - self.paused_at)
        if call.operation == "append":
            record = self.simulation.store.records.get(RunId(call.subject))
            is_main = record is not None and record.new.key == RUN_KEY
            if is_main and record is not None and (record.ended_at or record.status == "parked"):
                self.script.is_over = True
                self.settled.set_result(None)

    async def _plot(self, *, standby: bool) -> bool:
        self.host.boot()
        if standby:
            self._host("standby", serve=self._serve).boot()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.settled
        except TimeoutError:
            return False
        await self.simulation.pause(self.host.pause_micros + GRACE_MICROSECONDS)
        return True

    def play(self, logged: list[str], *, standby: bool) -> Played:
        simulation, store = self.simulation, self.simulation.store
        has_ended = simulation.run(self._plot(standby=standby))
        violations = [*simulation.errors, *logged]
        violations += [
            f"the run could not be started, or told something: {error!r}"
            for task in self.starts
            if task.done() and not task.cancelled() and (error := task.exception()) is not None
        ]
        end = End("unended", None, None, None, None)
        if has_ended:
            row = next(iter(store.records.values())).row()
            end = End(row.status, row.cause, row.rollback, row.reason, value_of(store, self.plan))
            violations += broken(store, self.case.call.workflow)
            violations += self.outside.violations(store)
        else:
            violations.append(f"the run did not end within {PATIENCE_SECONDS} s")
        return Played(
            calls=tuple(self.script.calls),
            wakes=tuple(self.wakes),
            end=end,
            violations=tuple(violations),
            facts=tuple(history(store)),
            story=tuple(simulation.story or ()),
        )


@contextmanager
def _unseen() -> Generator[list[str], None, None]:
    """Collect what the engines log as an error, which nobody would see otherwise."""
    logged: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(f"logged: {record.getMessage()} {record.exc_info or ''}")

    logger = logging.getLogger("makegood")
    handler, level, propagates = Collecting(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield logged
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates
