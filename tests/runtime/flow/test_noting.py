"""Notes as they are recorded, shown, and never in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from makegood import (
    Declined,
    Event,
    IdempotencyKey,
    Operator,
    each,
    injected,
    note,
    pure,
    step,
    workflow,
)
from makegood.decision.facts import NodeDone
from makegood.picture import mermaid, svg, text, timeline
from makegood.values.limits import PAYLOAD_BYTES_MAX
from tests.runtime.outside import Outside
from tests.runtime.trips import book

if TYPE_CHECKING:
    from makegood import Engine, Run
    from makegood.picture import Timeline
    from tests.runtime.world import World


@dataclass(frozen=True)
class Order:
    id: str
    lines: list[str]


async def pack(line: str, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
    return await outside.do(f"pack {line}", key)


async def unpack(
    packed: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"undo {packed}", key)


def long_text(order: Order) -> str:
    return "x" * (PAYLOAD_BYTES_MAX - 10)


packed = step(pack, undo=unpack)


@workflow
def sell(order: Order) -> list[str]:
    note("order", {"id": order.id, "first": order.lines[0]})

    def one(line: str) -> str:
        parcel = packed(line)
        note("parcel", parcel)
        return parcel

    return each(order.lines, one)


def code_of(order: Order) -> str:
    return "none"


@workflow
def careless(order: Order) -> str:
    note("code", order.lines[7])
    note("long", (pure(long_text)(order), "and more than fits"))
    return pure(code_of)(order)


async def story_of(engine: Engine, run: Run[object]) -> Timeline:
    history = await Operator(engine).history(run.id)
    return timeline(history.row, history.plan, history.facts)


def noted(engine_facts: list[Event]) -> dict[str, str]:
    return {
        event.fact.node: bytes(event.fact.result).decode()
        for event in engine_facts
        if isinstance(event.fact, NodeDone)
    }


async def test_a_note_is_recorded_and_seen_as_soon_as_its_value_is_there(world: World) -> None:
    events: list[Event] = []
    engine = await world.engine(sell, observers=[events.append])
    run = await engine.start(sell(Order("o-1", ["cd", "book"])))
    assert noted(events) == {"order": '{"id":"o-1","first":"cd"}'}
    assert await world.finish(engine, run.result()) == ["pack cd done", "pack book done"]

    seen = noted(events)
    assert seen["each[0]/parcel"] == '"pack cd done"'
    assert seen["each[1]/parcel"] == '"pack book done"'


async def test_the_story_and_every_picture_show_what_was_noted(world: World) -> None:
    engine = await world.engine(sell)
    run = await engine.start(sell(Order("o-1", ["cd"])))
    await world.finish(engine, run.result())
    told = await story_of(engine, run)

    assert [entry.text for entry in told.story if entry.node == "order"] == [
        'is {"id":"o-1","first":"cd"}'
    ]
    parcel = '"pack cd done"'
    assert parcel in text(told)
    assert parcel.replace('"', "&quot;") in mermaid(told)
    assert "pack cd done" in svg(told)
    assert "note" in text(told.plan)
    assert "classDef note" in mermaid(sell.plan)
    assert "classDef note" not in mermaid(book.plan)


async def test_what_cannot_be_noted_is_noted_as_that_and_the_run_goes_on(world: World) -> None:
    events: list[Event] = []
    engine = await world.engine(careless, observers=[events.append])
    run = await engine.start(careless(Order("o-1", ["cd"])))
    assert await world.finish(engine, run.result()) == "none"

    seen = noted(events)
    assert seen["code"].startswith('"(not noted: `order.lines[7]` for the note `code` is not')
    assert seen["long"].startswith('"(not noted: the value has 1,000,0')


async def test_a_note_is_nothing_to_undo(world: World) -> None:
    world.outside.planned["pack book"] = [Declined("too heavy")]
    engine = await world.engine(sell)
    run = await engine.start(sell(Order("o-1", ["cd", "book"])))
    outcome = await world.finish(engine, run.outcome())
    assert (outcome.status, outcome.undone) == ("failed", ["each[0]/pack"])
    assert "order" not in outcome.done


async def test_erasing_takes_out_what_was_noted(world: World) -> None:
    engine = await world.engine(sell)
    run = await engine.start(sell(Order("o-1", ["cd"])), subject="ada")
    await world.finish(engine, run.result())
    await Operator(engine).erase(subject="ada", actor="eve", reason="asked for")
    told = await story_of(engine, run)
    assert [entry.text for entry in told.story if entry.node == "order"] == ["is null"]
