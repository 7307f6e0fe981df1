"""The steps of a payment: each answer of a gateway becomes the one right value or error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from makegood import (
    Abort,
    Declined,
    Failure,
    FailureKind,
    IdempotencyKey,
    InvalidInput,
    OutcomeUnknown,
    Proceed,
    RetryFresh,
    RetryNow,
    Unavailable,
    Undecided,
)
from makegood.payments import (
    AnswerContradicts,
    Authorization,
    AuthorizeRequest,
    Capabilities,
    Gateway,
    GatewayMisconfigured,
    GatewayRef,
    GatewayUnavailable,
    Money,
    Op,
    OperationKind,
    Payment,
    PaymentDeclined,
    PaymentDetails,
    PaymentInDoubt,
    PaymentRefused,
    Snapshot,
    Status,
    authorize_payment,
    capture_payment,
    find_authorization,
    find_capture,
    outcome,
    refund_payment,
    void_authorization,
)
from makegood.payments.gateways.sandbox import SandboxGateway

KEY = IdempotencyKey("0192f0c4-0000-5000-8000-000000000001")
REF = GatewayRef(gateway="scripted", account="acct", type="payment", id="pay_1")
PRICE = Money(1177, "USD")
NOTHING = Money(0, "USD")
HELD = Authorization(ref=REF, amount=PRICE)
PAID = Payment(ref=REF, amount=PRICE)
DETAILS = PaymentDetails(token="tok_visa")
IN_DOUBT = Failure(kind=FailureKind.IN_DOUBT, type="makegood.payments.errors.PaymentInDoubt")
REFUSED = Failure(kind=FailureKind.DECLINED, type="makegood.payments.errors.PaymentDeclined")


def snapshot(
    *,
    authorized: Money = PRICE,
    captured: Money = NOTHING,
    refunded: Money = NOTHING,
    op_id: str = KEY,
) -> Snapshot:
    return Snapshot(
        ref=REF,
        status=Status.AUTHORIZED,
        authorized=authorized,
        captured=captured,
        refunded=refunded,
        op_ids=frozenset({op_id}),
        created_at=datetime(2026, 1, 5, 8, tzinfo=UTC),
        livemode=False,
    )


class ScriptedGateway:
    """A gateway that gives the answers it was told to give, and remembers what it was asked."""

    def __init__(
        self,
        *answers: outcome.Outcome | Exception,
        found: Sequence[Snapshot] = (),
        quiet: timedelta = timedelta(0),
        by_key: bool = True,
    ) -> None:
        self._answers = iter(answers)
        self._found = list(found)
        self._quiet = quiet
        self._by_key = by_key
        self.asked: list[tuple[object, ...]] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            partial_capture=True,
            partial_refund=True,
            dedupe=dict.fromkeys(OperationKind, "key" if self._by_key else "none"),
            lookup_consistent_after=self._quiet,
        )

    async def authorize(self, op: Op, request: AuthorizeRequest) -> outcome.Outcome:
        return self._answer("authorize", op.key, request)

    async def capture(
        self, op: Op, ref: GatewayRef, amount: Money, *, final: bool = True
    ) -> outcome.Outcome:
        return self._answer("capture", op.key, ref, amount, final)

    async def cancel(self, op: Op, ref: GatewayRef, *, reason: str) -> outcome.Outcome:
        return self._answer("cancel", op.key, ref)

    async def refund(
        self, op: Op, ref: GatewayRef, amount: Money, *, reason: str
    ) -> outcome.Outcome:
        return self._answer("refund", op.key, ref, amount)

    async def fetch(self, ref: GatewayRef) -> Snapshot | None:
        return next((known for known in self._found if known.ref == ref), None)

    async def find(self, op_id: str) -> Sequence[Snapshot]:
        self.asked.append(("find", op_id))
        return self._found

    async def aclose(self) -> None:
        """Nothing is open."""

    def _answer(self, *asked: object) -> outcome.Outcome:
        self.asked.append(asked)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def authorize(gateway: Gateway) -> Authorization:
    return await authorize_payment(PRICE, DETAILS, "order-17", gateway=gateway, key=KEY)


async def test_money_is_held_under_the_key_of_the_step() -> None:
    gateway = ScriptedGateway(outcome.Succeeded(snapshot()))
    assert await authorize(gateway) == HELD
    request = AuthorizeRequest(amount=PRICE, token="tok_visa", reference="order-17")
    assert gateway.asked == [("authorize", KEY, request)]


async def test_what_is_held_is_taken_whole() -> None:
    gateway = ScriptedGateway(outcome.Succeeded(snapshot(captured=PRICE)))
    assert await capture_payment(HELD, gateway=gateway, key=KEY) == PAID
    assert gateway.asked == [("capture", KEY, REF, PRICE, True)]


async def test_what_was_taken_is_given_back_whole() -> None:
    gateway = ScriptedGateway(outcome.Succeeded(snapshot(captured=PRICE, refunded=PRICE)))
    await refund_payment(PAID, gateway=gateway, key=KEY)
    assert gateway.asked == [("refund", KEY, REF, PRICE)]


ANSWERS = [
    (outcome.Declined("hard", "card_declined"), PaymentDeclined, Declined),
    (outcome.Rejected("wrong_amount", "0"), PaymentRefused, None),
    (outcome.Conflict("voided"), PaymentRefused, None),
    (outcome.NotSent("refused"), GatewayUnavailable, Unavailable),
    (outcome.Misconfigured("bad_key"), GatewayMisconfigured, Unavailable),
    (outcome.Unknown("reply lost"), PaymentInDoubt, OutcomeUnknown),
    (outcome.Pending(snapshot(), timedelta(1)), PaymentInDoubt, OutcomeUnknown),
    (outcome.ActionRequired(snapshot(), "3ds"), PaymentInDoubt, OutcomeUnknown),
    (outcome.Already(), PaymentInDoubt, OutcomeUnknown),
    (outcome.Already(snapshot(op_id="another")), PaymentInDoubt, OutcomeUnknown),
    (outcome.Succeeded(snapshot(op_id="another")), AnswerContradicts, OutcomeUnknown),
    (outcome.Succeeded(snapshot(authorized=Money(1178, "USD"))), AnswerContradicts, OutcomeUnknown),
    (outcome.Succeeded(snapshot(authorized=Money(1177, "EUR"))), AnswerContradicts, OutcomeUnknown),
    (RuntimeError("a defect of the adapter"), PaymentInDoubt, OutcomeUnknown),
    (TimeoutError(), PaymentInDoubt, OutcomeUnknown),
]


@pytest.mark.parametrize(("answer", "error", "kind"), ANSWERS)
async def test_each_answer_becomes_the_error_that_says_what_is_true(
    answer: outcome.Outcome | Exception,
    error: type[Exception],
    kind: type[Exception] | None,
) -> None:
    with pytest.raises(error) as caught:
        await authorize(ScriptedGateway(answer))
    kinds = (Declined, Unavailable, OutcomeUnknown)
    assert [one for one in kinds if isinstance(caught.value, one)] == ([kind] if kind else [])


async def test_an_operation_that_was_done_before_by_us_is_done() -> None:
    assert await authorize(ScriptedGateway(outcome.Already(snapshot()))) == HELD


async def test_what_the_gateway_asks_to_wait_is_passed_on() -> None:
    wait = timedelta(seconds=7)
    with pytest.raises(GatewayUnavailable) as caught:
        await authorize(ScriptedGateway(outcome.NotSent("429", retry_after=wait)))
    assert caught.value.retry_after == wait


async def test_a_cancelled_request_stays_cancelled() -> None:
    class Silent(ScriptedGateway):
        async def authorize(self, op: Op, request: AuthorizeRequest) -> outcome.Outcome:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await authorize(Silent())


async def test_another_amount_taken_than_asked_is_never_taken_for_success() -> None:
    gateway = ScriptedGateway(outcome.Succeeded(snapshot(captured=Money(1, "USD"))))
    with pytest.raises(AnswerContradicts, match="1177 USD"):
        await capture_payment(HELD, gateway=gateway, key=KEY)


async def test_another_amount_given_back_than_asked_is_never_taken_for_success() -> None:
    wrong = snapshot(captured=PRICE, refunded=Money(1, "USD"))
    with pytest.raises(AnswerContradicts, match="1177 USD"):
        await refund_payment(PAID, gateway=ScriptedGateway(outcome.Succeeded(wrong)), key=KEY)


@pytest.mark.parametrize(
    "answer",
    [
        outcome.Succeeded(snapshot()),
        outcome.Already(snapshot(op_id="another")),
        outcome.Already(),
        outcome.Conflict("captured", snapshot(captured=PRICE, refunded=PRICE)),
    ],
)
async def test_a_void_is_done_when_none_of_the_money_is_with_us(answer: outcome.Outcome) -> None:
    gateway = ScriptedGateway(answer)
    await void_authorization(HELD, gateway=gateway, key=KEY)
    assert gateway.asked == [("cancel", KEY, REF)]


async def test_a_void_that_comes_too_late_gives_back_what_was_taken() -> None:
    part = Money(177, "USD")
    before = snapshot(captured=PRICE, refunded=part)
    after = snapshot(captured=PRICE, refunded=PRICE, op_id=f"{KEY}-refund")
    gateway = ScriptedGateway(outcome.Conflict("captured", before), outcome.Succeeded(after))
    await void_authorization(HELD, gateway=gateway, key=KEY)
    assert gateway.asked == [
        ("cancel", KEY, REF),
        ("refund", f"{KEY}-refund", REF, Money(1000, "USD")),
    ]


@pytest.mark.parametrize(
    "answer", [outcome.Conflict("captured"), outcome.Rejected("no_such_payment")]
)
async def test_a_void_that_cannot_be_says_so(answer: outcome.Outcome) -> None:
    with pytest.raises(PaymentRefused):
        await void_authorization(HELD, gateway=ScriptedGateway(answer), key=KEY)


LOOKUPS = [
    (IN_DOUBT, [snapshot(captured=PRICE)], {}, "proceed"),
    (REFUSED, [snapshot(captured=PRICE)], {}, "proceed"),
    (REFUSED, [], {}, Abort("the gateway has no such operation")),
    (IN_DOUBT, [], {}, RetryNow()),
    (IN_DOUBT, [], {"quiet": timedelta(hours=1)}, RetryNow()),
    (
        IN_DOUBT,
        [],
        {"by_key": False},
        RetryFresh("the gateway finds every operation at once, and did not find this one"),
    ),
    (
        IN_DOUBT,
        [],
        {"quiet": timedelta(hours=1), "by_key": False},
        Undecided(after=timedelta(hours=1)),
    ),
    (IN_DOUBT, [snapshot(authorized=NOTHING, captured=Money(1, "USD"))], {}, Undecided()),
    (IN_DOUBT, [snapshot(), snapshot()], {}, Undecided()),
]


@pytest.mark.parametrize(("failure", "found", "gateway", "verdict"), LOOKUPS)
async def test_what_the_gateway_shows_decides_a_doubt(
    failure: Failure, found: list[Snapshot], gateway: dict[str, object], verdict: object
) -> None:
    scripted = ScriptedGateway(found=found, **gateway)  # type: ignore[arg-type]
    held = await find_authorization(failure, PRICE, gateway=scripted, key=KEY)
    taken = await find_capture(failure, HELD, gateway=scripted, key=KEY)
    assert held == (Proceed(HELD) if verdict == "proceed" else verdict)
    assert taken == (Proceed(PAID) if verdict == "proceed" else verdict)
    assert scripted.asked == [("find", KEY), ("find", KEY)]


@pytest.mark.parametrize("failure", [IN_DOUBT, REFUSED])
async def test_a_record_of_a_decline_settles_a_doubt(failure: Failure) -> None:
    record = msgspec.structs.replace(snapshot(), status=Status.DECLINED, authorized=None)
    verdict = await find_authorization(
        failure, PRICE, gateway=ScriptedGateway(found=[record]), key=KEY
    )
    assert verdict == Abort("the gateway declined it")


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with SandboxGateway(tmp_path / "books") as gateway:
        yield gateway


async def test_a_payment_is_held_taken_and_given_back_at_the_sandbox(sandbox: Gateway) -> None:
    held = await authorize(sandbox)
    paid = await capture_payment(held, gateway=sandbox, key=IdempotencyKey("capture-1234567890"))
    await refund_payment(paid, gateway=sandbox, key=IdempotencyKey("refund-1234567890"))
    await void_authorization(held, gateway=sandbox, key=IdempotencyKey("void-1234567890"))
    end = await sandbox.fetch(held.ref)
    assert end is not None
    assert end.status is Status.REFUNDED


async def test_a_capture_that_nobody_recorded_is_given_back_by_the_void(sandbox: Gateway) -> None:
    held = await authorize(sandbox)
    await capture_payment(held, gateway=sandbox, key=IdempotencyKey("capture-1234567890"))
    for _ in range(2):
        await void_authorization(held, gateway=sandbox, key=IdempotencyKey("void-1234567890"))
    end = await sandbox.fetch(held.ref)
    assert end is not None
    assert end.refunded == PRICE


@pytest.mark.parametrize(
    "token", ["4111111111111111", "4111 1111 1111 1111", "tok-4111111111111111"]
)
def test_a_card_number_is_refused_where_a_token_belongs(token: str) -> None:
    with pytest.raises(InvalidInput, match="looks like a card number") as caught:
        PaymentDetails(token=token)
    assert "4111" not in str(caught.value)


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is empty"):
        PaymentDetails(token=" ")


def test_the_token_is_not_shown() -> None:
    assert "tok_visa" not in repr(DETAILS)
