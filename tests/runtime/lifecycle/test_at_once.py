"""How many handlers of a lifecycle are at work at once in one engine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import pytest

from makegood import DefinitionError, Goto, Lifecycle, Transaction, injected
from makegood.decision import facts
from tests.runtime.world import turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World

MANY = 4


class Stage(Enum):
    FIRST = 1
    SECOND = 2
    OVER = 3


@dataclass(frozen=True)
class Item:
    id: str


class Floor:
    """Where handlers stand until they are let go, the first one first."""

    def __init__(self) -> None:
        self.standing: list[tuple[str, asyncio.Future[None]]] = []
        self.seen: list[list[str]] = []
        """Who stood there, each time when one more came."""

    async def stand(self, name: str) -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.standing.append((name, gate))
        self.seen.append(self.names)
        await gate

    def let_go(self) -> None:
        _name, gate = self.standing.pop(0)
        gate.set_result(None)

    def most(self, *names: str) -> int:
        return max(sum(each in names for each in standing) for standing in self.seen)

    @property
    def names(self) -> list[str]:
        return [name for name, _gate in self.standing]


async def first(_item: Item, *, floor: Floor = injected) -> Goto[Literal[Stage.SECOND], Item]:
    await floor.stand("first")
    return Goto(Stage.SECOND)


async def second(_item: Item, *, floor: Floor = injected) -> Goto[Literal[Stage.OVER], Item]:
    await floor.stand("second")
    return Goto(Stage.OVER)


async def wait(_item: Item, *, transaction: Transaction = injected) -> Goto[Stage, Item]:
    return Goto(Stage.SECOND)


def declared(*, whole: int | None = None, handler: int | None = None) -> Lifecycle[Item, Stage]:
    long: Any = {"timeout": timedelta(minutes=1), "irreversible": "a test"}
    bound: Any = {} if handler is None else {"at_once": handler}
    return (
        Lifecycle("item", Item, Stage, key=lambda item: item.id, at_once=whole)
        .on(Stage.FIRST, first, to={Stage.SECOND}, **long, **bound)
        .on(Stage.SECOND, second, to={Stage.OVER}, **long)
    )


async def started(
    world: World, lifecycle: Lifecycle[Item, Stage]
) -> tuple[Engine, Floor, list[Run[Item]]]:
    floor, items = Floor(), lifecycle.workflow()
    engine = await world.engine(items, services={Floor: floor})
    runs = [await engine.start(items(Item(str(number)))) for number in range(MANY)]
    await until(lambda: bool(floor.standing))
    return engine, floor, runs


@pytest.mark.parametrize(
    ("lifecycle", "most"),
    [
        (declared(), (MANY, MANY, MANY)),
        (declared(handler=2), (2, 3, MANY)),
        (declared().bound(Stage.SECOND, at_once=1), (MANY, 1, MANY)),
        (declared().bound({Stage.FIRST, Stage.SECOND}, at_once=3), (3, 3, 3)),
        (declared(whole=3, handler=2), (2, 3, 3)),
        (declared(whole=1), (1, 1, 1)),
    ],
)
async def test_so_many_handlers_are_at_work_at_once_and_the_rest_take_their_turn(
    world: World, lifecycle: Lifecycle[Item, Stage], most: tuple[int, int, int]
) -> None:
    engine, floor, runs = await started(world, lifecycle)

    while len(floor.seen) < 2 * MANY:
        await settled(floor)
        floor.let_go()
        await until(lambda: bool(floor.standing) or len(floor.seen) == 2 * MANY)
    for _ in range(len(floor.standing)):
        floor.let_go()
    for run in runs:
        await world.finish(engine, run.result())

    found = floor.most("first"), floor.most("second"), floor.most("first", "second")
    assert found == most


async def settled(floor: Floor) -> None:
    """Let everybody come that may."""
    coming = -1
    while coming != len(floor.seen):
        coming = len(floor.seen)
        for _ in range(50):
            await turn_of_the_loop()


async def test_one_that_waits_for_its_turn_is_no_nearer_to_its_timeout(world: World) -> None:
    engine, floor, runs = await started(world, declared(whole=1))
    await settled(floor)
    for _ in range(2 * MANY):
        world.clock.turn(timedelta(seconds=59))
        floor.let_go()
        await settled(floor)

    assert [(await run.outcome()).status for run in runs] == ["completed"] * MANY
    assert engine.active == 0


async def test_one_that_has_not_had_its_turn_when_the_engine_closes_is_in_no_doubt(
    stored: World,
) -> None:
    engine, floor, runs = await started(stored, declared(handler=1))
    await settled(floor)
    floor.let_go()
    floor.stand = at_once  # type: ignore[method-assign]
    await stored.close(engine)

    engine = await stored.engine(declared(handler=1).workflow(), services={Floor: floor})
    for run in runs:
        again = engine.run(run.id)
        await stored.finish(engine, again.result())
        recorded = [event.fact async for event in again.events()]
        delays = [fact for fact in recorded if isinstance(fact, facts.NodeDelayed)]
        assert {fact.service for fact in delays} <= {"item/first"}


async def at_once(_name: str) -> None:
    """Go straight on."""


def test_a_bound_that_has_no_sense_is_refused() -> None:
    for number in (0, 1_001):
        with pytest.raises(DefinitionError, match=f"at_once={number}"):
            declared(whole=number)
        with pytest.raises(DefinitionError, match=f"at_once={number}"):
            declared(handler=number)
        with pytest.raises(DefinitionError, match=f"at_once={number}"):
            declared().bound(Stage.FIRST, at_once=number)
    with pytest.raises(DefinitionError, match="`item` bounds no status; name one"):
        declared().bound(set(), at_once=1)
    with pytest.raises(DefinitionError, match="names 17, which is no Stage"):
        declared().bound(17, at_once=1)  # type: ignore[arg-type] # the mistake
    with pytest.raises(DefinitionError, match=r"nothing is called in OVER, so take it out of"):
        declared().bound({Stage.FIRST, Stage.OVER}, at_once=1).workflow()


def test_a_handler_that_writes_by_transaction_needs_no_bound() -> None:
    with pytest.raises(DefinitionError, match="`wait` has at_once= and writes by Transaction"):
        Lifecycle("item", Item, Stage, key=lambda item: item.id).on(
            Stage.FIRST, wait, to={Stage.SECOND}, at_once=2
        )


def test_a_bound_changes_no_fingerprint() -> None:
    plain, bounded = declared().workflow(), declared(whole=3, handler=2).workflow()
    assert plain.plan.fingerprint == bounded.plan.fingerprint
