"""What may be begun of the services of one engine: their gates, their circuits and their halts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, cast

from makegood.decision import facts
from makegood.decision.commands import Compensate, Start, Undo
from makegood.errors import StoreBusy, StoreError, StoreFull
from makegood.journal.halting import Halt, HaltKind
from makegood.runtime.clock import pause
from makegood.runtime.protecting.circuit import BREAKER, Circuit
from makegood.runtime.protecting.gate import Gate
from makegood.runtime.protecting.policy import Service
from makegood.runtime.telemetry import log
from makegood.values.instants import Instant, after, micros

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.definition.plan import Node
    from makegood.runtime.shell import Shell
    from makegood.values.ids import RunId

__all__ = ["Guard", "Guards"]

SHORT = timedelta(minutes=1)
"""A halt that ends within this is simply waited for."""

LOOK_AGAIN_MIN = timedelta(seconds=15)
LOOK_AGAIN_MAX = timedelta(minutes=10)
"""How soon a run that is not held looks again whether a halt was lifted: when it has stood for as
long again, within these."""

_SPREAD = 10
"""By up to this part of their wait runs come back later, so that they do not all come at once."""

_NOTHING: Mapping[str, Instant] = {}


class Guard:
    """One service and how it is protected."""

    def __init__(self, service: Service[object], ends: Callable[[Guard, Fact], None]) -> None:
        self.value = service.value
        self._ends = ends
        self.names: list[str] = []
        """The types by which functions ask for it."""
        self.gate: Gate | None = None
        if service.at_once is not None or service.rate is not None:
            self.gate = Gate(at_once=service.at_once, rate=service.rate)
        self.breaker = service.breaker
        self.circuit = None if service.breaker is None else Circuit(service.breaker)

    def known_as(self, name: str) -> None:
        """Learn by which type a function asks for it."""
        if name not in self.names:
            self.names.append(name)

    def ends(self, fact: Fact) -> None:
        """Take notice of what a call of the service came to."""
        if self.circuit is not None:
            self._ends(self, fact)


class Guards:
    """The services of one engine, and which of them nothing is begun of."""

    def __init__(self, shell: Shell, services: Mapping[type, object]) -> None:
        self._shell = shell
        self.services: dict[type, object] = {
            kind: self._guarded(service) for kind, service in services.items()
        }
        """The services as they were given, a guard in the place of each that is protected."""
        self.circuits = [
            guard
            for guard in self.services.values()
            if isinstance(guard, Guard) and guard.circuit is not None
        ]
        """The services that are halted when calls of them fail: mostly none."""
        self._tasks: dict[asyncio.Task[None], None] = {}
        """Those that keep a halt, in the order in which they began."""

    def halted(self, run: RunId, now: Instant) -> Mapping[str, Instant]:
        """Return the services that nothing of a run is begun of, and when it looks again."""
        found = {
            halt.name: _ends(halt, now)
            for halt in self._shell.halts.of_services()
            if halt.stands(now)
        }
        for guard in self.circuits:
            assert guard.circuit is not None
            until = guard.circuit.held_until(self._newest(guard), now)
            if until is not None:
                for name in guard.names:
                    found[name] = max(found.get(name, until), until)
        if not found:
            return _NOTHING
        part = int.from_bytes(blake2b(run.encode(), digest_size=2).digest()) / (1 << 16)
        return {
            name: Instant(until + int((until - now) * part / _SPREAD))
            for name, until in found.items()
        }

    def begin(self, plan: Sequence[Node], commands: Sequence[Command], now: Instant) -> None:
        """Take notice of what is about to be begun, for it may be the trial of a service."""
        self.begins({name for command in commands for name in _given(plan, command)}, now)

    def begins(self, given: Iterable[str], now: Instant) -> None:
        """Take notice of a call that is about to begin, and of the services that it is given."""
        given = frozenset(given)
        for guard in self.circuits:
            if not given.isdisjoint(guard.names):
                assert guard.circuit is not None
                guard.circuit.begins(self._newest(guard), now)

    def _call_ends(self, guard: Guard, fact: Fact) -> None:
        assert guard.circuit is not None
        now = self._shell.clock.now()
        was_held = guard.circuit.held_until(self._newest(guard), now) is not None
        if guard.circuit.ends(fact, self._newest(guard), now):
            task = asyncio.get_running_loop().create_task(self._halt(guard, fact, now))
            self._tasks[task] = None
            task.add_done_callback(self._tasks.pop)
        elif was_held:
            # The trial was answered, or was none: those that are held here need not wait on.
            self._shell.look_up()

    async def close(self) -> None:
        """Halt nothing more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def is_asking(self) -> bool:
        """Whether a halt is about to be kept."""
        return bool(self._tasks)

    def _guarded(self, service: object) -> object:
        if not isinstance(service, Service):
            return service
        return Guard(cast("Service[object]", service), self._call_ends)

    def _newest(self, guard: Guard) -> Halt | None:
        halts = [halt for halt in self._shell.halts.of_services() if halt.name in guard.names]
        return max(halts, key=lambda halt: halt.at, default=None)

    async def _halt(self, guard: Guard, fact: Fact, now: Instant) -> None:
        """Let every engine of the store begin nothing of a service for a while."""
        assert guard.breaker is not None
        until = after(now, guard.breaker.open_for)
        assert isinstance(fact, facts.NodeFailed | facts.UndoFailed | facts.CompensateFailed)
        # What the error says may be personal, and a halt is never erased.
        error = fact.failure.type.rpartition(".")[2]
        reason = f"calls of it fail, the last one with {error}"
        for name in guard.names:
            log.warning("the service %s is halted: %s", name, reason)
            await self._keep(
                Halt(
                    kind=HaltKind.SERVICE,
                    name=name,
                    actor=BREAKER,
                    reason=reason,
                    at=now,
                    until=until,
                )
            )
        await self._shell.halts.look_now()

    async def _keep(self, halt: Halt) -> None:
        """Keep a halt; while the store is busy this engine holds back alone."""
        shell = self._shell
        while halt.stands(shell.clock.now()):
            try:
                await shell.journal.halt(halt)
            except (StoreBusy, StoreFull) as error:
                shell.outage.tell(f"halting {halt.name}", error)
            except StoreError as error:
                shell.fail(error)
                return
            else:
                return
            await pause(shell.clock, after(shell.clock.now(), shell.config.poll_max))


def _given(plan: Sequence[Node], command: Command) -> tuple[str, ...]:
    """Return the services that what a command begins is given."""
    match command:
        case Start():
            return plan[command.node].services
        case Undo():
            remedy = plan[command.node].undo
        case Compensate():
            remedy = plan[command.node].compensate
        case _:
            return ()
    return () if remedy is None else remedy.services


def _ends(halt: Halt, now: Instant) -> Instant:
    """Say when it is looked at again whether a halt still stands."""
    if halt.until is not None and halt.until - now <= micros(SHORT):
        return halt.until
    wait = min(max(now - halt.at, micros(LOOK_AGAIN_MIN)), micros(LOOK_AGAIN_MAX))
    return Instant(now + wait if halt.until is None else min(halt.until, now + wait))
