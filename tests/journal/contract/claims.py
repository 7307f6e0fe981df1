"""Of keys that are held and of those who wait for one: the promises 7 and 8 of `KeepsLetters`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.mail import Claimant, Claiming, LettingGo
from makegood.journal.protocol import Delivered, Posted
from makegood.values.instants import Instant
from tests.journal.contract.letters import bodies, say
from tests.journal.promises import OTHER, RUN
from tests.journal.records import append, first, run_id

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal
    from makegood.values.ids import RunId

CHILD, FOURTH = run_id(3), run_id(4)


def claiming(root: RunId, key: str = "account", id: str = "hold@1") -> Claiming:
    return Claiming(key=key, id=id, root=root, body=b'"yours"')


def claim(run: RunId, *, root: RunId | None = None, holds: bool = True) -> Claimant:
    return Claimant(
        key="account",
        run=run,
        id="hold@1",
        root=run if root is None else root,
        since=Instant(1),
        is_holder=holds,
        body=b"" if holds else b'"yours"',
    )


GO = LettingGo(key="account")


async def test_a_key_that_nobody_holds_is_granted_at_once(journal: Journal) -> None:
    assert await say(journal, claiming(RUN)) == Delivered(count=1, posted=(RUN,))

    assert (await journal.read(RUN)).inbox == (Posted(1, b'"yours"', Instant(7)),)
    assert await journal.claims(limit=9) == (claim(RUN),)


async def test_a_key_that_is_held_is_granted_when_its_holder_lets_go_and_wakes_who_waited(
    journal: Journal,
) -> None:
    await say(journal, claiming(RUN))
    assert await say(journal, claiming(OTHER), by=OTHER) == Delivered(count=1)
    assert await journal.claims(limit=9) == (claim(RUN), claim(OTHER, holds=False))
    await journal.append(append(OTHER, 2, release=True))

    assert await say(journal, GO) == Delivered(count=1, posted=(OTHER,))

    assert await journal.claims(limit=9) == (claim(OTHER),)
    assert (await journal.read(OTHER)).row.wake_at == 7


async def test_keys_are_granted_in_the_order_in_which_they_were_asked_for(
    journal: Journal,
) -> None:
    await say(journal, claiming(RUN))
    # The later ids come first.
    for run in (FOURTH, CHILD, OTHER):
        await say(journal, claiming(run), by=run)

    order: list[RunId] = []
    for _ in range(3):
        (holder,) = [each.run for each in await journal.claims(limit=9) if each.is_holder]
        order += (await say(journal, GO, by=holder)).posted

    assert order == [FOURTH, CHILD, OTHER]


async def test_a_run_of_the_same_tree_holds_the_key_too_until_both_let_go(
    journal: Journal,
) -> None:
    await say(journal, claiming(RUN))
    await say(journal, claiming(OTHER), by=OTHER)
    assert await say(journal, claiming(RUN), by=CHILD) == Delivered(count=1, posted=(CHILD,))

    assert await say(journal, GO) == Delivered(count=1)
    assert await bodies(journal, OTHER) == []

    assert await say(journal, GO, by=CHILD) == Delivered(count=1, posted=(OTHER,))
    assert await journal.claims(limit=9) == (claim(OTHER),)


async def test_all_of_a_tree_that_wait_for_a_key_are_granted_it_together(
    journal: Journal,
) -> None:
    await say(journal, claiming(OTHER), by=OTHER)
    await say(journal, claiming(RUN))
    await say(journal, claiming(FOURTH), by=FOURTH)
    await say(journal, claiming(RUN), by=CHILD)

    assert await say(journal, GO, by=OTHER) == Delivered(count=1, posted=(RUN, CHILD))

    assert await journal.claims(limit=9) == (
        claim(RUN),
        claim(FOURTH, holds=False),
        claim(CHILD, root=RUN),
    )


async def test_who_gives_up_a_claim_leaves_the_queue_and_no_other_claim(
    journal: Journal,
) -> None:
    await say(journal, claiming(RUN), claiming(RUN, id="again@2"), claiming(RUN, key="till"))
    await say(journal, claiming(OTHER), by=OTHER)
    await say(journal, LettingGo(key="account", id="hold@1"), by=OTHER)
    assert [each.run for each in await journal.claims(limit=9)] == [RUN, RUN, RUN]

    assert await say(journal, LettingGo(key="account", id="again@2")) == Delivered(count=1)

    assert [(each.key, each.id) for each in await journal.claims(limit=9)] == [
        ("account", "hold@1"),
        ("till", "hold@1"),
    ]


async def test_what_was_granted_and_given_up_goes_to_the_next_and_a_new_claim_waits(
    journal: Journal,
) -> None:
    await say(journal, claiming(RUN))
    await say(journal, claiming(OTHER), by=OTHER)

    await say(journal, LettingGo(key="account", id="hold@1"), claiming(RUN, id="hold@9"))

    claims = await journal.claims(limit=9)
    assert [(each.run, each.id, each.is_holder) for each in claims] == [
        (OTHER, "hold@1", True),
        (RUN, "hold@9", False),
    ]


async def test_all_that_becomes_of_a_key_may_be_in_one_delivery(journal: Journal) -> None:
    await journal.append(first(RUN, outgoing=(claiming(RUN),)))
    await journal.append(first(OTHER, outgoing=(claiming(OTHER),)))
    await journal.append(append(RUN, 2, outgoing=(GO,)))

    assert await journal.deliver(limit=9, now=Instant(7)) == Delivered(count=3, posted=(RUN, OTHER))

    assert await journal.claims(limit=1) == (claim(OTHER),)


async def test_to_let_go_of_what_one_does_not_hold_changes_nothing(journal: Journal) -> None:
    await say(journal, claiming(RUN))

    assert await say(journal, GO, by=OTHER) == Delivered(count=1)

    assert await journal.claims(limit=9) == (claim(RUN),)
