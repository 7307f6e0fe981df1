"""Does what a caller's context holds reach every body of its run, and no other?"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Declined,
    Engine,
    Failure,
    InvalidInput,
    Operator,
    OutcomeUnknown,
    Proceed,
    Retry,
    Transaction,
    Verdict,
    carried,
    injected,
    pure,
    query,
    step,
    threaded,
    workflow,
)
from makegood.journal.memory import MemoryJournal
from makegood.values.limits import CARRIED_CHARACTERS_MAX
from tests.runtime.outside import Gate, Outside
from tests.runtime.trips import book
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from makegood import Invocation
    from tests.runtime.world import World

tenant: ContextVar[str | None] = ContextVar("tenant", default=None)
request: ContextVar[str] = ContextVar("request")

LINES: list[tuple[str, str | None]] = []
"""Which tenant each body saw. A local step can be given no diary of a test's own."""


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Leave nothing behind for the next test."""
    tokens = tenant.set(None), request.set("")
    LINES.clear()
    yield
    tenant.reset(tokens[0])
    request.reset(tokens[1])


def note(what: str) -> None:
    LINES.append((what, tenant.get()))
    # No other body may see this.
    tenant.set("nobody")


async def ask(n: int) -> int:
    note("query")
    return n


def block(n: int) -> int:
    note("threaded")
    return n


async def write(n: int, *, transaction: Transaction = injected) -> int:
    note("local")
    return n


async def unwrite(n: int, *, transaction: Transaction = injected) -> None:
    note("undo of local")


async def act(n: int) -> int:
    note("step")
    message = "no answer"
    raise OutcomeUnknown(message)


async def find_act(failure: Failure) -> Verdict[int]:
    note("compensate")
    return Proceed(1)


async def unact(n: int) -> None:
    note("undo of step")


async def refuse(n: int) -> None:
    note("refused step")
    message = "no"
    raise Declined(message)


@workflow
def everything(n: int) -> None:
    asked = query(ask)(n)
    blocked = step(threaded(block), irreversible="test")(asked)
    written = step(write, undo=unwrite)(blocked)
    acted = step(act, undo=unact, compensate=find_act, retry=Retry(attempts=1))(written)
    step(refuse, irreversible="test")(acted)


BODIES = [
    "query",
    "threaded",
    "local",
    "step",
    "compensate",
    "refused step",
    "undo of step",
    "undo of local",
]


async def test_every_body_of_a_run_has_what_its_starter_had(stored: World) -> None:
    """P5: steps, queries, threads, local steps, compensates and undos alike."""
    engine = await stored.engine(everything, carriers=[carried(tenant)])
    tenant.set("acme")
    run = await engine.start(everything(1))
    tenant.set("somebody else")
    outcome = await stored.finish(engine, run.outcome())

    assert outcome.status == "failed"
    assert [(body, "acme") for body in BODIES] == LINES
    assert tenant.get() == "somebody else"


async def test_without_a_carrier_no_body_sees_another_bodys_context(stored: World) -> None:
    engine = await stored.engine(everything)
    tenant.set("acme")
    await stored.finish(engine, (await engine.start(everything(1))).outcome())
    assert [(body, None) for body in BODIES] == LINES


async def test_runs_at_the_same_time_keep_their_own(world: World) -> None:
    saw: dict[str, str | None] = {}
    world.outside.watch = lambda name: saw.setdefault(f"{name} {len(saw)}", tenant.get())
    gates = [Gate(), Gate()]
    world.outside.planned["hold"] += gates
    engine = await world.engine(book, carriers=[carried(tenant)])
    runs = []
    for name in ("acme", "bolt"):
        tenant.set(name)
        runs.append(await engine.start(book("Oslo")))
    await asyncio.gather(*(gate.reached.wait() for gate in gates))
    for gate in reversed(gates):
        gate.open()
    await world.finish(engine, _both(runs[0].result(), runs[1].result()))
    assert sorted(str(value) for value in saw.values()) == ["acme"] * 3 + ["bolt"] * 3


async def _both(first: Awaitable[object], second: Awaitable[object]) -> None:
    await first
    await second


@pytest.mark.parametrize("is_posted", [False, True], ids=["started", "posted"])
async def test_it_is_carried_over_a_crash_to_another_worker(
    world: World, *, is_posted: bool
) -> None:
    saw: list[str | None] = []
    world.outside.watch = lambda _name: saw.append(tenant.get())
    world.outside.planned["charge"] = [Gate()]
    first = await world.engine(book, carriers=[carried(tenant)])
    starter = await world.engine(work=False, carriers=[carried(tenant)]) if is_posted else first
    tenant.set("acme")
    run = await starter.start(book("Oslo"))
    tenant.set(None)
    while world.outside.calls != ["hold", "charge"]:
        world.clock.turn_to_next()
        await turn_of_the_loop()
    await world.kill(first)

    second = await world.engine(book, carriers=[carried(tenant)])
    await world.finish(second, second.run(run.id).outcome())
    assert saw == ["acme"] * 4


async def test_a_worker_without_the_carrier_leaves_it_out(world: World) -> None:
    saw: list[str | None] = []
    world.outside.watch = lambda _name: saw.append(tenant.get())
    starter = await world.engine(work=False, carriers=[carried(tenant)])
    worker = await world.engine(book)
    tenant.set("acme")
    run = await starter.start(book("Oslo"))
    await world.finish(worker, worker.run(run.id).outcome())
    assert saw == [None] * 3


async def test_several_variables_are_carried_each_by_its_name(world: World) -> None:
    saw: list[tuple[str | None, str]] = []
    world.outside.watch = lambda _name: saw.append((tenant.get(), request.get()))
    engine = await world.engine(book, carriers=[carried(tenant), carried(request)])
    request.set("r-1")
    run = await engine.start(book("Oslo"))
    await world.finish(engine, run.outcome())
    started = (await Operator(engine).history(run.id)).facts[0]
    assert saw == [(None, "r-1")] * 3
    assert getattr(started, "context", None) == {"request": "r-1"}


async def test_pure_functions_are_not_told(world: World) -> None:
    """They are computed once, inside the turn, from recorded values alone."""
    saw: list[str | None] = []

    def compute(n: int) -> int:
        saw.append(tenant.get())
        return n

    @workflow
    def computing(n: int) -> int:
        return pure(compute)(query(ask)(n))

    engine = await world.engine(computing, carriers=[carried(tenant)])
    tenant.set("acme")
    run = await engine.start(computing(1))
    tenant.set(None)
    await world.finish(engine, run.result())
    assert "acme" not in saw


class Refusing:
    """A carrier that cannot restore what it has captured."""

    name = "refusing"

    def capture(self) -> str | None:
        return "something"

    def restore(self, carried: str, /) -> None:
        message = f"cannot restore {carried}"
        raise ValueError(message)


async def test_what_cannot_be_restored_is_the_calls_error(world: World) -> None:
    engine = await world.engine(book, carriers=[Refusing()])
    outcome = await world.finish(engine, (await engine.start(book("Oslo"))).outcome())
    assert (str(outcome.error), world.outside.calls) == ("cannot restore something", [])


async def test_interceptors_have_what_is_carried(world: World) -> None:
    saw: list[str | None] = []

    async def watch(_of: Invocation, proceed: Callable[[], Awaitable[object]], /) -> object:
        saw.append(tenant.get())
        return await proceed()

    engine = await world.engine(book, carriers=[carried(tenant)], interceptors=[watch])
    tenant.set("acme")
    await world.finish(engine, (await engine.start(book("Oslo"))).outcome())
    assert saw == ["acme"] * 3


class Capturing:
    """A carrier that captures what a test wants."""

    name = "capturing"

    def __init__(self, value: object) -> None:
        self.value = value

    def capture(self) -> str | None:
        return self.value  # type: ignore[return-value] # it is wrong on purpose

    def restore(self, carried: str, /) -> None:
        raise AssertionError(carried)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("x" * CARRIED_CHARACTERS_MAX, "4,009 characters are to be carried with a run, most of"),
        (5, "the carrier 'capturing' has captured a `int`; only text can be carried"),
        ("\ud800", "the carrier 'capturing' has captured text that cannot be stored"),
    ],
)
async def test_what_cannot_be_carried_is_refused_at_the_start(
    world: World, value: object, says: str
) -> None:
    engine = await world.engine(book, carriers=[Capturing(value)])
    with pytest.raises(InvalidInput, match=says):
        await engine.start(book("Oslo"))
    assert (await engine.list()).rows == ()


def test_two_carriers_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="two carriers are named 'tenant'"):
        Engine(MemoryJournal(), carriers=[carried(tenant), carried(tenant)])


async def test_an_erased_run_carries_nothing_any_more(world: World) -> None:
    engine = await world.engine(book, carriers=[carried(tenant)], services={Outside: Outside()})
    tenant.set("acme")
    run = await engine.start(book("Oslo"), subject="ada")
    await world.finish(engine, run.outcome())
    await Operator(engine).erase(subject="ada", actor="eve", reason="asked for")
    started = (await Operator(engine).history(run.id)).facts[0]
    assert getattr(started, "context", None) == {}
