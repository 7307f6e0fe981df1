"""Of messages that are kept and of those who wait for one: the promises of `KeepsLetters`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.journal.mail import KeptLetter, Letter, NoLonger, Waiter, Waiting
from makegood.journal.protocol import Delivered, Posted
from makegood.values.instants import Instant
from makegood.values.limits import LETTERS_KEPT_MAX
from tests.journal.promises import OTHER, RUN
from tests.journal.records import append, first, last, run_id

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal, Outgoing
    from makegood.values.ids import RunId

THIRD = run_id(3)


def letter(id: str = "1", key: str = "order-1", *, until: int = 99, **other: object) -> Letter:
    fields: dict[str, object] = {"message": "shop.Shipped", "body": b'"shipped"'}
    fields |= other
    return Letter(id=id, key=key, until=Instant(until), **fields)  # type: ignore[arg-type]


def waiting(key: str = "order-1", node: str = "wait") -> Waiting:
    return Waiting(message="shop.Shipped", key=key, node=node, refused=b'"taken"')


def no_longer(key: str = "order-1", node: str = "wait") -> NoLonger:
    return NoLonger(message="shop.Shipped", key=key, node=node)


def waiter(run: RunId, key: str = "order-1", *, since: int = 1) -> Waiter:
    return Waiter(message="shop.Shipped", key=key, run=run, node="wait", since=Instant(since))


def kept(
    sent: Letter,
    *,
    at: int = 1,
    by: RunId | None = None,
    subject: str | None = None,
    was_known: bool = False,
) -> KeptLetter:
    return KeptLetter(
        id=sent.id,
        message=sent.message,
        key=sent.key,
        body=sent.body if by is None else b"",
        at=Instant(at),
        until=sent.until,
        taken_by=by,
        subject=subject,
        was_known=was_known,
    )


async def say(journal: Journal, *entries: Outgoing, by: RunId = RUN, now: int = 7) -> Delivered:
    """Let a run say something in its next append, and deliver it."""
    seq = 0
    if not await journal.settled([by]):
        seq = (await journal.read(by)).row.seq
    if seq:
        head = (await journal.read(by)).row.inbox_head
        await journal.append(append(by, seq + 1, outgoing=entries, inbox_head=head, at=Instant(1)))
    else:
        await journal.append(first(by, outgoing=entries))
    return await journal.deliver(limit=99, now=Instant(now))


async def bodies(journal: Journal, run: RunId) -> list[bytes]:
    return [posted.body for posted in (await journal.read(run)).inbox]


async def test_a_message_wakes_the_run_that_waits_for_it(journal: Journal) -> None:
    await journal.append(first(RUN, outgoing=(waiting(),)))
    await journal.deliver(limit=9, now=Instant(2))
    assert await journal.waiters(limit=9) == (waiter(RUN),)
    await journal.append(append(RUN, 2, release=True))

    assert await say(journal, letter(), by=OTHER) == Delivered(count=1, posted=(RUN,))

    history = await journal.read(RUN)
    assert history.inbox == (Posted(1, b'"shipped"', Instant(7)),)
    assert history.row.wake_at == 7
    assert await journal.waiters(limit=9) == ()
    assert await journal.letters(limit=9) == (kept(letter(), by=RUN),)


async def test_a_message_from_outside_is_delivered_at_once(journal: Journal) -> None:
    await say(journal, waiting())

    taken = await journal.send(letter(), now=Instant(5))

    assert taken == kept(letter(), at=5, by=RUN)
    assert await bodies(journal, RUN) == [b'"shipped"']


async def test_a_message_that_nobody_waits_for_is_kept(journal: Journal) -> None:
    assert await journal.send(letter(), now=Instant(5)) == kept(letter(), at=5)

    assert await say(journal, waiting()) == Delivered(count=1, posted=(RUN,))

    assert await bodies(journal, RUN) == [b'"shipped"']
    assert await journal.letters(limit=9) == (kept(letter(), at=5, by=RUN),)
    assert await journal.waiters(limit=9) == ()


async def test_the_oldest_message_is_given_first_and_each_to_one_who_waits(
    journal: Journal,
) -> None:
    for number in (3, 1, 2):
        sent = letter(str(number), body=b"%d" % number)
        await journal.send(sent, now=Instant(number))

    await say(journal, waiting())
    await say(journal, waiting(), by=OTHER)

    assert (await bodies(journal, RUN), await bodies(journal, OTHER)) == ([b"1"], [b"2"])


async def test_a_message_is_for_its_type_and_key_alone(journal: Journal) -> None:
    await say(journal, waiting("order-2"))
    await journal.send(letter("1"), now=Instant(5))
    await journal.send(letter("2", "order-2", message="shop.Lost"), now=Instant(6))

    assert await bodies(journal, RUN) == []
    assert len(await journal.letters(limit=9)) == 2


async def test_a_message_whose_time_is_over_is_given_to_nobody_and_still_shown(
    journal: Journal,
) -> None:
    await journal.send(letter(until=7), now=Instant(5))

    await say(journal, waiting(), now=7)

    assert await bodies(journal, RUN) == []
    assert await journal.letters(limit=9) == (kept(letter(until=7), at=5),)
    assert await journal.waiters(limit=9) == (waiter(RUN),)


async def test_a_second_who_waits_for_the_same_is_told_so(journal: Journal) -> None:
    await say(journal, waiting())

    assert await say(journal, waiting(), by=OTHER) == Delivered(count=1, posted=(OTHER,))

    assert await bodies(journal, OTHER) == [b'"taken"']
    assert await journal.waiters(limit=9) == (waiter(RUN),)
    await journal.send(letter(), now=Instant(8))
    assert await bodies(journal, RUN) == [b'"shipped"']


async def test_who_no_longer_waits_is_given_nothing(journal: Journal) -> None:
    await say(journal, waiting())
    await say(journal, no_longer())

    assert await journal.waiters(limit=9) == ()
    await journal.send(letter(), now=Instant(8))
    assert await bodies(journal, RUN) == []


async def test_who_says_so_of_another_ones_wait_changes_nothing(journal: Journal) -> None:
    await say(journal, waiting())

    await say(journal, no_longer(), by=OTHER)
    await say(journal, no_longer(node="another"))

    assert await journal.waiters(limit=9) == (waiter(RUN),)


async def test_in_one_delivery_all_of_it_happens_in_its_order(journal: Journal) -> None:
    entries = (waiting(), letter("1", body=b"1"), letter("2", body=b"2"), waiting(), no_longer())

    await say(journal, *entries)

    assert await bodies(journal, RUN) == [b"1", b"2"]
    assert await journal.waiters(limit=9) == ()


async def test_who_stops_to_wait_leaves_the_place_to_the_next_in_the_same_delivery(
    journal: Journal,
) -> None:
    await say(journal, waiting())

    await say(journal, no_longer(), waiting(node="again"))

    (there,) = await journal.waiters(limit=9)
    assert (there.run, there.node) == (RUN, "again")


async def test_a_message_that_is_sent_again_is_dropped_also_when_the_first_was_taken(
    journal: Journal,
) -> None:
    await journal.send(letter(), now=Instant(5))
    # The moment may be the very same: it does not tell whether it was known.
    for moment in (5, 6):
        again = await journal.send(letter(body=b"2"), now=Instant(moment))
        assert again == kept(letter(), at=5, was_known=True)
    await say(journal, waiting())
    await say(journal, waiting())

    third = await journal.send(letter(body=b"3"), now=Instant(8))

    assert third == kept(letter(), at=5, by=RUN, was_known=True)
    assert await journal.letters(limit=9) == (kept(letter(), at=5, by=RUN),)

    assert await bodies(journal, RUN) == [b'"shipped"']
    assert await journal.waiters(limit=9) == (waiter(RUN),)


async def test_a_message_that_is_given_back_is_for_the_next_who_waits(journal: Journal) -> None:
    await journal.send(letter(), now=Instant(5))
    await say(journal, waiting())

    await say(journal, letter(is_returned=True))

    assert await journal.letters(limit=9) == (kept(letter(), at=5),)
    await say(journal, waiting(), by=OTHER)
    assert await bodies(journal, OTHER) == [b'"shipped"']


async def test_a_message_for_a_run_that_is_not_there_any_more_is_kept(journal: Journal) -> None:
    await say(journal, waiting())
    row = (await journal.read(RUN)).row
    await journal.append(last(RUN, row.seq + 1, ended_at=2))
    await journal.prune(ended_before=Instant(3), limit=9, now=Instant(3))

    assert await journal.send(letter(), now=Instant(5)) == kept(letter(), at=5)


async def test_two_who_send_at_the_same_time_are_both_heard(journal: Journal) -> None:
    await asyncio.gather(
        *(journal.send(letter(str(number)), now=Instant(number)) for number in range(9))
    )

    assert [each.id for each in await journal.letters(limit=99)] == [str(n) for n in range(9)]
    assert len(await journal.letters(limit=4)) == 4


async def test_what_is_long_over_is_forgotten(journal: Journal) -> None:
    await journal.send(letter("1", until=10), now=Instant(1))
    await journal.send(letter("2", until=20), now=Instant(2))
    await journal.send(letter("3", until=30), now=Instant(3))

    await journal.prune(ended_before=Instant(20), limit=9, now=Instant(99))

    assert [each.id for each in await journal.letters(limit=99)] == ["2", "3"]


async def test_a_message_that_is_given_back_stands_where_it_stood(journal: Journal) -> None:
    await say(journal, waiting())
    await journal.send(letter("1", subject="Ada", body=b"1"), now=Instant(3))
    await journal.send(letter("2", body=b"2"), now=Instant(4))

    back = letter("1", body=b"1", is_returned=True)
    await say(journal, back, now=8)

    assert await journal.letters(limit=9) == (
        kept(letter("1", body=b"1"), at=3, subject="Ada"),
        kept(letter("2", body=b"2"), at=4),
    )
    await say(journal, waiting(), by=OTHER)
    assert await bodies(journal, OTHER) == [b"1"]


async def test_what_a_run_says_is_about_whom_the_run_is_about(journal: Journal) -> None:
    await journal.append(first(RUN, outgoing=(letter(),), subject="Ada"))
    await journal.deliver(limit=9, now=Instant(2))
    assert [each.subject for each in await journal.letters(limit=9)] == ["Ada"]


async def test_what_is_about_a_subject_is_taken_out_of_the_letters(journal: Journal) -> None:
    await say(journal, waiting())
    await journal.send(letter("1", subject="Ada"), now=Instant(3))
    await journal.send(letter("2", subject="Ada"), now=Instant(4))
    await journal.send(letter("3", subject="Bob"), now=Instant(5))

    assert await journal.erase_letters(subject="Ada", now=Instant(6)) == 2

    assert await journal.letters(limit=9) == (
        kept(letter("1"), at=3, by=RUN),
        kept(letter("2", body=b"", until=6), at=4),
        kept(letter("3"), at=5, subject="Bob"),
    )
    await say(journal, waiting(), by=OTHER)
    assert await bodies(journal, OTHER) == [b'"shipped"'], "Bob's"
    await journal.send(letter("2", subject="Ada"), now=Instant(7))
    assert (await journal.letters(limit=9))[1].body == b"", "it is known by its id"
    assert await journal.erase_letters(subject="Ada", now=Instant(8)) == 0


async def test_no_more_than_a_number_are_kept_from_outside(journal: Journal) -> None:
    said = (letter(f"said {number}") for number in range(LETTERS_KEPT_MAX - 1))
    await journal.append(first(RUN, outgoing=tuple(said)))
    await journal.deliver(limit=LETTERS_KEPT_MAX, now=Instant(1))
    assert await journal.send(letter("last"), now=Instant(2)) is not None

    assert await journal.send(letter("one more"), now=Instant(3)) is None

    again = await journal.send(letter("last"), now=Instant(4))
    assert again == kept(letter("last"), at=2, was_known=True), "one that is known is no other"
    assert await journal.send(letter("else", "order-2"), now=Instant(5)) is not None
    assert await journal.send(letter("late"), now=Instant(99)) is not None, "those are over"
    count = len(await journal.letters(limit=2 * LETTERS_KEPT_MAX))
    await say(journal, letter("of a run"))
    assert len(await journal.letters(limit=2 * LETTERS_KEPT_MAX)) == count + 1
