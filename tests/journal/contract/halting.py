"""Of what is halted (the promises of `KeepsHalts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from makegood.journal.halting import EVERY_ENGINE, Halt, HaltKind, Lifting
from makegood.values.instants import Instant
from tests.journal.promises import promise_of_halts

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal
    from tests.journal.records import World

HALTED = Halt(
    kind=HaltKind.WORKFLOW,
    name="place_order",
    actor="ann",
    reason="the gateway is being moved",
    at=Instant(10),
)
LIFTING = Lifting(actor="bob", reason="it has moved", at=Instant(50))


@promise_of_halts(1)
async def test_a_halt_is_seen_by_every_worker_and_outlives_who_wanted_it(world: World) -> None:
    alice, bob = await world.open(), await world.open()

    stands = await alice.halt(HALTED)
    await alice.close()

    assert stands == HALTED
    assert await bob.halts() == (HALTED,)
    assert await (await world.open(work=False)).halts() == (HALTED,)


@promise_of_halts(1)
@pytest.mark.parametrize(
    ("ends", "at", "until", "stays"),
    [
        (None, 20, None, True),
        (None, 20, 99, True),
        (40, 20, 40, True),
        (40, 20, 30, True),
        (40, 20, 41, False),
        (40, 20, None, False),
        (40, 40, 41, False),
        (40, 50, 45, False),
    ],
)
async def test_what_stands_and_ends_no_earlier_stays(
    journal: Journal,
    ends: Instant | None,
    at: Instant,
    until: Instant | None,
    *,
    stays: bool,
) -> None:
    before = replace(HALTED, until=ends)
    after = replace(HALTED, actor="eve", reason="another one", at=at, until=until)
    await journal.halt(before)

    stands = await journal.halt(after)

    assert stands == (before if stays else after)
    assert await journal.halts() == (stands,)


@promise_of_halts(2)
async def test_what_is_lifted_says_by_whom_and_why_until_it_is_halted_anew(
    journal: Journal,
) -> None:
    await journal.halt(HALTED)

    lifted = await journal.unhalt(HaltKind.WORKFLOW, "place_order", LIFTING)

    assert lifted == replace(HALTED, lifted=LIFTING)
    assert await journal.halts() == (lifted,)
    anew = replace(HALTED, at=Instant(60))
    assert await journal.halt(anew) == anew
    assert await journal.halts() == (anew,)


@promise_of_halts(2)
async def test_nothing_is_lifted_where_nothing_stands(journal: Journal) -> None:
    ended = replace(HALTED, until=LIFTING.at)
    await journal.halt(ended)

    assert await journal.unhalt(HaltKind.WORKFLOW, "place_order", LIFTING) is None
    assert await journal.unhalt(HaltKind.WORKFLOW, "refund_order", LIFTING) is None
    assert await journal.unhalt(HaltKind.SERVICE, "place_order", LIFTING) is None
    assert await journal.halts() == (ended,)


@promise_of_halts(2)
async def test_with_an_actor_only_what_that_one_has_halted_is_lifted(journal: Journal) -> None:
    await journal.halt(HALTED)

    by_another = await journal.unhalt(HaltKind.WORKFLOW, "place_order", LIFTING, of="breaker")
    by_itself = await journal.unhalt(HaltKind.WORKFLOW, "place_order", LIFTING, of="ann")

    assert by_another is None
    assert by_itself == replace(HALTED, lifted=LIFTING)


@promise_of_halts(3)
async def test_halts_are_sorted_by_what_is_halted_and_by_name(journal: Journal) -> None:
    halts = [
        replace(HALTED, kind=kind, name=name)
        for kind, name in (
            (HaltKind.WORKFLOW, "refund_order"),
            (HaltKind.ENGINE, "till-2"),
            (HaltKind.WORKFLOW, "place_order"),
            (HaltKind.SERVICE, "Gateway"),
            (HaltKind.ENGINE, EVERY_ENGINE),
        )
    ]
    for halt in halts:
        await journal.halt(halt)

    assert await journal.halts() == tuple(halts[each] for each in (4, 1, 3, 2, 0))


@promise_of_halts(4)
async def test_asking_again_has_the_same_outcome(journal: Journal) -> None:
    await journal.halt(HALTED)
    assert await journal.halt(HALTED) == HALTED

    first = await journal.unhalt(HaltKind.WORKFLOW, "place_order", LIFTING)
    again = await journal.unhalt(HaltKind.WORKFLOW, "place_order", LIFTING)
    later = await journal.unhalt(HaltKind.WORKFLOW, "place_order", replace(LIFTING, at=Instant(51)))

    assert (first, again, later) == (replace(HALTED, lifted=LIFTING),) * 2 + (None,)
