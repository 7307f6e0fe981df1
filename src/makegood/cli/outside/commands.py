"""What `complete` and `fail` take: their options, with their help.

The annotations here are read when the module runs, so they are not put off.
"""
# Help is told without the engine; what several commands take is described once, with its type.
# ruff: noqa: D417, PLC0415

from typing import Annotated, Literal

from cyclopts import Parameter

from makegood.cli.commands import WAIT, Json, Store, Wait

__all__ = ["complete", "fail"]

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
