"""Does the journal in memory keep the promises, and end its leases in time?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.journal.memory import MemoryJournal, MemoryStore
from makegood.journal.protocol import Applied, Fenced, Leased, Migration
from makegood.values.instants import Instant
from tests.journal.contract import *  # noqa: F403 - the suite that every journal passes
from tests.journal.contract.lanes import *  # noqa: F403 - and that of messages
from tests.journal.records import ALICE, BOB, SECOND, append, first, run_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.protocol import Journal


class MemoryWorld:
    """Workers on one store in memory."""

    def __init__(self) -> None:
        self.store = MemoryStore(lease_seconds=10)

    async def open(
        self, *, work: bool = True, migrations: Sequence[Migration] = ()
    ) -> MemoryJournal:
        journal = MemoryJournal(self.store)
        await journal.open(work=work, migrations=migrations)
        return journal

    async def kill(self, journal: Journal) -> None:
        """Do nothing: a worker that no longer calls is dead once its leases have run out."""


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


async def test_a_lease_ends_exactly_when_its_time_has_passed(world: MemoryWorld) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(run_id(1), at=Instant(0)))
    plans = {"plan-1": 999}

    early = await bob.lease(BOB, room=plans, limit=9, now=Instant(10 * SECOND - 1))
    late = await bob.lease(BOB, room=plans, limit=9, now=Instant(10 * SECOND))

    assert early.claimed == ()
    assert late.claimed == (Leased(run=run_id(1), epoch=2, fingerprint="plan-1", claims=1),)


async def test_a_lease_renewed_lasts_from_the_renewal(world: MemoryWorld) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(run_id(1), at=Instant(0)))
    plans = {"plan-1": 999}
    await alice.lease(ALICE, room=plans, limit=9, now=Instant(9 * SECOND))

    found = await bob.lease(BOB, room=plans, limit=9, now=Instant(18 * SECOND))

    assert found.claimed == ()


async def test_a_worker_that_woke_up_too_late_is_fenced_by_its_own_store(
    world: MemoryWorld,
) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(run_id(1)))
    await bob.lease(BOB, room={"plan-1": 999}, limit=9, now=Instant(99 * SECOND))

    assert await alice.append(append(run_id(1), 2)) == Fenced()
    assert await bob.append(append(run_id(1), 2, worker=BOB, epoch=2)) == Applied()


async def test_a_journal_without_a_store_has_its_own() -> None:
    one, two = MemoryJournal(), MemoryJournal()
    await one.open(work=True)
    await two.open(work=True)
    await one.append(first(run_id(1), "order-1"))

    assert await two.find("place_order", "order-1") is None
