"""A workflow as an engine serves it: its plan, its functions, and the services they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from makegood.definition.plan import Kind
from makegood.runtime.services import find_services
from makegood.values.ids import Direction, effect_key
from makegood.values.injectable import (
    Attempt,
    Deadline,
    IdempotencyKey,
    RunInfo,
    Transaction,
    Writes,
)
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from makegood.definition.code import Injection
    from makegood.definition.workflow import Workflow
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.instants import Instant

__all__ = ["Bound", "Context", "Served"]


class Context:
    """What one call of a user's function may be told about itself."""

    __slots__ = (
        "attempt",
        "direction",
        "generation",
        "key",
        "path",
        "run",
        "transaction",
        "until",
        "worker",
        "workflow",
        "writes",
    )

    def __init__(  # noqa: PLR0913 - one value each, none of which can be left out
        self,
        *,
        run: RunId,
        workflow: str,
        key: str | None,
        path: str,
        direction: Literal["do", "compensate", "undo"],
        attempt: int,
        generation: int,
        until: Instant | None,
        worker: WorkerId,
    ) -> None:
        self.run = run
        self.workflow = workflow
        self.key = key
        self.path = path
        self.direction: Literal["do", "compensate", "undo"] = direction
        self.attempt = attempt
        self.generation = generation
        self.until = until
        self.worker = worker
        self.writes: Writes | None = None
        self.transaction: Transaction | None = None

    def provide(self, wants: object) -> object:
        """Return what the runtime itself fills in for an annotation."""
        if wants is IdempotencyKey:
            # A compensate asks about the effect of the body, so it is given the body's key.
            direction: Direction = "undo" if self.direction == "undo" else "do"
            return effect_key(
                self.workflow,
                self.key or self.run,
                self.path,
                direction,
                generation=self.generation,
            )
        if wants is Attempt:
            return self.attempt
        if wants is Deadline:
            return None if self.until is None else as_datetime(self.until)
        if wants is RunInfo:
            return RunInfo(
                id=self.run,
                workflow=self.workflow,
                key=self.key,
                path=self.path,
                worker=self.worker,
            )
        if wants is Writes:
            return self.writes
        assert wants is Transaction
        return self.transaction


class Bound:
    """A user's function with the services that it is given."""

    __slots__ = ("function", "retry_on", "services", "told", "writes")

    def __init__(
        self,
        function: Callable[..., Awaitable[object]],
        injections: Sequence[Injection],
        services: Mapping[object, object],
        retry_on: tuple[type[BaseException], ...],
    ) -> None:
        self.function = function
        self.retry_on = retry_on
        self.services = {item.name: services[item.wants] for item in injections if item.is_service}
        self.told = tuple((item.name, item.wants) for item in injections if not item.is_service)
        self.writes = any(wants is Writes for _name, wants in self.told)

    # Any: the arguments have the types that the user's function declares.
    def __call__(
        self, context: Context, given: tuple[Any, ...], arguments: dict[str, Any]
    ) -> Awaitable[object]:
        """Call the function with its arguments, its services and what it is told."""
        if self.services:
            arguments.update(self.services)
        for name, wants in self.told:
            arguments[name] = context.provide(wants)
        return self.function(*given, **arguments)


class Served:
    """A workflow as an engine serves it."""

    __slots__ = ("bodies", "code", "compensates", "name", "plan", "undos")

    def __init__(
        self,
        workflow: Workflow[..., Any],  # Any: whatever the workflow returns
        services: Mapping[type, object],
    ) -> None:
        self.name = workflow.name
        self.plan = workflow.plan
        self.code = workflow.code
        given = find_services(self.code.needs(), services, workflow=self.name)
        self.bodies = [
            Bound(node.function, node.injections, given, node.retry_on) for node in self.code.nodes
        ]
        self.undos = [
            None
            if node.undo is None
            else Bound(node.undo.function, node.undo.injections, given, node.undo.retry_on)
            for node in self.code.nodes
        ]
        self.compensates = [
            None
            if (asked := node.compensate) is None
            else Bound(asked.function, asked.injections, given, asked.retry_on)
            for node in self.code.nodes
        ]

    def kind(self, index: int) -> Kind:
        """Return what a node is."""
        return self.plan.nodes[index].kind
