"""How is a run seen in OpenTelemetry? A span for each call of a function, within the run's trace.

A trace lasts as long as a request; a run may sleep for a month and wake on another machine. So the
spans of the first stretch are children of the span in which the run was started, and whatever
comes after the run has stood still begins a trace of its own, with a link to that span: nothing
hangs in a trace that ended long ago, and everything can be found from it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, TracerProvider

    from makegood.runtime.ports import Invocation

try:
    from opentelemetry import context as contexts
    from opentelemetry import propagate, trace
except ModuleNotFoundError as missing:
    _MESSAGE = 'spans are told to OpenTelemetry; run: pip install "makegood[opentelemetry]"'
    raise ModuleNotFoundError(_MESSAGE, name=missing.name) from None

__all__ = ["Tracing"]


class Tracing:
    """Tells OpenTelemetry what runs do; give it to an engine both ways.

        tracing = Tracing()
        Engine(…, carriers=[tracing], interceptors=[tracing])

    As a carrier it takes the caller's span and baggage along with a run. As an interceptor it
    makes a span of every attempt, undo and compensate, which is the current span of your function,
    so that what it calls hangs below it. Its attributes are `makegood.run`, `makegood.workflow`,
    `makegood.node`, `makegood.direction` and `makegood.attempt`, and errors are recorded. So is a
    receptor seen, with `makegood.message` and `makegood.receptor`, below what has sent the message.

    Without a `tracer_provider` it is the global one.
    """

    name = "opentelemetry"

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("makegood", tracer_provider=tracer_provider)

    def capture(self) -> str | None:
        """Return where in which trace a run is started, or a message is sent."""
        # It ends at once, for nobody knows when the run will. Where the caller is within no span
        # it is the root that the run's spans have in common.
        span = self._tracer.start_span("enqueue", kind=trace.SpanKind.PRODUCER)
        span.end()
        headers: dict[str, str] = {}
        propagate.inject(headers, context=trace.set_span_in_context(span))
        return msgspec.json.encode(headers).decode() if headers else None

    def restore(self, carried: str, /) -> None:
        """Continue the trace in the context of a body."""
        headers = msgspec.json.decode(carried, type=dict[str, str])
        contexts.attach(propagate.extract(headers))

    async def __call__(
        self, invocation: Invocation, proceed: Callable[[], Awaitable[object]], /
    ) -> object:
        """Make a span of one call."""
        context, links = _placed(invocation)
        with self._tracer.start_as_current_span(
            _named(invocation),
            context=context,
            links=links,
            kind=_kind_of(invocation),
            attributes=_attributes_of(invocation),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return await proceed()
            except BaseException as error:
                _tell(span, error)
                raise


def _kind_of(invocation: Invocation) -> trace.SpanKind:
    return trace.SpanKind.INTERNAL if invocation.message is None else trace.SpanKind.CONSUMER


def _attributes_of(invocation: Invocation) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        "makegood.direction": invocation.direction,
        "makegood.attempt": invocation.attempt,
    }
    if invocation.run is not None:
        attributes["makegood.run"] = invocation.run
        attributes["makegood.workflow"] = invocation.workflow
        attributes["makegood.node"] = invocation.path
    if invocation.message is not None:
        attributes["makegood.message"] = invocation.message
        attributes["makegood.receptor"] = f"{invocation.workflow}/{invocation.path}"
    return attributes


_ROUND = re.compile(r"\[\d+\]")


def _named(invocation: Invocation) -> str:
    """Return a name that the spans of all runs and rounds share, by which they are summed up."""
    path = _ROUND.sub("[]", invocation.path)
    return path if invocation.direction == "do" else f"{invocation.direction} {path}"


def _placed(invocation: Invocation) -> tuple[Context | None, tuple[Link, ...]]:
    """Return the context that has a span's parent, and what the span is linked to."""
    started = trace.get_current_span().get_span_context()
    if not (invocation.is_resumed and started.is_valid):
        return None, ()
    return trace.set_span_in_context(trace.INVALID_SPAN), (trace.Link(started),)


def _tell(span: Span, error: BaseException) -> None:
    """Record an error, a cancellation too, which OpenTelemetry takes for none by itself."""
    span.record_exception(error)
    span.set_status(trace.StatusCode.ERROR, f"{type(error).__qualname__}: {error}")
