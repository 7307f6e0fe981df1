"""Settling what a parked run waits for, and having it tried again: what then becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw

from makegood import (
    ControlAnswer,
    ControlRefused,
    Declined,
    InvalidInput,
    OutcomeUnknown,
    RunFailed,
    Unavailable,
    step,
    workflow,
)
from makegood.decision import facts
from makegood.journal.protocol import Post
from makegood.runtime.asking.post import SettlePost, write_post
from makegood.runtime.operator import Operator
from makegood.values.instants import as_datetime
from makegood.values.limits import (
    PAYLOAD_BYTES_MAX,
)
from makegood.values.verdict import ItDidNotHappen, ItHappened, Kept, UndoneByHand
from tests.runtime.asking.parked import ABSENT, EVE, in_doubt, left
from tests.runtime.trips import book, book_finally, book_surely
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Run
    from tests.runtime.world import World

CHARGED = ItHappened(Raw(b'"charged by hand"'))


async def status_once_moved_on(run: Run[object]) -> str:
    """Wait until a worker has taken what was asked of a parked run."""
    for _ in range(10_000):
        outcome = await run.outcome()
        if outcome.status != "parked":
            return outcome.status
        await turn_of_the_loop()
    message = "nobody takes what was asked"
    raise AssertionError(message)


# Settling -----------------------------------------------------------------------------------------


async def test_a_run_in_doubt_goes_on_when_a_person_knows_that_it_happened(stored: World) -> None:
    engine = await stored.engine(book_surely)
    run = await in_doubt(stored, engine)

    asked = Operator(engine).settle(run.id, "charge_unkeyed", CHARGED, **EVE)
    answer = await stored.finish(engine, asked)

    assert answer is ControlAnswer.ACCEPTED
    outcome = await stored.finish(engine, run.outcome())
    assert (outcome.status, outcome.done) == (
        "completed",
        ["hold_seat", "charge_unkeyed", "send_ticket"],
    )
    assert stored.outside.calls == ["hold", "charge", "send"]


async def test_an_outcome_and_a_report_say_who_settled_what_and_why(stored: World) -> None:
    engine = await stored.engine(book_surely)
    run = await in_doubt(stored, engine)
    asked = Operator(engine).settle(run.id, "charge_unkeyed", ItDidNotHappen(), **EVE)
    await stored.finish(engine, asked)

    outcome = await stored.finish(engine, run.outcome())
    report = await run.describe()

    assert (outcome.status, outcome.undone) == ("failed", ["hold_seat"])
    (settled,) = outcome.settled
    assert (settled.node, settled.settlement) == ("charge_unkeyed", "it did not happen")
    assert (settled.actor, settled.reason) == ("eve", "asked the bank")
    assert settled.at <= as_datetime(stored.clock.now())
    assert report.settled == outcome.settled
    assert str(report).endswith(
        "  settled: charge_unkeyed: it did not happen, says eve (asked the bank)"
    )
    with pytest.raises(RunFailed, match="undone: `hold_seat`; settled: charge_unkeyed: it did not"):
        await stored.finish(engine, run.result())


@pytest.mark.parametrize(
    ("settlement", "undone", "kept", "words"),
    [
        (UndoneByHand(), ["hold_seat", "charge_card"], [], "undone by hand"),
        (Kept(), ["hold_seat"], ["charge_card"], "kept"),
    ],
    ids=["undone by hand", "kept"],
)
async def test_what_an_undo_could_not_take_back_is_settled_and_the_run_ends(
    stored: World,
    settlement: UndoneByHand | Kept,
    undone: list[str],
    kept: list[str],
    words: str,
) -> None:
    engine = await stored.engine(book)
    run = await left(stored, engine)

    asked = Operator(engine).settle(run.id, "charge_card", settlement, **EVE)
    assert await stored.finish(engine, asked) is ControlAnswer.ACCEPTED

    outcome = await stored.finish(engine, run.outcome())
    assert (outcome.status, outcome.rollback, outcome.left) == ("failed", "undone", [])
    assert (outcome.undone, outcome.kept) == (undone, kept)
    assert [each.settlement for each in outcome.settled] == [words]


async def test_what_a_person_keeps_is_not_called_nothing(world: World) -> None:
    @workflow
    def pay_first(trip: str) -> str:
        return send_it(pay(trip))

    engine = await world.engine(pay_first)
    run = await engine.start(pay_first("Oslo"))
    await world.finish(engine, run.outcome())

    await world.finish(engine, Operator(engine).settle(run.id, "pay", Kept(), **EVE))

    with pytest.raises(RunFailed, match=r"no printer; settled: pay: kept, says eve \(asked"):
        await world.finish(engine, run.result())


async def pay_by_card(trip: str) -> str:
    return trip


async def refuse_refund(paid: str) -> None:
    message = "closed account"
    raise Declined(message)


async def refuse_to_send(paid: str) -> str:
    message = "no printer"
    raise Declined(message)


pay = step(pay_by_card, name="pay", undo=refuse_refund)
send_it = step(refuse_to_send, name="send_it")


async def test_a_settlement_waits_for_the_worker_that_serves_the_run(stored: World) -> None:
    """An engine that does no work asks; the answer comes when somebody works again."""
    first = await stored.engine(book_surely)
    run = await in_doubt(stored, first)
    await stored.close(first)
    client = await stored.engine(work=False)
    operator = Operator(client)

    asked = operator.settle(run.id, "charge_unkeyed", CHARGED, **EVE)
    assert await stored.finish(client, asked) is None
    waiting = (await operator.history(run.id)).inbox
    second = await stored.engine(book_surely)
    status = await stored.finish(second, status_once_moved_on(second.run(run.id)))

    assert [type(fact) for fact in waiting] == [facts.SettleRequested]
    assert status == "completed"
    await stored.close(client)


async def test_an_answer_is_awaited_no_longer_than_asked(world: World) -> None:
    first = await world.engine(book_surely)
    run = await in_doubt(world, first)
    await world.close(first)
    client = await world.engine(work=False)
    began = world.clock.now()

    patience = timedelta(seconds=90)
    asked = Operator(client).retry(run.id, actor="eve", reason="again", wait=patience)

    assert await world.finish(client, asked) is None
    assert as_datetime(world.clock.now()) - as_datetime(began) == patience


@dataclass(frozen=True)
class Charge:
    """What a bank says of a charge."""

    id: str
    cents: int

    def __post_init__(self) -> None:
        if self.id == "moon":
            # What a user's type raises when it is made is nobody's business but its own.
            message = "no bank there"
            raise RuntimeError(message)


async def ask_for_money(trip: str) -> Charge:
    message = "no answer"
    raise OutcomeUnknown(message)


@workflow
def buy(trip: str) -> Charge:
    """Charge a card at a bank that nobody can ask."""
    return step(ask_for_money, name="charge", key_valid_for=None)(trip)


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (b'{"id":"ch_1"}', "missing required field `cents`"),
        (b'{"id":"ch_1","cents":"many"}', "Expected `int`"),
        (b"null", "got `null`"),
        (b'{"id":"moon","cents":1}', "no bank there"),
    ],
    ids=["a field too few", "a wrong field", "nothing", "one that raises"],
)
async def test_a_result_is_checked_where_the_code_is_at_hand(
    world: World, result: bytes, why: str
) -> None:
    engine = await world.engine(buy)
    run = await engine.start(buy("Oslo"))
    await world.finish(engine, run.outcome())

    with pytest.raises(InvalidInput, match=f"is none of `charge`: .*{why}"):
        await Operator(engine).settle(run.id, "charge", ItHappened(Raw(result)), **EVE)

    assert (await Operator(engine).history(run.id)).row.inbox_head == 0
    fitting = ItHappened.with_result(Charge(id="ch_1", cents=700))
    asked = Operator(engine).settle(run.id, "charge", fitting, **EVE)
    assert await world.finish(engine, asked) is ControlAnswer.ACCEPTED
    assert await world.finish(engine, run.result()) == Charge(id="ch_1", cents=700)


@pytest.mark.parametrize("result", [b'{"id":"ch_1"}', b'{"id":"moon","cents":1}'])
async def test_a_result_that_only_the_worker_can_check_is_refused_and_poisons_nothing(
    stored: World, result: bytes
) -> None:
    engine = await stored.engine(buy)
    run = await engine.start(buy("Oslo"))
    await stored.finish(engine, run.outcome())
    client = await stored.engine(work=False)

    asked = Operator(client).settle(run.id, "charge", ItHappened(Raw(result)), **EVE)
    with pytest.raises(ControlRefused) as refused:
        await stored.finish(engine, asked)

    assert refused.value.answer == ControlAnswer.NOT_A_RESULT
    outcome = await stored.finish(engine, run.outcome())
    assert (outcome.reason, outcome.left) == ("in doubt", ["charge"])
    (request,) = [
        fact
        for fact in (await Operator(client).history(run.id)).facts
        if isinstance(fact, facts.SettleRequested)
    ]
    assert request.misfit
    await stored.close(client)


async def test_a_result_that_is_too_large_is_refused_at_once(world: World) -> None:
    engine = await world.engine(book_surely)
    run = await in_doubt(world, engine)
    large = ItHappened.with_result("x" * PAYLOAD_BYTES_MAX)

    with pytest.raises(InvalidInput, match="1,000,002 bytes"):
        await Operator(engine).settle(run.id, "charge_unkeyed", large, **EVE)


@pytest.mark.parametrize("text", [b"{", b"", b"charged", b"1 2", b"\xff"])
async def test_a_result_that_is_no_json_is_refused_at_once(world: World, text: bytes) -> None:
    client = await world.engine(work=False)

    with pytest.raises(InvalidInput, match="the result given is no JSON"):
        await Operator(client).settle(ABSENT, "charge", ItHappened(Raw(text)), **EVE)


async def test_a_node_that_is_not_in_the_plan_is_answered_for(stored: World) -> None:
    engine = await stored.engine(book_surely)
    run = await in_doubt(stored, engine)
    operator = Operator(engine)

    for node, settlement, answer in (
        ("pray", CHARGED, ControlAnswer.UNKNOWN_NODE),
        ("hold_seat", CHARGED, ControlAnswer.NOT_WAITED_FOR),
        ("charge_unkeyed", Kept(), ControlAnswer.DOES_NOT_FIT),
    ):
        with pytest.raises(
            ControlRefused, match=f"`{node}` of run .* cannot be settled"
        ) as refused:
            await stored.finish(engine, operator.settle(run.id, node, settlement, **EVE))
        assert refused.value.answer == answer


# Trying again -----------------------------------------------------------------------------------


async def test_an_undo_that_gave_up_is_undone_again_under_its_key(stored: World) -> None:
    engine = await stored.engine(book)
    run = await left(stored, engine)

    asked = Operator(engine).retry(run.id, **EVE)
    assert await stored.finish(engine, asked) is ControlAnswer.ACCEPTED

    outcome = await stored.finish(engine, run.outcome())
    assert (outcome.status, outcome.undone) == ("failed", ["hold_seat", "charge_card"])
    assert stored.outside.calls.count("refund") == 2
    assert len(set(stored.outside.keys["refund"])) == 1


async def test_what_gave_up_past_the_pivot_is_run_again(stored: World) -> None:
    engine = await stored.engine(book_finally)
    stored.outside.planned["send"] = [Declined("no printer")]
    run = await engine.start(book_finally("Oslo"))
    assert (await stored.finish(engine, run.outcome())).status == "parked"

    asked = Operator(engine).retry(run.id, "send_ticket", **EVE)
    assert await stored.finish(engine, asked) is ControlAnswer.ACCEPTED

    assert await stored.finish(engine, run.result()) == "send done"


async def test_what_nobody_can_be_asked_about_without_a_key_can_only_be_settled(
    world: World,
) -> None:
    engine = await world.engine(book_surely)
    run = await in_doubt(world, engine)

    asked = Operator(engine).retry(run.id, **EVE)

    with pytest.raises(ControlRefused, match="so it can only be settled"):
        await world.finish(engine, asked)


async def test_a_run_poisoned_by_what_was_posted_is_claimed_again(world: World) -> None:
    engine = await world.engine(book)
    world.outside.planned["hold"] = [Unavailable("busy"), Unavailable("busy")]
    run = await engine.start(book("Oslo"))
    await engine._shell.journal.post(Post(run=run.id, body=b"?", at=world.clock.now()))
    engine._shell.ring(run.id)
    assert (await world.finish(engine, run.outcome())).reason == "poison"

    asked = Operator(engine).retry(run.id, leave_out=[1], **EVE)
    assert await world.finish(engine, asked) is ControlAnswer.ACCEPTED

    assert await world.finish(engine, run.result()) == "send done"


async def test_a_handle_from_before_sees_what_became_of_the_run_since(stored: World) -> None:
    """The turn that parked the run knows nothing of the one that went on with it."""
    engine = await stored.engine(book_surely)
    stored.outside.planned["charge"] = [OutcomeUnknown("no answer")]
    run = await engine.start(book_surely("Oslo"))
    await stored.finish(engine, engine.run(run.id).outcome())
    asked = Operator(engine).settle(run.id, "charge_unkeyed", CHARGED, **EVE)
    await stored.finish(engine, asked)

    assert (await stored.finish(engine, run.outcome())).status == "completed"


async def test_a_settlement_posted_by_another_version_is_taken_as_it_is(world: World) -> None:
    """The shape of what is posted is kept: it may wait for long."""
    post = SettlePost("charge", CHARGED, "eve", "asked the bank")

    assert write_post(post) == (
        b'{"type":"settle","node":"charge","settlement":{"type":"happened",'
        b'"result":"charged by hand"},"actor":"eve","reason":"asked the bank"}'
    )
