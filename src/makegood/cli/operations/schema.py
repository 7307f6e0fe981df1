"""How far is the schema of a store, and how does it get further? `makegood db`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import msgspec

from makegood import InvalidInput
from makegood.cli.status import DONE, FOUND
from makegood.cli.store import address_of
from makegood.cli.workflows import object_at
from makegood.cli.writing import json_of, look_of, write
from makegood.journal.address import open_upkeep
from makegood.picture.marks import Style
from makegood.picture.typeset import visible

if TYPE_CHECKING:
    from makegood.extension import Extension, Migration
    from makegood.journal.upkeep import Schema

__all__ = ["sql", "status", "upgrade"]


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """How far a schema is, as JSON shows it."""

    number: int
    newest: int
    pending: tuple[str, ...]
    is_current: bool


def status(store: str, extensions: Sequence[str], *, as_json: bool) -> int:
    """Write how far the schema is; say by the status whether this program can work on it."""
    upkeep = open_upkeep(address_of(store))
    schema = asyncio.run(upkeep.schema(migrations_of(extensions)))
    if as_json:
        write(
            json_of(
                Stands(
                    number=schema.number,
                    newest=schema.newest,
                    pending=schema.pending,
                    is_current=schema.is_current,
                )
            )
        )
    else:
        ink = look_of(sys.stdout).ink
        style = Style.GOOD if schema.is_current else Style.BAD
        write(ink(visible(f"{upkeep.where}: {_said(schema)}"), style))
    return DONE if schema.is_current else FOUND


def upgrade(store: str, extensions: Sequence[str], *, as_json: bool) -> int:
    """Bring the schema to its newest number, and write what was applied."""
    upkeep = open_upkeep(address_of(store, is_there=False))
    applied = asyncio.run(upkeep.upgrade(migrations_of(extensions)))
    if as_json:
        write(json_of({"applied": applied}))
    elif applied:
        write(visible(f"{upkeep.where}: applied {', '.join(applied)}"))
    else:
        write(visible(f"{upkeep.where}: there was nothing to apply"))
    return DONE


def sql(store: str, extensions: Sequence[str], *, since: int | None) -> int:
    """Write what an upgrade would run."""
    if since and extensions:
        message = (
            "--since says nothing of the tables of an extension; leave it out to have the store "
            "asked, or give --since 0"
        )
        raise InvalidInput(message)
    upkeep = open_upkeep(address_of(store, is_there=False))
    write(asyncio.run(upkeep.script(migrations_of(extensions), since=since)))
    return DONE


def migrations_of(places: Sequence[str]) -> tuple[Migration, ...]:
    """Return the migrations of the extensions that places name."""
    found: list[Migration] = []
    for place in places:
        extension = object_at(place, asked="--extension", wanted="an extension")
        if not isinstance(getattr(extension, "migrations", None), Sequence):
            message = f"--extension {place} has no migrations; name an extension, as module:object"
            raise InvalidInput(message)
        found += cast("Extension", extension).migrations
    return tuple(found)


def _said(schema: Schema) -> str:
    if schema.number > schema.newest:
        return f"schema {schema.number}, and this program knows only {schema.newest}"
    number = "no schema" if schema.number == 0 else f"schema {schema.number}"
    if schema.is_current:
        return f"{number}, the newest"
    return f"{number}; an upgrade would apply {', '.join(schema.pending)}"
