"""What `http` and `keys` take: their options, with their help.

The annotations here are read when the module runs, so they are not put off.
"""
# Help is told without the engine; what several commands take is described once, with its type.
# ruff: noqa: D417, PLC0415

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from makegood.cli.commands import Flag, Json

__all__ = ["http", "keys_create", "keys_list", "keys_revoke"]

Keys = Annotated[Path, Parameter(metavar="FILE", help="The file of API keys.")]


def http(
    place: Annotated[
        str,
        Parameter(
            name="MODULE:ENGINE",
            help="Where the program has its engine, or a function that makes it.",
        ),
    ],
    /,
    *,
    keys: Keys,
    app: Annotated[
        tuple[str, ...],
        Parameter(metavar="MODULE:OBJECT", help="Workflows that can be started; may be repeated."),
    ] = (),
    extension: Annotated[
        tuple[str, ...],
        Parameter(metavar="MODULE:OBJECT", help="An extension with routes; may be repeated."),
    ] = (),
    host: str = "127.0.0.1",
    port: int = 8000,
    uvloop: Flag = False,
) -> int:
    """Serve the engine over HTTP until it is told to stop.

    Needs the extra "http". Whoever asks needs an API key; see `makegood keys create`. An engine
    that works carries out runs beside it; one with work=False leaves that to workers.

    Parameters
    ----------
    host
        Which address to listen at. Put whatever speaks TLS in front of it.
    port
        Which port; 0 for any that is free.
    uvloop
        Use the event loop of the extra "uvloop".
    """
    from makegood.cli.serving import serving as room

    wanted = room.Serving(place, keys, app, extension, host, port)
    return room.serve(wanted, has_uvloop=uvloop)


def keys_create(
    *,
    keys: Keys,
    name: Annotated[str, Parameter(metavar="NAME", help="Who has it; recorded as the actor.")],
    scope: Annotated[
        tuple[str, ...],
        Parameter(metavar="SCOPE", help="What it may do, as runs:read; may be repeated."),
    ],
    valid_for: Annotated[timedelta | None, Parameter(metavar="DURATION")] = None,
    json: Json = False,
) -> int:
    """Make an API key, and show it this once.

    Parameters
    ----------
    valid_for
        After how long it is refused; without, never.
    """
    from makegood.cli.serving import keyring as room

    return room.create(keys, name, scope, valid_for, as_json=json)


def keys_list(*, keys: Keys, json: Json = False) -> int:
    """List API keys: who has them, and what they may do."""
    from makegood.cli.serving import keyring as room

    return room.listed(keys, as_json=json)


def keys_revoke(
    id: Annotated[str, Parameter(name="ID", help="As `makegood keys list` names it.")],
    /,
    *,
    keys: Keys,
) -> int:
    """Revoke an API key: whoever has it is refused from now on."""
    from makegood.cli.serving import keyring as room

    return room.revoke(keys, id)
