"""What is around a receptor, and goes along with a message: interceptors, carriers and traces."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from makegood import (
    Declined,
    Emit,
    Invocation,
    Receptors,
    Retry,
    Tracing,
    Unavailable,
    carried,
    injected,
)
from makegood.journal.messages import MessageFilter
from tests.runtime.receiving.shop import Paid, Refused, Reserved, dead_letters, fault, quiet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    from tests.runtime.world import World

STEADY = Retry(attempts=2, delay=timedelta(seconds=10), factor=1.0, jitter=False)
REQUEST: ContextVar[str] = ContextVar("request")


async def test_an_interceptor_is_around_every_attempt_and_its_error_is_the_receptors(
    world: World,
) -> None:
    seen: list[Invocation] = []

    async def intercept(invocation: Invocation, proceed: Callable[[], Awaitable[object]]) -> object:
        seen.append(invocation)
        if invocation.attempt == 1:
            raise Unavailable
        if invocation.path == "strict":
            raise Declined
        return await proceed()

    heard: list[Paid] = []

    async def hear(event: Paid) -> None:
        heard.append(event)

    async def strict(event: Paid) -> None: ...

    group = Receptors("books").on(hear, retry=STEADY).on(strict, retry=STEADY)
    engine = await world.engine(group, interceptors=[intercept])
    await engine.publish(Paid("A-1"), id="evt-1")
    await quiet(engine)
    world.clock.turn(timedelta(seconds=10))
    await quiet(engine)
    assert heard == [Paid("A-1")]
    assert [dead.reason for dead in await dead_letters(engine)] == ["declined"]
    assert seen[-1] == Invocation(
        run=None,
        message="evt-1",
        workflow="books",
        path=seen[-1].path,
        direction="receive",
        attempt=2,
        is_resumed=True,
    )


async def test_what_is_carried_goes_from_the_sender_through_every_receptor(world: World) -> None:
    seen: list[tuple[str, str]] = []

    async def first(event: Reserved, *, emit: Emit[Refused] = injected) -> Paid:
        seen.append(("first", REQUEST.get()))
        REQUEST.set("changed on the way")
        emit(Refused(event.order_id))
        return Paid(event.order_id)

    async def second(event: Paid | Refused) -> None:
        seen.append(("second", REQUEST.get()))

    engine = await world.engine(Receptors("x").on(first).on(second), carriers=[carried(REQUEST)])
    token = REQUEST.set("request-7")
    await engine.publish(Reserved("A-1"))
    REQUEST.reset(token)
    await quiet(engine)
    assert seen == [("first", "request-7")] + [("second", "changed on the way")] * 2


class Traced:
    """An engine's tracing, and the spans that came of it."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.tracing = Tracing(self.provider)

    def tree(self) -> list[tuple[str, str | None]]:
        """Return the name of each span with that of its parent, in the order of their ends."""
        spans = self._kept.get_finished_spans()
        names = {span.context.span_id: span.name for span in spans if span.context}
        return [
            (span.name, None if span.parent is None else names.get(span.parent.span_id, "outside"))
            for span in spans
        ]

    def named(self, name: str):  # noqa: ANN201 - a span of the SDK
        return [span for span in self._kept.get_finished_spans() if span.name == name]


async def test_a_flow_of_messages_is_one_trace(world: World) -> None:
    async def first(event: Reserved) -> Paid:
        return Paid(event.order_id)

    async def second(event: Paid) -> None:
        raise Declined("no")

    traced = Traced()
    engine = await world.engine(
        Receptors("x").on(first).on(second),
        carriers=[traced.tracing],
        interceptors=[traced.tracing],
    )
    with traced.provider.get_tracer("test").start_as_current_span("request"):
        await engine.publish(Reserved("A-1"), id="evt-1")
    await quiet(engine)
    assert traced.tree() == [
        ("enqueue", "request"),
        ("request", None),
        ("enqueue", "receive first"),
        ("receive first", "enqueue"),
        ("receive second", "enqueue"),
    ]
    (one,), (two,) = traced.named("receive first"), traced.named("receive second")
    assert one.kind is SpanKind.CONSUMER
    assert dict(one.attributes or {}) == {
        "makegood.direction": "receive",
        "makegood.attempt": 1,
        "makegood.message": "evt-1",
        "makegood.receptor": "x/first",
    }
    assert two.status.status_code is StatusCode.ERROR
    page = await engine._reception.messages.messages(MessageFilter())
    parents = {row.message.type: row.message.traceparent for row in page.rows}
    assert one.context is not None
    assert f"{one.context.trace_id:032x}" in (parents["shop.Paid"] or "")


async def test_a_later_attempt_is_linked_to_the_sender(world: World) -> None:
    failing = [Unavailable("down")]

    async def first(event: Reserved) -> None:
        if failing:
            raise failing.pop()

    traced = Traced()
    engine = await world.engine(
        Receptors("x").on(first, retry=STEADY),
        carriers=[traced.tracing],
        interceptors=[traced.tracing],
    )
    await engine.publish(Reserved("A-1"))
    await quiet(engine)
    world.clock.turn(timedelta(seconds=10))
    await quiet(engine)
    sent, (before, after) = traced.named("enqueue")[0], traced.named("receive first")
    assert before.parent is not None
    assert after.parent is None
    assert [link.context.span_id for link in after.links] == [sent.context.span_id]


async def test_the_log_tells_of_a_dead_letter_and_never_what_its_error_says(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def first(event: Reserved) -> None:
        raise Declined("Anna's card has expired")

    engine = await world.engine(Receptors("x").on(first))
    await engine.publish(Reserved("A-1"), id="evt-1")
    await quiet(engine)
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.getMessage() == "message evt-1 is a dead letter of x/first (declined): Declined"
    (dead,) = await dead_letters(engine)
    assert fault(dead).failure.message == "Anna's card has expired"
