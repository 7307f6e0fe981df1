"""Do workers on one PostgreSQL share what a step recorded, and what is known of a service?"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Abort,
    Breaker,
    Config,
    Engine,
    Failure,
    HaltKind,
    Operator,
    Proceed,
    Record,
    Retry,
    Service,
    Unavailable,
    Verdict,
    injected,
    step,
    workflow,
)
from makegood.journal.postgres.journal import PostgresJournal
from tests.journal.postgres.served import eventually
from tests.runtime.outside import Gate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from makegood import Workflow
    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

AT_ONCE = Config(shutdown_grace=timedelta(0))
SECONDS_MAX = 30


class Desk:
    """Stops at a gate when it has been asked, or is away."""

    def __init__(self, gate: Gate | None = None) -> None:
        self.gate = gate
        self.asked = 0
        self.is_away = False

    async def ask(self) -> None:
        self.asked += 1
        if self.is_away:
            raise Unavailable("lunch")
        if self.gate is not None:
            await self.gate.pass_through()


async def reserve(
    order: str, *, desk: Desk = injected, record: Record[list[str]] = injected
) -> str:
    await record(["hold", order])
    await desk.ask()
    return order


async def find(failure: Failure, *, recorded: list[str] | None = injected) -> Verdict[str]:
    return Abort("nothing is on record") if recorded is None else Proceed(" ".join(recorded))


@workflow
def ordering(order: str) -> str:
    return step(reserve, irreversible="test", compensate=find)(order)


async def call_desk(order: str, *, desk: Desk = injected) -> str:
    await desk.ask()
    return f"{order} done"


@workflow
def calling(order: str) -> str:
    patient = Retry(attempts=9, delay=timedelta(milliseconds=10))
    return step(call_desk, irreversible="test", retry=patient)(order)


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    async with served.lent(lease_seconds=60) as world:
        yield world


async def entered(
    stack: AsyncExitStack,
    world: PostgresWorld,
    served: Workflow[[str], str],
    desk: Desk | Service[Desk],
) -> Engine:
    engine = Engine(PostgresJournal(world.place), services={Desk: desk}, config=AT_ONCE)
    await stack.enter_async_context(engine)
    engine.serve(served)
    return engine


async def test_what_one_worker_recorded_is_there_for_the_next(world: PostgresWorld) -> None:
    gate = Gate()
    async with asyncio.timeout(SECONDS_MAX):
        async with AsyncExitStack() as stack:
            first = await entered(stack, world, ordering, Desk(gate))
            run = await first.start(ordering("CD"))
            await gate.reached.wait()
        async with AsyncExitStack() as stack:
            second = await entered(stack, world, ordering, Desk())

            assert await second.run(run.id).result() == "hold CD"


async def test_a_service_that_one_worker_finds_down_is_asked_by_no_other(
    world: PostgresWorld,
) -> None:
    down, other = Desk(), Desk()
    down.is_away = True
    breaker = Breaker(failures=3, open_for=timedelta(seconds=3))
    async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as stack:
        async with AsyncExitStack() as short:
            first = await entered(short, world, calling, Service(down, breaker=breaker))
            await first.start(calling("one"))
            await eventually(lambda: _is_halted(first))
        second = await entered(stack, world, calling, other)
        run = await second.start(calling("two"))
        assert (await run.describe()).status == "waiting"
        assert other.asked == 0

        assert await run.result() == "two done"
    assert down.asked == 3


async def _is_halted(engine: Engine) -> bool:
    halts = await Operator(engine).halts()
    return [(halt.kind, halt.name) for halt in halts] == [(HaltKind.SERVICE, "Desk")]
