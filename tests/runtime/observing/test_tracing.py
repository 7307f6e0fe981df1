"""What does OpenTelemetry see of a run, and does it hang together?"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from opentelemetry import baggage, context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from makegood import (
    Declined,
    Failure,
    IdempotencyKey,
    OutcomeUnknown,
    Proceed,
    Retry,
    Tracing,
    Transaction,
    Unavailable,
    Verdict,
    each,
    injected,
    sleep,
    step,
    workflow,
)
from tests.runtime.outside import Gate, Outside
from tests.runtime.trips import book
from tests.runtime.world import until

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span, SpanContext

    from makegood import Engine
    from tests.runtime.world import World


class Traced:
    """A provider whose spans are kept, and the tracing of an engine that tells it."""

    def __init__(self) -> None:
        self.kept = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.kept))
        self.tracing = Tracing(self.provider)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.kept.get_finished_spans())

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def named(self, name: str) -> ReadableSpan:
        (span,) = [span for span in self.spans if span.name == name]
        return span

    async def engine(self, world: World, *served: object, **options: object) -> Engine:
        tracing = {"carriers": [self.tracing], "interceptors": [self.tracing]}
        return await world.engine(*served, **tracing, **options)  # type: ignore[arg-type]


@pytest.fixture
def traced() -> Traced:
    return Traced()


def id_of(span: Span | ReadableSpan) -> int:
    return _context_of(span).span_id


def trace_of(span: ReadableSpan) -> int:
    return _context_of(span).trace_id


def _context_of(span: Span | ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def told(span: ReadableSpan, attribute: str) -> object:
    assert span.attributes is not None
    return span.attributes[f"makegood.{attribute}"]


def linked(span: ReadableSpan) -> list[int]:
    return [link.context.span_id for link in span.links]


async def test_every_call_is_a_span_below_the_callers(world: World, traced: Traced) -> None:
    engine = await traced.engine(world, book)
    with traced.provider.get_tracer("shop").start_as_current_span("checkout") as checkout:
        run = await engine.start(book("Oslo"))
    await world.finish(engine, run.result())

    assert traced.names == ["enqueue", "checkout", "hold_seat", "charge_card", "send_ticket"]
    start = traced.named("enqueue")
    assert (start.kind, parent_of(start)) == (
        SpanKind.PRODUCER,
        checkout.get_span_context().span_id,
    )
    for name in ("hold_seat", "charge_card", "send_ticket"):
        span = traced.named(name)
        assert parent_of(span) == id_of(start)
        assert (trace_of(span), linked(span)) == (trace_of(start), [])
        assert (span.status.status_code, span.kind) == (StatusCode.UNSET, SpanKind.INTERNAL)
    assert traced.named("charge_card").attributes == {
        "makegood.run": run.id,
        "makegood.workflow": "book",
        "makegood.node": "charge_card",
        "makegood.direction": "do",
        "makegood.attempt": 1,
    }


async def test_a_run_that_is_started_within_no_span_has_a_trace_all_the_same(
    world: World, traced: Traced
) -> None:
    engine = await traced.engine(world, book)
    runs = [await engine.start(book("Oslo")), await engine.start(book("Bergen"))]
    for run in runs:
        await world.finish(engine, run.result())
    assert parent_of(traced.spans[0]) is None
    traces = [trace_of(span) for span in traced.spans]
    assert {traces.count(each) for each in traces} == {4}


async def test_attempts_undos_and_their_errors_are_told(world: World, traced: Traced) -> None:
    world.outside.planned["charge"] = [Unavailable("closed"), Declined("card expired")]
    engine = await traced.engine(world, book)
    await world.finish(engine, (await engine.start(book("Oslo"))).outcome())

    assert traced.names == [
        "enqueue",
        "hold_seat",
        "charge_card",
        "charge_card",
        "undo hold_seat",
    ]
    first, second = traced.spans[2:4]
    assert [
        span.attributes and span.attributes["makegood.attempt"] for span in (first, second)
    ] == [
        1,
        2,
    ]
    assert second.status.status_code is StatusCode.ERROR
    assert second.status.description == "Declined: card expired"
    (event,) = second.events
    assert event.name == "exception"
    assert event.attributes is not None
    assert event.attributes["exception.type"] == "makegood.errors.Declined"
    undo = traced.named("undo hold_seat")
    assert told(undo, "direction") == "undo"
    assert {trace_of(span) for span in traced.spans} == {trace_of(undo)}


async def act(n: int) -> int:
    message = "no answer"
    raise OutcomeUnknown(message)


async def find_act(failure: Failure) -> Verdict[int]:
    return Proceed(7)


async def test_what_a_compensate_asks_is_a_span_too(world: World, traced: Traced) -> None:
    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", compensate=find_act)(n)

    engine = await traced.engine(world, acting)
    await world.finish(engine, (await engine.start(acting(1))).result())
    assert traced.names == ["enqueue", "act", "compensate act"]


async def test_a_timeout_is_told_as_an_error(world: World, traced: Traced) -> None:
    async def hang(n: int) -> int:
        entered.set()
        await asyncio.Event().wait()
        return n

    @workflow
    def hanging(n: int) -> int:
        once = Retry(attempts=1)
        return step(hang, irreversible="test", timeout=timedelta(seconds=3), retry=once)(n)

    entered = asyncio.Event()
    engine = await traced.engine(world, hanging)
    run = await engine.start(hanging(1))
    await entered.wait()
    world.clock.turn(timedelta(seconds=4))
    await until(lambda: "hang" in traced.names)
    assert traced.named("hang").status.description == "CancelledError: "
    await world.finish(engine, run.outcome())


async def look(n: int, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
    return await outside.do(f"{get_current_span().get_span_context().span_id:x}", key)


async def test_the_span_is_current_in_the_function(world: World, traced: Traced) -> None:
    @workflow
    def looking(n: int) -> str:
        return step(look, irreversible="test")(n)

    engine = await traced.engine(world, looking)
    await world.finish(engine, (await engine.start(looking(1))).result())
    assert world.outside.calls == [f"{id_of(traced.named('look')):x}"]


looked = step(look, irreversible="test")
HELD, GIVEN_BACK = timedelta(seconds=5), timedelta(minutes=1)
"""A sleep in which the engine holds the run, and one for which it gives it back."""


@workflow
def resting(nap: timedelta) -> str:
    held = step(look, irreversible="test").named("before")(1)
    rested = sleep.named("rest").after(held)(nap)
    return step(look, irreversible="test").named("behind").after(rested)(2)


@pytest.mark.parametrize("nap", [HELD, GIVEN_BACK])
async def test_after_a_sleep_a_new_trace_is_linked_to_the_start(
    world: World, traced: Traced, nap: timedelta
) -> None:
    engine = await traced.engine(world, resting)
    await world.finish(engine, (await engine.start(resting(nap))).result())
    start, before, behind = (traced.named(name) for name in ("enqueue", "before", "behind"))

    assert (parent_of(before), linked(before)) == (id_of(start), [])
    assert (parent_of(behind), linked(behind)) == (None, [id_of(start)])
    assert trace_of(behind) != trace_of(start)


async def test_after_a_crash_a_new_trace_is_linked_to_the_start(
    world: World, traced: Traced
) -> None:
    world.outside.planned["charge"] = [Gate()]
    first = await traced.engine(world, book)
    run = await first.start(book("Oslo"))
    await until(lambda: world.outside.calls == ["hold", "charge"])
    await world.kill(first)

    second = await traced.engine(world, book)
    await world.finish(second, second.run(run.id).outcome())
    start, sent = traced.named("enqueue"), traced.named("send_ticket")
    assert (parent_of(sent), linked(sent)) == (None, [id_of(start)])


async def test_baggage_goes_along_also_behind_a_sleep(world: World, traced: Traced) -> None:
    saw: list[object] = []
    world.outside.watch = lambda _name: saw.append(baggage.get_baggage("tenant"))
    engine = await traced.engine(world, resting)
    token = context.attach(baggage.set_baggage("tenant", "acme"))
    run = await engine.start(resting(GIVEN_BACK))
    context.detach(token)
    await world.finish(engine, run.result())
    assert saw == ["acme", "acme"]


async def write(n: int, *, transaction: Transaction = injected) -> int:
    return n


async def test_local_steps_have_their_span_in_the_same_trace(stored: World, traced: Traced) -> None:
    @workflow
    def writing(n: int) -> int:
        return step(write, irreversible="test")(n)

    engine = await traced.engine(stored, writing)
    await stored.finish(engine, (await engine.start(writing(1))).result())
    start, written = traced.spans
    assert (written.name, parent_of(written)) == ("write", id_of(start))


async def test_the_rounds_of_a_loop_share_a_name(world: World, traced: Traced) -> None:
    @workflow
    def looping(numbers: list[int]) -> list[str]:
        return each(numbers, looked, name="all")

    engine = await traced.engine(world, looping)
    await world.finish(engine, (await engine.start(looping([1, 2]))).result())
    assert traced.names == ["enqueue", "all[]/look", "all[]/look"]
    assert {told(span, "node") for span in traced.spans[1:]} == {"all[0]/look", "all[1]/look"}
