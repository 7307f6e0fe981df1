"""Which journal does a person mean, and which run in it? Nothing is made by asking."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from makegood import Engine, InvalidInput, Operator
from makegood.journal.address import open_journal, open_upkeep

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from makegood.journal.protocol import Journal
    from makegood.journal.upkeep import Upkeep

__all__ = ["Store", "address_of", "opened"]

_SQLITE = "sqlite:///"


class Store(NamedTuple):
    """A journal that exists, opened to read it and to ask for things, but never to work."""

    engine: Engine
    operator: Operator
    journal: Journal


@asynccontextmanager
async def opened(store: str) -> AsyncGenerator[Store]:
    """Open the journal that a path or an address names; `InvalidInput` when there is none.

    One whose schema is behind is refused too: to look into a store changes nothing of it.
    """
    address = address_of(store)
    await _require_current(open_upkeep(address))
    journal = open_journal(address)
    async with Engine(journal, work=False) as engine:
        yield Store(engine, Operator(engine), journal)


def address_of(store: str, *, is_there: bool = True) -> str:
    """Return the address that a path or an address means.

    `InvalidInput` for a file that is not there, unless that is what the command is for.
    """
    if store.startswith("memory:"):
        message = f"{store} ends with its process, so there is nothing to look into; name a file"
        raise InvalidInput(message)
    if "://" in store and not store.startswith(_SQLITE):
        # What is wrong with an address is said where addresses are known.
        return store
    path = store.removeprefix(_SQLITE)
    if not path or (is_there and not Path(path).exists()):
        message = f"there is no journal at {path or repr(path)}; name the file of one with --store"
        raise InvalidInput(message)
    return f"{_SQLITE}{path}"


async def _require_current(upkeep: Upkeep) -> None:
    schema = await upkeep.schema()
    if schema.number == 0:
        message = f"there is no journal in {upkeep.where}; make it with `makegood db upgrade`"
        raise InvalidInput(message)
    if schema.number < schema.newest:
        message = (
            f"{upkeep.where} has schema {schema.number} and this program needs {schema.newest}; "
            "run `makegood db upgrade`"
        )
        raise InvalidInput(message)
