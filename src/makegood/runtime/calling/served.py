"""A workflow as an engine serves it: its plan, its functions, and the services they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.definition.reading.fit import type_name
from makegood.errors import DefinitionError, ServiceError
from makegood.runtime.calling.services import find_services
from makegood.runtime.config import require_positive
from makegood.runtime.emitting.announcing import announcers_of
from makegood.runtime.protecting.guard import Guard
from makegood.runtime.protecting.handling import turnstiles_of
from makegood.values.injectable import (
    Writes,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from makegood.definition.code import Injection
    from makegood.definition.plan import Plan
    from makegood.definition.receiving.messages import Schemas
    from makegood.definition.workflow import Workflow
    from makegood.runtime.protecting.handling import Turnstile

__all__ = ["Bound", "Served", "require_apart", "serve_all"]


class Bound:
    """A user's function with the services that it is given."""

    __slots__ = (
        "function",
        "guards",
        "record",
        "recorded",
        "retry_on",
        "sends",
        "services",
        "told",
        "writes",
    )

    def __init__(
        self,
        function: Callable[..., Awaitable[object]],
        injections: Sequence[Injection],
        services: Mapping[object, object],
        retry_on: tuple[type[BaseException], ...],
        turnstiles: Sequence[Turnstile] = (),
        *,
        sends: Schemas | None = None,
    ) -> None:
        self.function = function
        self.retry_on = retry_on
        self.sends: Schemas = sends or {}
        """Which messages it may emit, where it is a step's."""
        self.services: dict[str, object] = {}
        guards: list[Guard | Turnstile] = [*turnstiles]
        for item in injections:
            if item.is_service:
                service = services[item.wants]
                if isinstance(service, Guard):
                    service.known_as(type_name(item.wants))
                    guards.append(service)
                    service = service.value
                self.services[item.name] = service
        self.guards = tuple(dict.fromkeys(guards))
        """What it has to pass: how often it is called at once, and what protects its services."""
        self.told = tuple(
            (item.name, item.wants)
            for item in injections
            if not (item.is_service or item.is_record or item.is_recorded)
        )
        """What only the runtime can fill in, call by call."""
        self.record = next((item.name for item in injections if item.is_record), None)
        """The parameter by which it stores what an undo will need."""
        self.recorded = next((item for item in injections if item.is_recorded), None)
        """The parameter by which it is given that."""
        self.writes = any(wants is Writes for _name, wants in self.told)


class Served:
    """A workflow as an engine serves it."""

    __slots__ = (
        "announces",
        "bodies",
        "code",
        "compensates",
        "door",
        "name",
        "period",
        "plan",
        "runs_active_max",
        "speaks",
        "undos",
    )

    def __init__(
        self,
        workflow: Workflow[..., Any],  # Any: whatever the workflow returns
        services: Mapping[type, object],
        *,
        runs_active_max: int | None = None,
    ) -> None:
        self.name = workflow.name
        self.runs_active_max = runs_active_max
        """How many of its runs are held at once; None: as many as there is room for."""
        self.period = workflow.period
        """How long its ended runs are kept; None: until somebody prunes them by their age."""
        self.plan = workflow.plan
        self.speaks = workflow.plan.speaks
        self.code = workflow.code
        self.door = workflow.door
        lifecycle = self.code.lifecycle
        self.announces = (
            None if lifecycle is None else announcers_of(self.name, lifecycle.announcements)
        )
        """What is sent of what happens to a record; None where that is nothing."""
        given = find_services(self.code.needs(), services, workflow=self.name)
        nodes = self.code.nodes.items()
        passed = turnstiles_of(self.name, self.plan.machine)
        self.bodies = {
            number: Bound(
                node.function,
                node.injections,
                given,
                node.retry_on,
                passed.get(number, ()),
                sends=node.body.sends,
            )
            for number, node in nodes
        }
        """By the numbers of the plan, as the two that follow."""
        self.undos = {
            number: Bound(undo.function, undo.injections, given, undo.retry_on, sends=undo.sends)
            for number, node in nodes
            if (undo := node.undo) is not None
        }
        self.compensates = {
            number: Bound(
                asked.function, asked.injections, given, asked.retry_on, sends=asked.sends
            )
            for number, node in nodes
            if (asked := node.compensate) is not None
        }


# Any: as above.
def _with_children(workflows: Sequence[Workflow[..., Any]]) -> list[Workflow[..., Any]]:
    """Return the workflows and all that are steps of them, each once."""
    found = {each.plan.fingerprint: each for each in workflows}
    coming = [*workflows]
    while coming:
        for child in coming.pop().children():
            if child.plan.fingerprint not in found:
                found[child.plan.fingerprint] = child
                coming.append(child)
    return [*found.values()]


def serve_all(
    workflows: Sequence[Workflow[..., Any]],  # Any: as above
    services: Mapping[type, object],
    *,
    runs_active_max: int | None = None,
) -> list[Served]:
    """Return the workflows with their services; one `ServiceError` names all that are missing."""
    if runs_active_max is not None:
        require_positive("runs_active_max", runs_active_max)
    served: list[Served] = []
    problems: list[str] = []
    for workflow in _with_children(workflows):
        try:
            served.append(Served(workflow, services, runs_active_max=runs_active_max))
        except ServiceError as error:
            problems.append(str(error))
    if problems:
        raise ServiceError("\n".join(problems))
    return served


def require_apart(plans: Iterable[Plan]) -> None:
    """Raise `DefinitionError` for plans that differ and have one name and version."""
    known: dict[tuple[str, str | None], str] = {}
    for plan in plans:
        if known.setdefault((plan.workflow, plan.version), plan.fingerprint) == plan.fingerprint:
            continue
        of_version = "" if plan.version is None else f" with version {plan.version}"
        message = (
            f"two workflows are named `{plan.workflow}`{of_version}; rename one of them, or tell "
            'definitions of one workflow apart by .version("…")'
        )
        raise DefinitionError(message)
