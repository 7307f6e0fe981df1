"""What `dead`, `trace`, `receptors`, `missing` and `models` take: their options, with their help.

The annotations here are read when the module runs, so they are not put off.
"""
# Help is told without the engine; what several commands take is described once, with its type.
# ruff: noqa: PLC0415

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from cyclopts import Parameter

from makegood.cli.commands import Actor, Json, Store

__all__ = [
    "dead_discard",
    "dead_list",
    "dead_resend",
    "dead_show",
    "missing",
    "models_list",
    "models_rebuild",
    "models_retire",
    "receptors",
    "trace",
]

DAY = timedelta(days=1)

Ids = Annotated[
    tuple[str, ...], Parameter(name="ID", help="Which, as `makegood dead list` names them.")
]
Of = Annotated[
    str | None, Parameter(metavar="NAME", help="Those of this receptor, as payments/charge.")
]
Why = Annotated[str | None, Parameter(metavar="REASON", help="Those given up for this reason.")]
Fault = Annotated[str | None, Parameter(metavar="FAULT", help="Those that failed alike.")]
Because = Annotated[str, Parameter(metavar="TEXT", help="Why; it is kept with them.")]
Yes = Annotated[bool, Parameter(show_default=False, help="Do it; otherwise it is only shown.")]


def dead_list(
    *,
    store: Store,
    receptor: Of = None,
    why: Why = None,
    fault: Fault = None,
    json: Json = False,
) -> int:
    """List the messages that receptors have given up."""
    from makegood.cli.receiving import letters as room

    return room.listed(store, room.Chosen((), receptor, why, fault), as_json=json)


def dead_show(
    id: Annotated[str, Parameter(name="ID", help="As `makegood dead list` names it.")],
    /,
    *,
    store: Store,
    json: Json = False,
) -> int:
    """Show a message that was given up: what it says, and what went wrong."""
    from makegood.cli.receiving import letters as room

    return room.shown(store, id, as_json=json)


@dataclass(frozen=True, kw_only=True)
class _Moving:
    """Which letters are moved, by whom and why: what both ways to move them take."""

    store: Store
    because: Because
    receptor: Of = None
    why: Why = None
    fault: Fault = None
    actor: Actor = None
    yes: Yes = False
    json: Json = False

    def done(self, what: Literal["resend", "discard"], ids: tuple[str, ...]) -> int:
        """Move them, or say which they are."""
        from makegood.cli.receiving import letters as room

        return room.moved(
            self.store,
            what,
            room.Chosen(ids, self.receptor, self.why, self.fault),
            actor=self.actor,
            because=self.because,
            is_agreed=self.yes,
            as_json=self.json,
        )


Moving = Annotated[_Moving, Parameter(name="*")]


def dead_resend(ids: Ids = (), /, *, moving: Moving) -> int:
    """Have messages that were given up received again.

    Without --yes it only says which.
    """
    return moving.done("resend", ids)


def dead_discard(ids: Ids = (), /, *, moving: Moving) -> int:
    """Put messages away that nobody shall receive any more.

    Without --yes it only says which.
    """
    return moving.done("discard", ids)


def trace(
    correlation: Annotated[
        str, Parameter(name="ID", help="The correlation of a receipt, or a run's id.")
    ],
    /,
    *,
    store: Store,
    json: Json = False,
) -> int:
    """Show every message and run that came of one beginning."""
    from makegood.cli.receiving import letters as room

    return room.traced(store, correlation, as_json=json)


def receptors(
    *,
    store: Store,
    forget: Annotated[
        str | None,
        Parameter(metavar="NAME", help="Keep no more messages for this one, which nobody serves."),
    ] = None,
    json: Json = False,
) -> int:
    """List receptors, and how far each is behind."""
    from makegood.cli.receiving import letters as room

    if forget is not None:
        return room.forgotten(store, forget)
    return room.receptors(store, as_json=json)


def missing(
    *,
    store: Store,
    within: Annotated[
        timedelta,
        Parameter(
            metavar="DURATION",
            show_default=False,
            help="How far back to look, as 12h; the default is a day.",
        ),
    ] = DAY,
    json: Json = False,
) -> int:
    """List messages that should have come from another store, and have not."""
    from makegood.cli.receiving import letters as room

    return room.missing(store, within, as_json=json)


def models_list(*, store: Store, json: Json = False) -> int:
    """List the editions of read models, and how far each is."""
    from makegood.cli.receiving import models as room

    return room.listed(store, as_json=json)


def models_rebuild(
    model: Annotated[str, Parameter(name="NAME", help="Which read model.")],
    /,
    *,
    store: Store,
    because: Annotated[str, Parameter(metavar="TEXT", help="Why; it is kept with the edition.")],
    actor: Actor = None,
    json: Json = False,
) -> int:
    """Have a read model built anew, beside the rows that are read.

    Whoever serves it builds it; the rows that there are go on being read meanwhile.
    """
    from makegood.cli.receiving import models as room

    return room.rebuilt(store, model, actor=actor, because=because, as_json=json)


def models_retire(
    model: Annotated[str, Parameter(name="NAME", help="Which read model.")],
    number: Annotated[int, Parameter(name="EDITION", help="Which edition of it.")],
    /,
    *,
    store: Store,
    because: Annotated[str, Parameter(metavar="TEXT", help="Why; it is kept with the edition.")],
    actor: Actor = None,
    json: Json = False,
) -> int:
    """End an edition that nobody is to read any more.

    What is left of it is removed.
    """
    from makegood.cli.receiving import models as room

    return room.retired(store, model, number, actor=actor, because=because, as_json=json)
