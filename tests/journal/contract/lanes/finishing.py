"""Of what came of handling messages: the promises 13 to 18."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from makegood.journal.messages import (
    Dead,
    Done,
    Finished,
    Later,
    Outcome,
    Settled,
)
from makegood.journal.protocol import Exists, Fenced, Refused, Statement
from makegood.values.instants import Instant
from tests.journal.contract.lanes.post import (
    CHARGE,
    chosen,
    dead,
    dead_letter,
    deliveries,
    done,
    finish,
    ids,
    later,
    message,
    only,
    order,
    promise_of_messages,
    publish,
    remembered,
    states,
    stored,
    subscribe,
    take,
)
from tests.journal.promises import OTHER, RUN, lease, stock
from tests.journal.records import ALICE, BOB, new_run
from tests.journal.records import post as post_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from makegood.journal.messages import Held, KeepsMessages
    from makegood.journal.protocol import Journal
    from makegood.values.injectable import Transaction

SELL = Statement("UPDATE stock SET count = count - 1", (), 1)


@dataclass
class LocalBody:
    """A local receptor: `LocalHandling` around a function of the transaction."""

    seq: int
    function: Callable[[Transaction], Awaitable[object]]
    timeout_seconds: float = 30.0
    times_run: int = 0

    async def run(self, transaction: Transaction) -> Outcome:
        self.times_run += 1
        await self.function(transaction)
        return Outcome(handled=(Done(self.seq),), messages=(message(id="local"),))

    def failed(self, error: Exception) -> Outcome:
        reason = type(error).__name__
        return Outcome(handled=(Dead(seq=self.seq, reason=reason),))


async def sell(transaction: Transaction) -> object:
    return await transaction.execute("UPDATE stock SET count = count - 1")


async def oversell(transaction: Transaction) -> object:
    await sell(transaction)
    return await transaction.execute("UPDATE stock SET count = -1")


async def held_in(post: KeepsMessages, *keys: str | None) -> list[Held]:
    """Publish messages of these keys, and take all that is due."""
    await subscribe(post, CHARGE)
    await publish(post, *(message(key) for key in keys))
    return list(await take(post))


@promise_of_messages(13)
async def test_what_was_handled_is_not_handed_out_again(post: KeepsMessages) -> None:
    (held,) = await held_in(post, "a", "a")

    outcome = Outcome(handled=(Done(1), Done(2)))
    assert await finish(post, held, *done(held)) == Settled(outcome)

    assert (await take(post), await states(post)) == ((), ["done", "done"])
    assert [(each.attempts, each.done_at) for each in await deliveries(post)] == [(1, 10), (1, 10)]


@promise_of_messages(13)
@pytest.mark.parametrize("other", [{"worker": BOB}, {"epoch": 1}, {"key": "b"}])
async def test_who_does_not_hold_the_lane_writes_nothing(
    journal: Journal, post: KeepsMessages, other: dict[str, object]
) -> None:
    (held,) = await held_in(post, "a")
    before = await remembered(journal, post)
    sent = Finished(
        id=type(held.id)(CHARGE, str(other.get("key", "a"))),
        worker=BOB if "worker" in other else ALICE,
        epoch=held.epoch + (1 if "epoch" in other else 0),
        at=Instant(10),
        outcome=Outcome(
            handled=(Done(1),),
            messages=(message(),),
            starts=(post_of(RUN, create=new_run("order-1")),),
        ),
        writes=(SELL,),
    )

    assert await post.finish(sent) == Fenced()

    assert await remembered(journal, post) == before
    assert await journal.find("place_order", "order-1") is None


@promise_of_messages(13)
async def test_a_delivery_that_is_not_due_any_more_is_fenced(post: KeepsMessages) -> None:
    (held,) = await held_in(post, "a")

    assert await finish(post, held, Done(held.due[0].seq), Done(99)) == Fenced()
    assert await states(post) == ["due"]


@promise_of_messages(13)
async def test_what_came_of_it_is_found_as_it_was_given(post: KeepsMessages) -> None:
    (held,) = await held_in(post, "a", "a", "a")
    first, second, third = (due.seq for due in held.due)

    await finish(
        post,
        held,
        Done(first),
        Dead(seq=second, reason="declined", error=b'"no"', fault="f-1"),
        Later(seq=third, due_at=Instant(40), error=b'"busy"'),
    )

    _, given_up, waits = await deliveries(post)
    assert (given_up.state, given_up.reason, given_up.error, given_up.fault) == (
        "dead",
        "declined",
        b'"no"',
        "f-1",
    )
    assert (given_up.failed_at, given_up.attempts) == (10, 1)
    assert (waits.state, waits.due_at, waits.error, waits.attempts) == ("due", 40, b'"busy"', 1)


@promise_of_messages(13)
async def test_a_lane_that_is_kept_goes_on_under_the_same_lease(post: KeepsMessages) -> None:
    (held,) = await held_in(post, "a", "a")

    await finish(post, held, Done(held.due[0].seq), release=False)
    assert await take(post, BOB) == ()
    await finish(post, held, Done(held.due[1].seq))

    assert await states(post) == ["done", "done"]


@promise_of_messages(13)
async def test_runs_are_started_with_it(journal: Journal, post: KeepsMessages) -> None:
    (held,) = await held_in(post, "a")
    starts = (
        post_of(RUN, b'"start"', at=10, create=new_run("order-1")),
        post_of(OTHER, create=new_run("order-1")),
    )

    settled = await finish(post, held, *done(held), outcome={"starts": starts})

    assert isinstance(settled, Settled)
    assert settled.started == (1, Exists(RUN, "hash-1"))
    assert [each.run for each in (await lease(journal)).claimed] == [RUN]
    assert [each.body for each in (await journal.read(RUN)).inbox] == [b'"start"']


@promise_of_messages(14)
async def test_what_is_sent_again_is_settled_again_and_written_once(
    journal: Journal, post: KeepsMessages
) -> None:
    (held,) = await held_in(post, "a", "a")
    first, second = (due.seq for due in held.due)
    again = Finished(
        id=held.id,
        worker=ALICE,
        epoch=held.epoch,
        at=Instant(10),
        outcome=Outcome(
            handled=(Done(first), Later(seq=second, due_at=Instant(30))),
            messages=(message(),),
            starts=(post_of(RUN, create=new_run("order-1")),),
        ),
        writes=(SELL,),
    )
    answer = await post.finish(again)
    before = await remembered(journal, post)

    assert (type(answer), await post.finish(again)) == (Settled, Settled())
    assert await remembered(journal, post) == before
    assert await stock(journal) == 4


@promise_of_messages(14)
async def test_a_local_one_that_is_sent_again_is_not_run_again(
    journal: Journal, post: KeepsMessages
) -> None:
    (held,) = await held_in(post, "a")
    body = LocalBody(held.due[0].seq, sell)
    await finish(post, held, local=body)

    assert await finish(post, held, local=body) == Settled()

    assert (body.times_run, await stock(journal)) == (1, 4)


@promise_of_messages(15)
async def test_one_that_fails_leaves_the_others_untouched(
    journal: Journal, post: KeepsMessages
) -> None:
    held = await held_in(post, *(f"{n}" for n in range(6)))

    verdicts = await asyncio.gather(
        *(
            finish(
                post,
                each,
                *done(each),
                worker=BOB if n == 2 else ALICE,
                writes=(Statement("UPDATE stock SET count = -1"),) if n == 4 else (),
            )
            for n, each in enumerate(held)
        )
    )

    kinds = [type(verdict) for verdict in verdicts]
    assert kinds == [Settled, Settled, Fenced, Settled, Refused, Settled]
    assert await states(post) == ["done", "done", "due", "done", "due", "done"]
    assert await stock(journal) == 5


@promise_of_messages(16)
async def test_statements_are_written_with_it_or_not_at_all(
    journal: Journal, post: KeepsMessages
) -> None:
    (held,) = await held_in(post, "a")
    bad = Statement("UPDATE stock SET count = count - 1 WHERE sku = 'none'", (), 1)

    refused = await finish(
        post, held, *done(held), writes=(SELL, bad), outcome={"messages": (message(),)}
    )

    assert isinstance(refused, Refused)
    assert (await stock(journal), await states(post), len(await stored(post))) == (5, ["due"], 1)
    assert isinstance(await finish(post, held, *done(held), writes=(SELL,)), Settled)
    assert (await stock(journal), await states(post)) == (4, ["done"])


@promise_of_messages(16)
async def test_a_local_body_decides_what_comes_of_it(journal: Journal, post: KeepsMessages) -> None:
    (held,) = await held_in(post, "a")

    settled = await finish(post, held, local=LocalBody(held.due[0].seq, sell))

    assert isinstance(settled, Settled)
    assert settled.outcome.handled == (Done(held.due[0].seq),)
    assert (await stock(journal), (await stored(post))[1:]) == (4, ["local"])


@promise_of_messages(16)
async def test_a_local_body_that_fails_leaves_nothing_but_its_failure(
    journal: Journal, post: KeepsMessages
) -> None:
    (held,) = await held_in(post, "a")

    await finish(post, held, local=LocalBody(held.due[0].seq, oversell))

    (letter,) = await deliveries(post)
    assert letter.state == "dead"
    assert (await stock(journal), len(await stored(post))) == (5, 1)


@promise_of_messages(16)
async def test_a_local_body_that_does_not_hold_its_lane_is_not_run(
    journal: Journal, post: KeepsMessages
) -> None:
    (held,) = await held_in(post, "a")
    body = LocalBody(held.due[0].seq, sell)

    assert await finish(post, held, worker=BOB, local=body) == Fenced()

    assert (body.times_run, await stock(journal)) == (0, 5)


@promise_of_messages(17)
async def test_attempts_are_counted_and_an_end_of_claims_is_progress(post: KeepsMessages) -> None:
    await held_in(post, "a")
    await post.release(ALICE, [(await post.lanes(CHARGE, limit=1))[0].id], now=Instant(10))
    found: list[tuple[int, int]] = []
    for moment, counts in ((20, True), (30, False), (40, True)):
        held = await only(post, now=moment)
        found.append((held.due[0].attempts, held.claims))
        await finish(post, held, later(held, due_at=moment, is_attempt=counts), now=moment)

    assert found == [(0, 1), (1, 1), (1, 1)]
    assert (await only(post, now=50)).due[0].attempts == 2


@promise_of_messages(18)
async def test_a_lane_in_which_nothing_is_due_is_gone(post: KeepsMessages) -> None:
    (held,) = await held_in(post, "a", "a")
    await finish(post, held, Done(held.due[0].seq))
    assert [each.owner for each in await post.lanes(CHARGE, limit=9)] == [None]

    held = await only(post)
    await finish(post, held, dead(held))

    assert await post.lanes(CHARGE, limit=9) == ()


@promise_of_messages(18)
async def test_what_comes_while_a_lane_is_held_is_found_when_it_is_given_back(
    post: KeepsMessages,
) -> None:
    (held,) = await held_in(post, "a")
    new = message("a")
    await publish(post, new)

    await finish(post, held, *done(held))

    assert ids(await take(post)) == [[new.id]]


@promise_of_messages(18)
async def test_a_dead_letter_that_blocks_keeps_its_lane_waiting_until_it_is_sent_again(
    post: KeepsMessages,
) -> None:
    (held,) = await held_in(post, "a", "a")
    first, second = (due.message.id for due in held.due)
    await finish(post, held, dead(held, blocks=True))
    third = message("a")
    await publish(post, third, message("b"))

    assert [each.id.lane for each in await take(post)] == ["b"]
    (lane,) = [each for each in await post.lanes(CHARGE, limit=9) if each.id.lane == "a"]
    assert (lane.due_at, lane.blocked_by) == (None, 1)

    await post.resend(chosen((await dead_letter(post)).id), order())
    assert ids(await take(post, now=50)) == [[first, second, third.id]]


@promise_of_messages(18)
async def test_a_dead_letter_that_blocks_an_empty_lane_blocks_what_comes(
    post: KeepsMessages,
) -> None:
    (held,) = await held_in(post, "a")
    await finish(post, held, dead(held, blocks=True))
    new = message("a")
    await publish(post, new)
    assert await take(post) == ()

    await post.discard(chosen((await dead_letter(post)).id), order())

    assert ids(await take(post, now=50)) == [[new.id]]
