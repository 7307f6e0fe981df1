"""May this database be used, and what is said about one that may not?"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from makegood.errors import InvalidInput, StoreBusy, StoreRefused
from makegood.journal.address import open_journal
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.opening import open_database, require_version, scripts
from makegood.journal.postgres.place import Place
from makegood.journal.protocol import Applied, Statement
from tests.journal.postgres.proxy import Proxy
from tests.journal.promises import RUN, lease, remembered, stock
from tests.journal.records import STOCK, append, first, post, run_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world()
    yield world
    await world.close()


async def test_many_that_open_a_new_schema_at_once_make_it_once(world: PostgresWorld) -> None:
    journals = await asyncio.gather(*(world.open(migrations=(STOCK,)) for _ in range(6)))

    assert {await stock(journal) for journal in journals} == {5}
    assert (await world.sql("SELECT value FROM meta WHERE name = 'schema'"))[0][0] == len(scripts())


@pytest.mark.parametrize("number", range(len(scripts())))
async def test_a_schema_of_every_earlier_number_is_brought_to_the_newest(
    world: PostgresWorld, number: int
) -> None:
    older = await open_database(world.place, (), own=scripts()[:number] or None)
    await older.close(timeout=5)

    journal = await world.open()

    assert (await world.sql("SELECT value FROM meta WHERE name = 'schema'"))[0][0] == len(scripts())
    assert await journal.append(first(RUN)) == Applied()


async def test_rows_stay_when_the_schema_is_brought_to_the_newest(world: PostgresWorld) -> None:
    older = await open_database(world.place, (), own=scripts()[:1])
    await older.close(timeout=5)
    await world.sql(
        "INSERT INTO run (id, workflow, fingerprint, input_hash, status, seq, inbox_head, "
        "inbox_taken, epoch, claims, wake_at, created_at) "
        "VALUES ($1, 'place_order', 'plan-1', 'h', 'running', 0, 0, 0, 0, 0, 1, 0)",
        RUN,
    )

    journal = await world.open()

    assert [leased.run for leased in (await lease(journal)).claimed] == [RUN]
    assert await journal.append(append(RUN, 1)) == Applied()


async def test_a_newer_schema_is_refused_with_both_numbers(world: PostgresWorld) -> None:
    await (await world.open()).close()
    await world.sql("UPDATE meta SET value = 99")

    with pytest.raises(StoreRefused, match=rf"has number 99 .* knows only {len(scripts())}; upgr"):
        await world.open()


async def test_another_programs_schema_is_refused(world: PostgresWorld) -> None:
    await world.sql(f"CREATE SCHEMA {world.place.schema}")
    await world.sql("CREATE TABLE orders (id text)")

    with pytest.raises(StoreRefused, match="is not a journal of makegood; name another one"):
        await world.open()
    assert (await world.sql("SELECT count(*) FROM orders"))[0][0] == 0


async def test_a_user_who_may_not_make_the_schema_is_told_so(
    world: PostgresWorld, served: Served
) -> None:
    role = f"reader_{world.place.schema}"
    await world.sql(f"CREATE ROLE {role} LOGIN")
    place = replace(world.place, dsn=world.place.dsn.replace("postgres@", f"{role}@"))

    with pytest.raises(StoreRefused, match=r"permission denied.*look at the rights of this user"):
        await PostgresJournal(place).open(work=True)
    await world.sql(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (("/postgres?", "/absent?"), StoreRefused, "does not exist; create the database first"),
        (("postgres@", "stranger@"), StoreRefused, "does not let this user in"),
        (("?", "?synchronous_commit=off&"), StoreRefused, "synchronous_commit = off, which loses"),
        (
            ("?", "?default_transaction_read_only=on&"),
            StoreRefused,
            "can only be read; give the address of its primary",
        ),
        (("?", "?sslmode=bogus&"), InvalidInput, "cannot be used: .*sslmode"),
    ],
)
async def test_a_place_that_cannot_be_used_is_refused_with_the_remedy(
    world: PostgresWorld, change: tuple[str, str], error: type[Exception], message: str
) -> None:
    place = replace(world.place, dsn=world.place.dsn.replace(*change))

    for pooled in (False, True):
        with pytest.raises(error, match=message):
            await PostgresJournal(replace(place, pooled=pooled)).open(work=True)


async def test_a_port_at_which_nobody_listens_is_busy(world: PostgresWorld) -> None:
    place = Place(dsn="postgresql://postgres@127.0.0.1:1/postgres")

    with pytest.raises(StoreBusy, match=r"127\.0\.0\.1:1/postgres cannot be reached .* start"):
        await PostgresJournal(place).open(work=True)


def test_a_server_that_is_too_old_is_refused_with_the_one_that_is_needed() -> None:
    require_version(16)
    with pytest.raises(StoreRefused, match="is PostgreSQL 15; upgrade it to 16 or newer"):
        require_version(15)


async def test_nothing_rests_on_a_session_behind_a_pooler(served: Served) -> None:
    """No prepared statement is kept, and every question is a transaction of its own."""
    async with Proxy(served.port) as proxy:
        world = await served.world(port=proxy.port, pooled=True)
        journal = await world.open(migrations=(STOCK,))
        await write_and_read(journal)
        await world.close()
        assert b"place_order" in proxy.heard
        assert b"__asyncpg" not in proxy.heard, "what is prepared has no name"
        assert b"statement_timeout\x00" not in proxy.heard, "no session is set up"


async def write_and_read(journal: PostgresJournal) -> None:
    runs = [run_id(number) for number in range(9)]

    made = await asyncio.gather(*(journal.append(first(run)) for run in runs))
    moved = await asyncio.gather(*(journal.append(append(run, 2)) for run in runs))

    assert made + moved == [Applied()] * 18
    assert await remembered(journal, runs[0]) == (2, (b'["000/1"]', b'["000/2"]'))
    assert (await lease(journal)).claimed == ()
    assert await journal.post(post(runs[0])) == 1
    sold = Statement("UPDATE stock SET count = count - ?", (1,), 1)
    taken = append(runs[0], 3, inbox_head=1, inbox_taken=1, writes=(sold,))
    assert await journal.append(taken) == Applied()
    assert await stock(journal) == 4


def test_a_missing_driver_is_named_with_the_remedy() -> None:
    command = (
        "import sys; sys.modules['asyncpg'] = None\n"
        "from makegood.journal.address import open_journal\n"
        "try: open_journal('postgresql://localhost/orders')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True, timeout=60
    ).stdout

    assert said.strip() == (
        'StoreRefused PostgreSQL is reached by asyncpg; run: pip install "makegood[postgres]"'
    )


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_an_address_names_the_database_and_what_is_ours(scheme: str) -> None:
    journal = open_journal(
        f"{scheme}://ann:secret@db.example:5433/shop?schema=orders&pooled=1&lease_seconds=3"
        "&sslmode=require"
        "&listen_dsn=postgresql%3A%2F%2Fann:hidden@direct:5432/shop%3Fsslmode=require"
    )

    assert isinstance(journal, PostgresJournal)
    assert journal._place == Place(
        dsn=f"{scheme}://ann:secret@db.example:5433/shop?sslmode=require",
        schema="orders",
        pooled=True,
        lease_seconds=3.0,
        listen_dsn="postgresql://ann:hidden@direct:5432/shop?sslmode=require",
    )
    assert "hidden" not in repr(journal._place)
    assert repr(journal) == "<PostgresJournal orders at db.example:5433/shop>"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://db:port/shop", "cannot be read"),
        ("postgresql://db/shop?schema=a.b", "'a.b' is not a plain name"),
        ("postgresql://db/shop?schema=pg_mine", "is not a plain name"),
        ("postgresql://db/shop?pooled=yes", "write pooled=0 or pooled=1"),
        ("postgresql://db/shop?lease_seconds=soon", "lease_seconds as a number"),
        ("postgresql://db/shop?lease_seconds=0", "give more than 0"),
        ("postgresql://db/shop?listen_dsn=direct:5432", "listen_dsn is no address"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused(url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        open_journal(url)


def test_what_is_said_of_an_address_shows_no_password_of_another_one() -> None:
    with pytest.raises(InvalidInput, match="write pooled=0") as caught:
        open_journal(
            "postgresql://db/shop?pooled=yes&listen_dsn=postgresql://ann:hidden@direct/shop"
        )

    assert "hidden" not in str(caught.value)
