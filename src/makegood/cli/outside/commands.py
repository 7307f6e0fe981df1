"""What `complete`, `fail`, `send`, `messages`, `holds` and `schedules` take, with their help.

The annotations here are read when the module runs, so they are not put off.
"""
# Help is told without the engine; what several commands take is described once, with its type.
# ruff: noqa: D417, PLC0415

from datetime import timedelta
from typing import Annotated, Literal

from cyclopts import Parameter

from makegood.cli.commands import WAIT, Json, Store, Wait

__all__ = ["complete", "fail", "holds", "messages", "schedules", "send"]

Token = Annotated[
    str, Parameter(name="TOKEN", help="What the step was given; `makegood show` tells it too.")
]
By = Annotated[
    str | None,
    Parameter(metavar="NAME", help="Who says so; it is recorded. The default is the login name."),
]


def complete(
    token: Token,
    /,
    *,
    store: Store,
    result: Annotated[str, Parameter(metavar="JSON", help="What the step returns, as JSON.")],
    actor: By = None,
    wait: Wait = WAIT,
    json: Json = False,
) -> int:
    """Say that a step which waits for somebody outside is done."""
    from makegood.cli.outside import completing as room

    saying = room.Saying(store, token, actor=actor, wait=wait, as_json=json)
    return room.complete(saying, result)


def fail(
    token: Token,
    /,
    *,
    store: Store,
    error: Annotated[str, Parameter(metavar="TEXT", help="What happened instead.")],
    kind: Literal["declined", "unavailable", "unknown"] = "declined",
    actor: By = None,
    wait: Wait = WAIT,
    json: Json = False,
) -> int:
    """Say that a step which waits for somebody outside failed.

    Parameters
    ----------
    kind
        A definite no, something that may be tried again, or nobody knows: the step is in doubt.
    """
    from makegood.cli.outside import completing as room

    saying = room.Saying(store, token, actor=actor, wait=wait, as_json=json)
    return room.fail(saying, error, kind)


def send(
    value: Annotated[str, Parameter(name="JSON", help="The message, as JSON.")],
    /,
    *,
    store: Store,
    app: Annotated[
        str,
        Parameter(metavar="MODULE:OBJECT", help="The workflow that waits for it, or where it is."),
    ],
    message: Annotated[str, Parameter(metavar="CLASS", help="The name of the message's class.")],
    key: Annotated[str, Parameter(metavar="KEY", help="What the message is about.")],
    keep: Annotated[timedelta, Parameter(metavar="DURATION")] = timedelta(days=7),
    id: Annotated[str | None, Parameter(metavar="ID")] = None,
    subject: Annotated[str | None, Parameter(metavar="WHO")] = None,
    json: Json = False,
) -> int:
    """Send a message to the run that waits for it.

    Parameters
    ----------
    keep
        How long it is kept for a run that does not wait yet.
    id
        Names the message: sent again under the same name it is the same one, and is dropped.
    subject
        Whom it is about, by which `erase` finds it.
    """
    from makegood.cli.outside import sending as room

    sending = room.Sending(store, app, message, key, keep, id, subject, as_json=json)
    return room.send(sending, value)


def messages(*, store: Store, json: Json = False) -> int:
    """List messages that nobody was given, and who waits for one."""
    from makegood.cli.outside import sending as room

    return room.messages(store, as_json=json)


def holds(
    *,
    store: Store,
    key: Annotated[str | None, Parameter(metavar="KEY", help="Of this key alone.")] = None,
    json: Json = False,
) -> int:
    """List keys that are held, by whom, and who waits for them."""
    from makegood.cli.outside import holds as room

    return room.holds(store, key=key, as_json=json)


def schedules(
    *,
    store: Store,
    forget: Annotated[
        str | None, Parameter(metavar="NAME", help="Take away one that is served no more.")
    ] = None,
    json: Json = False,
) -> int:
    """List schedules: when each comes next, and what became of its slots."""
    from makegood.cli.outside import schedules as room

    if forget is not None:
        return room.forget(store, forget)
    return room.schedules(store, as_json=json)
