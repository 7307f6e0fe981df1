"""What every gateway must keep: the promises of `makegood.payments.Gateway`, one check for each.

A test module of an implementation runs every check of `PROMISES` on a fresh gateway without
faults, and hands in a token that is accepted and one that is declined.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from makegood.payments import (
    AuthorizeRequest,
    Gateway,
    GatewayRef,
    Money,
    Op,
    OperationKind,
    Snapshot,
    Status,
    outcome,
)

__all__ = ["PROMISES", "Counterparty", "dollars", "op", "request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterparty:
    """A gateway and the tokens that it gave for two cards."""

    gateway: Gateway
    accepted_token: str
    declined_token: str


def dollars(minor: int) -> Money:
    return Money(minor, "USD")


def op(name: str) -> Op:
    """Return an operation with a key long enough for every gateway."""
    key = f"operation-{name:0>10}"
    return Op(op_id=key, key=key)


def request(token: str, minor: int = 1177) -> AuthorizeRequest:
    return AuthorizeRequest(amount=dollars(minor), token=token, reference="order-17")


def done(answer: outcome.Outcome) -> Snapshot:
    assert isinstance(answer, outcome.Succeeded), answer
    return answer.snapshot


async def held(party: Counterparty, minor: int = 1177) -> Snapshot:
    asked = party.gateway.authorize(op("hold"), request(party.accepted_token, minor))
    return done(await asked)


async def captured(party: Counterparty, minor: int = 1177) -> Snapshot:
    hold = await held(party, minor)
    return done(await party.gateway.capture(op("capture"), hold.ref, dollars(minor)))


async def a_hold_is_answered_with_its_amount_and_its_operation(party: Counterparty) -> None:
    snapshot = await held(party)
    assert snapshot.status is Status.AUTHORIZED
    assert snapshot.authorized == dollars(1177)
    assert snapshot.captured == snapshot.refunded == dollars(0)
    assert snapshot.op_ids == {op("hold").op_id}


async def a_declined_card_holds_nothing_and_may_be_asked_again(party: Counterparty) -> None:
    for _ in range(2):
        answer = await party.gateway.authorize(op("hold"), request(party.declined_token))
        assert isinstance(answer, outcome.Declined)
    for found in await party.gateway.find(op("hold").op_id):
        assert (found.status, found.authorized) == (Status.DECLINED, None)


async def a_repeated_request_gets_the_first_answer_and_moves_nothing(party: Counterparty) -> None:
    first = await captured(party)
    again = await party.gateway.authorize(op("hold"), request(party.accepted_token))
    assert done(again).ref == first.ref
    repeated = await party.gateway.capture(op("capture"), first.ref, dollars(1177))
    assert done(repeated).captured == dollars(1177)
    assert await party.gateway.fetch(first.ref) == first


async def a_key_that_was_used_for_another_request_is_rejected(party: Counterparty) -> None:
    hold = await held(party)
    answers = [
        await party.gateway.authorize(op("hold"), request(party.accepted_token, 999)),
        await party.gateway.capture(op("hold"), hold.ref, dollars(1177)),
    ]
    assert [type(answer) for answer in answers] == [outcome.Rejected, outcome.Rejected]
    assert await party.gateway.fetch(hold.ref) == hold


async def a_capture_takes_what_is_held(party: Counterparty) -> None:
    snapshot = await captured(party)
    assert snapshot.status is Status.CAPTURED
    assert snapshot.captured == dollars(1177)
    assert snapshot.op_ids == {op("hold").op_id, op("capture").op_id}


async def no_more_is_captured_than_is_held(party: Counterparty) -> None:
    hold = await held(party)
    answer = await party.gateway.capture(op("capture"), hold.ref, dollars(1178))
    assert isinstance(answer, outcome.Rejected)
    assert await party.gateway.fetch(hold.ref) == hold


async def a_second_capture_conflicts_with_the_first(party: Counterparty) -> None:
    snapshot = await captured(party)
    answer = await party.gateway.capture(op("second"), snapshot.ref, dollars(1177))
    assert answer == outcome.Conflict("captured", snapshot)


async def a_void_lets_go_of_what_is_held(party: Counterparty) -> None:
    hold = await held(party)
    snapshot = done(await party.gateway.cancel(op("void"), hold.ref, reason="test"))
    assert snapshot.status is Status.VOIDED
    assert op("void").op_id in snapshot.op_ids


async def a_second_void_is_told_that_it_was_done(party: Counterparty) -> None:
    hold = await held(party)
    voided = done(await party.gateway.cancel(op("void"), hold.ref, reason="test"))
    answer = await party.gateway.cancel(op("second"), hold.ref, reason="test")
    assert answer == outcome.Already(voided)


async def a_void_that_comes_after_the_capture_conflicts_with_it(party: Counterparty) -> None:
    snapshot = await captured(party)
    answer = await party.gateway.cancel(op("void"), snapshot.ref, reason="test")
    assert answer == outcome.Conflict("captured", snapshot)


async def a_capture_of_what_was_let_go_of_conflicts(party: Counterparty) -> None:
    hold = await held(party)
    await party.gateway.cancel(op("void"), hold.ref, reason="test")
    answer = await party.gateway.capture(op("capture"), hold.ref, dollars(1177))
    assert isinstance(answer, outcome.Conflict)
    assert answer.code == "voided"


async def a_refund_gives_back_what_was_taken(party: Counterparty) -> None:
    snapshot = await captured(party)
    asked = party.gateway.refund(op("refund"), snapshot.ref, dollars(1177), reason="test")
    refunded = done(await asked)
    assert refunded.status is Status.REFUNDED
    assert refunded.refunded == refunded.captured == dollars(1177)


async def no_more_is_refunded_than_was_taken(party: Counterparty) -> None:
    snapshot = await captured(party)
    answer = await party.gateway.refund(op("refund"), snapshot.ref, dollars(1178), reason="test")
    assert isinstance(answer, outcome.Rejected)
    assert await party.gateway.fetch(snapshot.ref) == snapshot


async def nothing_can_be_refunded_that_was_only_held(party: Counterparty) -> None:
    hold = await held(party)
    answer = await party.gateway.refund(op("refund"), hold.ref, dollars(1), reason="test")
    assert isinstance(answer, outcome.Rejected)


async def two_equal_partial_refunds_are_two_refunds(party: Counterparty) -> None:
    if not party.gateway.capabilities.partial_refund:
        return
    ref = (await captured(party, 1000)).ref
    for name in ("one", "two"):
        await party.gateway.refund(op(name), ref, dollars(300), reason="test")
    snapshot = await party.gateway.fetch(ref)
    assert snapshot is not None
    assert snapshot.refunded == dollars(600)
    assert snapshot.status is Status.PARTIALLY_REFUNDED


async def a_final_partial_capture_lets_go_of_the_rest(party: Counterparty) -> None:
    if not party.gateway.capabilities.partial_capture:
        return
    hold = await held(party, 1000)
    snapshot = done(await party.gateway.capture(op("capture"), hold.ref, dollars(400)))
    assert snapshot.captured == dollars(400)
    assert snapshot.status is Status.CAPTURED


async def amounts_of_nothing_or_of_another_currency_are_rejected(party: Counterparty) -> None:
    hold = await held(party)
    answers = [
        await party.gateway.authorize(op("zero"), request(party.accepted_token, 0)),
        await party.gateway.capture(op("capture"), hold.ref, dollars(0)),
        await party.gateway.capture(op("capture"), hold.ref, Money(1177, "EUR")),
    ]
    assert {type(answer) for answer in answers} == {outcome.Rejected}


async def a_rejected_request_leaves_its_key_free_for_a_better_one(party: Counterparty) -> None:
    hold = await held(party)
    await party.gateway.capture(op("capture"), hold.ref, dollars(1178))
    better = await party.gateway.capture(op("capture"), hold.ref, dollars(1177))
    assert done(better).captured == dollars(1177)


async def an_operation_is_found_by_its_own_id(party: Counterparty) -> None:
    snapshot = await captured(party)
    assert await party.gateway.find(op("capture").op_id) == [snapshot]
    assert await party.gateway.find(op("never").op_id) == []


async def a_payment_that_is_not_there_is_neither_fetched_nor_captured(party: Counterparty) -> None:
    hold = await held(party)
    stranger = GatewayRef(
        gateway=hold.ref.gateway, account=hold.ref.account, type=hold.ref.type, id="pay_stranger"
    )
    assert await party.gateway.fetch(stranger) is None
    answer = await party.gateway.capture(op("capture"), stranger, dollars(1))
    assert isinstance(answer, outcome.Rejected)


async def it_says_how_each_kind_of_operation_is_deduplicated(party: Counterparty) -> None:
    capabilities = party.gateway.capabilities
    assert set(capabilities.dedupe) == set(OperationKind)
    assert capabilities.lookup_consistent_after >= timedelta(0)


Promise = Callable[[Counterparty], Awaitable[None]]

PROMISES: tuple[Promise, ...] = (
    a_hold_is_answered_with_its_amount_and_its_operation,
    a_declined_card_holds_nothing_and_may_be_asked_again,
    a_repeated_request_gets_the_first_answer_and_moves_nothing,
    a_key_that_was_used_for_another_request_is_rejected,
    a_capture_takes_what_is_held,
    no_more_is_captured_than_is_held,
    a_second_capture_conflicts_with_the_first,
    a_void_lets_go_of_what_is_held,
    a_second_void_is_told_that_it_was_done,
    a_void_that_comes_after_the_capture_conflicts_with_it,
    a_capture_of_what_was_let_go_of_conflicts,
    a_refund_gives_back_what_was_taken,
    no_more_is_refunded_than_was_taken,
    nothing_can_be_refunded_that_was_only_held,
    two_equal_partial_refunds_are_two_refunds,
    a_final_partial_capture_lets_go_of_the_rest,
    amounts_of_nothing_or_of_another_currency_are_rejected,
    a_rejected_request_leaves_its_key_free_for_a_better_one,
    an_operation_is_found_by_its_own_id,
    a_payment_that_is_not_there_is_neither_fetched_nor_captured,
    it_says_how_each_kind_of_operation_is_deduplicated,
)
