"""What was posted by a later version, or is damaged: it is kept, named, and taken when it can be.

That a later version is there is played by what it would make of the post: the stored text is
spoiled, and made good again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import apsw
import pytest

from makegood import ControlAnswer, InvalidInput, Operator
from makegood.decision import facts
from makegood.journal.protocol import Post, Posted
from makegood.runtime.asking.post import CancelPost, write_post
from tests.runtime.asking.parked import EVE
from tests.runtime.trips import book
from tests.runtime.world import turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Engine, Run, RunHistory, UnreadPost
    from makegood.values.ids import RunId
    from tests.runtime.world import World

NO_TIME = timedelta(0)
LATER = b'{"type":"sing","song":"Yesterday"}'
CANCEL = write_post(CancelPost("ada", "too far"))


def rewrite(world: World, run: RunId, number: int, body: bytes) -> bytes:
    """Let a post that waits say something else; return what it said. No engine is open."""
    if world._folder is None:
        record = world._store.records[run]
        (old,) = (posted for posted in record.inbox if posted.n == number)
        record.inbox = [
            Posted(number, body, old.at) if posted is old else posted for posted in record.inbox
        ]
        return old.body
    connection = apsw.Connection(str(world._folder / "trips.journal"))
    try:
        place = (run, number)
        select = "SELECT body FROM makegood_inbox WHERE run = ? AND n = ?"
        [(old_body,)] = list(connection.execute(select, place))
        connection.execute(
            "UPDATE makegood_inbox SET body = ? WHERE run = ? AND n = ?", (body, *place)
        )
    finally:
        connection.close()
    return bytes(old_body)


async def post(engine: Engine, run: RunId, body: bytes, world: World) -> None:
    await engine._shell.journal.post(Post(run=run, body=body, at=world.clock.now()))
    engine._shell.ring(run)


async def parked(world: World, *bodies: bytes) -> tuple[Engine, Run[str]]:
    """Return an engine, and a run of it that is parked because of what was posted to it."""
    client = await world.engine(work=False)
    run = await client.start(book("Oslo"), subject="anna")
    for body in bodies:
        await post(client, run.id, body, world)
    await world.close(client)
    engine = await world.engine(book)
    outcome = await world.finish(engine, engine.run(run.id).outcome())
    assert (outcome.status, outcome.reason) == ("parked", "poison")
    return engine, engine.run(run.id)


def numbers(unread: tuple[UnreadPost, ...]) -> list[tuple[int, bool]]:
    return [(each.number, each.is_start) for each in unread]


async def history_of(engine: Engine, run: RunId) -> RunHistory:
    return await Operator(engine).history(run)


async def test_what_cannot_be_read_is_told_from_what_can_and_all_of_it_waits(
    world: World,
) -> None:
    engine, run = await parked(world, LATER, CANCEL)

    history = await history_of(engine, run.id)

    assert [type(fact) for fact in history.inbox] == [facts.RunStarted, facts.CancelRequested]
    assert numbers(history.unread) == [(2, False)]
    assert "'sing'" in history.unread[0].problem
    assert history.unread[0].at == world.clock.now()
    assert [type(fact) for fact in history.facts] == [facts.Parked]


async def test_a_post_of_a_later_version_is_taken_by_one_that_can_read_it(stored: World) -> None:
    engine, run = await parked(stored, LATER)
    await stored.close(engine)
    assert rewrite(stored, run.id, 2, CANCEL) == LATER

    engine = await stored.engine(book)
    answer = await stored.finish(engine, Operator(engine).retry(run.id, **EVE))

    assert answer is ControlAnswer.ACCEPTED
    outcome = await stored.finish(engine, engine.run(run.id).outcome())
    assert (outcome.status, outcome.cause) == ("cancelled", "cancelled")
    history = await history_of(engine, run.id)
    assert (history.inbox, history.unread) == ((), ())


async def test_a_start_of_a_later_version_is_begun_by_one_that_can_read_it(
    stored: World,
) -> None:
    client = await stored.engine(work=False)
    run = await client.start(book("Oslo"))
    await stored.close(client)
    start = rewrite(stored, run.id, 1, LATER)
    engine = await stored.engine(book)
    outcome = await stored.finish(engine, engine.run(run.id).outcome())
    assert (outcome.status, outcome.reason) == ("parked", "poison")
    assert numbers((await history_of(engine, run.id)).unread) == [(1, True)]
    await stored.close(engine)
    rewrite(stored, run.id, 1, start)

    engine = await stored.engine(book)
    assert await stored.finish(engine, Operator(engine).retry(run.id, **EVE)) is not None

    assert await stored.finish(engine, engine.run(run.id).result()) == "send done"


async def test_what_was_posted_to_a_run_whose_facts_cannot_be_read_is_kept_too(
    world: World,
) -> None:
    engine, run = await parked(world, LATER, CANCEL)
    await world.close(engine)
    rewrite(world, run.id, 2, CANCEL)
    record = world._store.records[run.id]
    record.appends[0] = b'[{"type":"sung"}]'
    engine = await world.engine(book)
    await post(engine, run.id, LATER, world)
    await until(lambda: record.seq == 2)

    assert [posted.n for posted in record.inbox] == [1, 2, 3, 4]


async def test_whoever_has_asked_in_vain_is_answered_when_it_goes_on(stored: World) -> None:
    engine, run = await parked(stored, LATER)
    assert await stored.finish(engine, Operator(engine).retry(run.id, **EVE)) is None
    assert numbers((await history_of(engine, run.id)).unread) == [(2, False)]
    await stored.close(engine)
    rewrite(stored, run.id, 2, CANCEL)

    engine = await stored.engine(book)
    answer = await stored.finish(engine, Operator(engine).retry(run.id, **EVE))

    assert answer is ControlAnswer.ACCEPTED
    recorded = (await history_of(engine, run.id)).facts
    answers = [fact.answer for fact in recorded if isinstance(fact, facts.ControlAnswered)]
    assert answers == [ControlAnswer.ACCEPTED] * 3


async def test_a_person_has_a_run_go_on_without_what_nobody_will_ever_read(
    stored: World,
) -> None:
    engine, run = await parked(stored, LATER)

    asked = Operator(engine).retry(run.id, leave_out=[2], **EVE)

    assert await stored.finish(engine, asked) is ControlAnswer.ACCEPTED
    assert await stored.finish(engine, run.result()) == "send done"
    history = await history_of(engine, run.id)
    left_out = [fact.left_out for fact in history.facts if isinstance(fact, facts.RetryRequested)]
    assert (left_out, history.unread) == ([(2,)], ())


async def test_what_can_be_read_by_now_is_taken_though_it_was_to_be_left_out(
    stored: World,
) -> None:
    engine, run = await parked(stored, CANCEL, LATER)

    await stored.finish(engine, Operator(engine).retry(run.id, leave_out=[2, 3], **EVE))

    outcome = await stored.finish(engine, run.outcome())
    assert outcome.status == "cancelled"


async def test_only_what_is_named_is_left_out(world: World) -> None:
    engine, run = await parked(world, LATER, LATER)

    asked = Operator(engine).retry(run.id, leave_out=[2], **EVE)

    assert await world.finish(engine, asked) is None
    assert numbers((await history_of(engine, run.id)).unread) == [(2, False), (3, False)]


async def test_neither_a_start_nor_what_is_not_there_can_be_left_out(world: World) -> None:
    engine, run = await parked(world, LATER)

    with pytest.raises(InvalidInput, match=r"^post 1 is what run .* begins with"):
        await Operator(engine).retry(run.id, leave_out=[1], **EVE)
    with pytest.raises(InvalidInput, match=r"^no post 3 waits to be taken by run .*; `makegood"):
        await Operator(engine).retry(run.id, leave_out=[3], **EVE)


async def test_an_erasure_waits_for_what_cannot_be_read_and_takes_it_along(
    stored: World,
) -> None:
    engine, run = await parked(stored, LATER)
    operator = Operator(engine)
    erasing = {"subject": "anna", "actor": "eve", "reason": "article 17"}
    report = await operator.erase(**erasing)
    assert [row.run for row in report.under_way] == [run.id]
    await stored.finish(engine, operator.retry(run.id, leave_out=[2], **EVE))
    await stored.finish(engine, run.outcome())

    assert (await operator.erase(**erasing)).is_complete

    await stored.close(engine)
    engine = await stored.engine(work=False)
    kept = await engine._shell.journal.read(run.id)
    assert (kept.row.status, kept.inbox) == ("erased", ())


async def test_an_ended_run_that_was_posted_what_cannot_be_read_has_ended_again(
    stored: World,
) -> None:
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    await stored.finish(engine, run.result())
    await post(engine, run.id, LATER, stored)
    while (await engine.list()).rows[0].status != "parked":
        await turn_of_the_loop()

    await stored.finish(engine, Operator(engine).retry(run.id, leave_out=[1], **EVE))

    assert await stored.finish(engine, engine.run(run.id).result()) == "send done"


async def test_it_waits_for_a_person_and_is_not_forgotten(stored: World) -> None:
    engine, run = await parked(stored, LATER)

    found = await Operator(engine).stuck()

    assert found.unwoken == ()
    assert [(each.row.run, each.problem) for each in found.parked] == [(run.id, None)]
    assert [type(event.fact) async for event in run.events()] == [facts.Parked]


async def test_what_is_posted_while_it_is_being_parked_is_seen(world: World) -> None:
    """Its lease is given back, though the append that was to give it back came too late."""
    client = await world.engine(work=False)
    run = await client.start(book("Oslo"))
    await post(client, run.id, LATER, world)
    engine, journal = await world.watched()

    async def leave_out() -> None:
        await Operator(client).retry(run.id, leave_out=[2], **{**EVE, "wait": NO_TIME})

    journal.answers.append(leave_out)
    engine.serve(book)

    assert await world.finish(engine, engine.run(run.id).result()) == "send done"
