"""Which journal does a person mean, and which run in it? Nothing is made by asking."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from makegood import Engine, InvalidInput, Operator
from makegood.journal.address import open_journal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from makegood.journal.protocol import Journal

__all__ = ["Store", "opened"]

_SQLITE = "sqlite:///"


class Store(NamedTuple):
    """A journal that exists, opened to read it and to ask for things, but never to work."""

    engine: Engine
    operator: Operator
    journal: Journal


@asynccontextmanager
async def opened(store: str) -> AsyncGenerator[Store]:
    """Open the journal that a path or an address names; `InvalidInput` when there is none."""
    journal = open_journal(_address(store))
    async with Engine(journal, work=False) as engine:
        yield Store(engine, Operator(engine), journal)


def _address(store: str) -> str:
    if store.startswith("memory:"):
        message = f"{store} ends with its process, so there is nothing to look into; name a file"
        raise InvalidInput(message)
    if "://" in store and not store.startswith(_SQLITE):
        # What is wrong with an address is said where addresses are known.
        return store
    path = store.removeprefix(_SQLITE)
    if not path or not Path(path).exists():
        message = f"there is no journal at {path or repr(path)}; name the file of one with --store"
        raise InvalidInput(message)
    return f"{_SQLITE}{path}"
