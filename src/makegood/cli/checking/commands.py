"""What each command about a program's declarations takes: its options, with their help.

The annotations here are read when the module runs, so they are not put off.
"""
# What several commands take is described once, with its type; help is told without the engine.
# ruff: noqa: D417, PLC0415

from typing import Annotated

from cyclopts import Parameter

from makegood.cli.commands import Flag, Json, RunName, Store

__all__ = ["check", "explore", "export", "lint"]

Program = Annotated[
    str,
    Parameter(
        name="MODULE:NAME",
        help="Where the program has its workflows: module:object, or a module with all it has.",
    ),
]


def check(
    place: Annotated[
        str,
        Parameter(
            name="MODULE:NAME",
            help="Where the program has its engine or its workflows: module:object, or a module.",
        ),
    ],
    /,
    *,
    against: Store,
    json: Json = False,
) -> int:
    """List the runs that a program could not carry on, and why."""
    from makegood.cli.checking import checking as room

    return room.check(place, against, as_json=json)


def export(*run: RunName, store: Store) -> int:
    """Write what is recorded of runs, for a test that replays it."""
    from makegood.cli.checking import exporting as room

    return room.export(store, run)


def lint(place: Program, /, *, allowed: Flag = False, json: Json = False) -> int:
    """Find what is allowed in a workflow, but looks wrong.

    Parameters
    ----------
    allowed
        Tell what is allowed for a reason, too.
    """
    from makegood.cli.checking import linting as room

    return room.lint(place, is_told_allowed=allowed, as_json=json)


def _require_some(_type: object, worlds: int) -> None:
    if worlds < 1:
        message = "Give 1 or more."
        raise ValueError(message)


def explore(
    place: Annotated[
        str, Parameter(name="MODULE:WORKFLOW", help="Where the workflow is, and its name there.")
    ],
    /,
    *,
    pairs: Flag = False,
    examples: Annotated[str | None, Parameter(metavar="PLACE")] = None,
    invariant: Annotated[tuple[str, ...], Parameter(metavar="PLACE", show_default=False)] = (),
    worlds_max: Annotated[int, Parameter(metavar="WORLDS", validator=_require_some)] = 200_000,
    json: Json = False,
) -> int:
    """Find what a workflow would leave behind, whatever goes wrong.

    Every step fails, is in doubt and times out, every undo and compensate fails, the worker dies
    at every record: one at a time, and without calling any step.

    Parameters
    ----------
    pairs
        Every pair of these too.
    examples
        Where values are for types that no example can be made of: module:dict.
    invariant
        A function that says what is wrong with a world, as module:function; may be repeated.
    worlds_max
        After how many worlds it ends.
    """
    from makegood.cli.checking import exploring as room

    return room.explore(
        place,
        examples=examples,
        invariants=invariant,
        pairs=pairs,
        worlds_max=worlds_max,
        as_json=json,
    )
