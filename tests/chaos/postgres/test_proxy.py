"""Each fate of a COMMIT does what it says, to a real server and a real client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.chaos.postgres.proxy import EACH, Fate, Fates, Proxy
from tests.chaos.postgres.talk import Kind
from tests.journal.postgres.served import eventually

if TYPE_CHECKING:
    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

ANSWER_SECONDS_MAX = 0.2


class Always(Fates):
    """The same fate for every ask of one kind."""

    def __init__(self, fate: Fate) -> None:
        super().__init__({}, seed=0)
        self.fate = fate

    def of(self, kind: Kind) -> Fate | None:
        return self.fate if kind is Kind.COMMIT else None


async def committed(world: PostgresWorld) -> list[int]:
    return [row[0] for row in await world.sql("SELECT number FROM seen")]


async def commit(connection: Any) -> None:  # Any: the driver's connection
    """Do what a step's transaction does."""
    await connection.execute("BEGIN")
    await connection.fetch("SELECT pg_temp.move_runs($1)", 17)
    await connection.execute("COMMIT", timeout=ANSWER_SECONDS_MAX)


@pytest.mark.parametrize(
    ("fate", "is_done"),
    [
        (Fate.LOST, False),
        (Fate.TORN, False),
        (Fate.UNANSWERED, True),
        (Fate.LATE, True),
        (Fate.SILENT, True),
    ],
)
async def test_the_client_learns_nothing_and_the_server_has_done_it_or_not(
    served: Served, fate: Fate, *, is_done: bool
) -> None:
    world = await served.world()
    await (await world.open()).close()
    await world.sql("CREATE TABLE seen (number bigint)")
    async with Proxy(served.port) as proxy:
        behind = world.dsn.replace(f":{served.port}/", f":{proxy.port}/")
        connection = await asyncpg.connect(behind)
        try:
            await connection.execute(f"SET search_path = {world.place.schema}")
            await connection.execute(
                "CREATE FUNCTION pg_temp.move_runs(bigint) RETURNS void LANGUAGE sql "
                "AS 'INSERT INTO seen VALUES ($1)'"
            )
            proxy.fates = Always(fate)
            with pytest.raises((OSError, asyncpg.InterfaceError, asyncpg.PostgresError)):
                await commit(connection)
        finally:
            connection.terminate()

        if is_done:

            async def has_come() -> bool:
                return await committed(world) == [17]

            await eventually(has_come)
    assert await committed(world) == ([17] if is_done else [])


def test_every_fate_of_every_kind_comes_in_its_turn() -> None:
    fates = Fates({Kind.COMMIT: 5, Kind.LEASE: 1}, seed=3)
    assert len(fates.missing()) == len(EACH[Kind.COMMIT]) + len(EACH[Kind.LEASE])

    assert fates.cuts_another() is None

    drawn = [fates.of(Kind.COMMIT) for _ in range(200)]
    for _ in range(10):
        fates.of(Kind.LEASE)

    struck = [fate for fate in drawn if fate is not None]
    assert tuple(struck[:5]) == EACH[Kind.COMMIT]
    assert 20 < len(struck) < 80
    assert fates.of(Kind.OTHER) is None
    assert fates.missing() == []


def test_one_in_so_many_asks_cuts_some_other_connection() -> None:
    fates = Fates({}, cut_gap=10, seed=3)

    drawn = [fates.cuts_another() for _ in range(1_000)]

    struck = [which for which in drawn if which is not None]
    assert 60 < len(struck) < 140
    assert min(struck) < 0.1
    assert max(struck) > 0.9
