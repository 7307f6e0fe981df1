"""What each command takes by which a person holds up or steers; what it does is beside.

The annotations here are read when the module runs, so they are not put off.
"""
# What several commands take is described once, with its type; help is told without the engine.
# ruff: noqa: PLC0415

from typing import Annotated

from cyclopts import Parameter

from makegood.cli.commands import WAIT, Actor, Duration, Json, Reason, RunName, Store, Wait
from makegood.errors import InvalidInput

__all__ = ["pause", "resume", "retry_from", "set_result", "skip"]

MaybeRun = Annotated[
    str | None,
    Parameter(name="RUN", help="A run's id, or its workflow and key: place_order/order-17."),
]
Node = Annotated[str, Parameter(name="NODE", help="The path of the node, as `show` names it.")]
Workflow = Annotated[
    str | None, Parameter(metavar="NAME", help="All runs of a workflow, on every worker.")
]
Engine = Annotated[
    str | None,
    Parameter(metavar="NAME", help="Everything that engines of this name do; `*`: every engine."),
]
Schedule = Annotated[str | None, Parameter(metavar="NAME", help="Every slot of this schedule.")]
Receptor = Annotated[
    str | None,
    Parameter(metavar="NAME", help="All messages of this receptor, or of its whole group."),
]
Service = Annotated[
    str | None, Parameter(metavar="NAME", help="Every step that is given this service.")
]
Preview = Annotated[bool, Parameter(show_default=False, help="Only show what it would come to.")]
Yes = Annotated[
    bool,
    Parameter(show_default=False, help="Do not ask; without a terminal to ask at it is needed."),
]


def pause(
    run: MaybeRun = None,
    /,
    *,
    store: Store,
    reason: Reason | None = None,
    workflow: Workflow = None,
    engine: Engine = None,
    service: Service = None,
    schedule: Schedule = None,
    receptor: Receptor = None,
    lasting: Annotated[
        Duration,
        Parameter(name="--for", help="For how long, where it is no run: 30m, 2h."),
    ] = None,
    actor: Actor = None,
    preview: Preview = False,
    wait: Wait = WAIT,
    json: Json = False,
) -> int:
    """Have nothing more begun of a run, or of whatever else is named."""
    from makegood.cli.asking import holding as room
    from makegood.cli.control import Asking

    target = room.target_of(
        run,
        workflow=workflow,
        engine=engine,
        service=service,
        schedule=schedule,
        receptor=receptor,
    )
    why = _reason(reason, is_preview=preview)
    asking = Asking(store, run or "", actor=actor, reason=why, wait=wait, as_json=json)
    return room.pause(asking, target, lasting=lasting, is_preview=preview)


def resume(
    run: MaybeRun = None,
    /,
    *,
    store: Store,
    reason: Reason | None = None,
    workflow: Workflow = None,
    engine: Engine = None,
    service: Service = None,
    schedule: Schedule = None,
    receptor: Receptor = None,
    actor: Actor = None,
    preview: Preview = False,
    wait: Wait = WAIT,
    json: Json = False,
) -> int:
    """Have what was paused or halted go on."""
    from makegood.cli.asking import holding as room
    from makegood.cli.control import Asking

    target = room.target_of(
        run,
        workflow=workflow,
        engine=engine,
        service=service,
        schedule=schedule,
        receptor=receptor,
    )
    why = _reason(reason, is_preview=preview)
    asking = Asking(store, run or "", actor=actor, reason=why, wait=wait, as_json=json)
    return room.resume(asking, target, is_preview=preview)


def skip(
    run: RunName,
    node: Node,
    /,
    *,
    store: Store,
    reason: Reason | None = None,
    actor: Actor = None,
    preview: Preview = False,
    yes: Yes = False,
    wait: Wait = WAIT,
    json: Json = False,
) -> int:
    """Have a node of a run skipped."""
    from makegood.cli.asking import holding as room
    from makegood.cli.control import Asking

    why = _reason(reason, is_preview=preview)
    asking = Asking(store, run, actor=actor, reason=why, wait=wait, as_json=json)
    return room.skip(asking, node, is_preview=preview, is_agreed=yes)


def retry_from(
    run: RunName,
    node: Node,
    /,
    *,
    store: Store,
    reason: Reason | None = None,
    actor: Actor = None,
    preview: Preview = False,
    yes: Yes = False,
    wait: Wait = WAIT,
    json: Json = False,
) -> int:
    """Have a node done again, with all that comes after it."""
    from makegood.cli.asking import holding as room
    from makegood.cli.control import Asking

    why = _reason(reason, is_preview=preview)
    asking = Asking(store, run, actor=actor, reason=why, wait=wait, as_json=json)
    return room.retry_from(asking, node, is_preview=preview, is_agreed=yes)


def set_result(
    run: RunName,
    node: Node,
    result: Annotated[str, Parameter(name="JSON", help="The result, as JSON.")],
    /,
    *,
    store: Store,
    reason: Reason | None = None,
    actor: Actor = None,
    preview: Preview = False,
    yes: Yes = False,
    wait: Wait = WAIT,
    json: Json = False,
) -> int:
    """Give a node its result, instead of its body."""
    from makegood.cli.asking import holding as room
    from makegood.cli.control import Asking

    why = _reason(reason, is_preview=preview)
    asking = Asking(store, run, actor=actor, reason=why, wait=wait, as_json=json)
    return room.set_result(asking, node, result, is_preview=preview, is_agreed=yes)


def _reason(reason: str | None, *, is_preview: bool) -> str:
    if reason is None and not is_preview:
        message = "--reason is missing: say why; it is recorded for ever"
        raise InvalidInput(message)
    return reason or ""
