"""Where the services of a demonstration keep their books: a store for each, or one for all.

A store is a file in a folder, or a database of a PostgreSQL server that is made for this one
demonstration and dropped after it.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from makegood.cli.demo.stores import SERVED_HERE, alone_at, served_here, with_lease
from makegood.commerce.bookshelf import is_address
from makegood.commerce.services.accounts import Places
from makegood.commerce.services.town import SERVICES
from makegood.errors import InvalidInput
from makegood.journal.address import open_journal
from makegood.runtime.clock import RandomIds

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

__all__ = ["placing"]

CLOSING_SECONDS_MAX = 5.0


@contextmanager
def placing(asked: str | None, *, together: bool) -> Generator[Places]:
    """Give places to keep books at, all of which are removed afterwards but a folder that is asked.

    Raises `InvalidInput` for what names no place, and `StoreRefused` where something is missing
    that it needs.
    """
    names = [each.name for each in SERVICES]
    with ExitStack() as stack:
        if asked is None or asked == SERVED_HERE or is_address(asked):
            made = tempfile.TemporaryDirectory(prefix="makegood-demo-")
            folder = Path(stack.enter_context(made))
        else:
            folder = _folder(asked)
            stack.enter_context(alone_at(folder))
        if asked == SERVED_HERE:
            asked = stack.enter_context(served_here())
        if asked is not None and is_address(asked):
            stores = stack.enter_context(_databases(asked, ["all"] if together else names))
        else:
            stores = [
                f"sqlite:///{folder / f'{name}.journal'}"
                for name in (["all"] if together else names)
            ]
        if together:
            stores = [*stores] * len(names)
        yield Places(
            stores=dict(zip(names, stores, strict=True)),
            gateway=str(folder / "gateway.books"),
            carrier=str(folder / "carrier.books"),
            mailer=str(folder / "mailer.books"),
        )


def _folder(asked: str) -> Path:
    folder = Path(asked).absolute()
    if "://" in asked or folder.is_file() or not folder.parent.is_dir():
        message = (
            f"--store {asked} is no folder for five services; name one, "
            f"postgresql://user@host/database, or {SERVED_HERE}"
        )
        raise InvalidInput(message)
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def _databases(address: str, names: Sequence[str]) -> Generator[list[str]]:
    """Make a database for each, beside the one of the address; drop them afterwards."""
    # What is wrong with the address, or missing for it, is said where journals are opened.
    open_journal(address)
    run = str(RandomIds().run()).replace("-", "")[-12:]
    made = [f"makegood_demo_{run}_{name}" for name in names]
    asyncio.run(_run(address, [f'CREATE DATABASE "{name}"' for name in made]))
    try:
        yield [with_lease(_with_database(address, name)) for name in made]
    finally:
        asyncio.run(_run(address, [f'DROP DATABASE "{name}" WITH (FORCE)' for name in made]))


def _with_database(address: str, name: str) -> str:
    return urlunsplit(urlsplit(address)._replace(path=f"/{name}"))


async def _run(address: str, statements: Sequence[str]) -> None:
    from makegood.journal.postgres import connection as driver  # noqa: PLC0415 - an optional extra
    from makegood.journal.postgres.place import Place  # noqa: PLC0415

    place = Place.of(address)
    try:
        connection = await driver.ASYNCPG.connect(place)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close(timeout=CLOSING_SECONDS_MAX)
    except driver.TROUBLE as error:
        raise driver.refusal_to_connect(place, error) from error
