"""What looks wrong in a lifecycle is found: in its handlers, and in its statuses together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import pytest

from makegood import (
    Again,
    CancelRun,
    DefinitionError,
    Failed,
    FailRun,
    Goto,
    IdempotencyKey,
    Lifecycle,
    Next,
    PauseRun,
    Rearm,
    Retry,
    Stay,
    Succeeded,
    Transaction,
    Writes,
    injected,
    lint,
    step,
    workflow,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = timedelta(days=1)


class S(Enum):
    NEW = 1
    PAYING = 2
    FAILED = 3
    PAID = 4
    SHIPPED = 5
    CLOSED = 6


@dataclass(frozen=True)
class Order:
    id: str


@dataclass(frozen=True)
class Paid:
    cents: int


class Bank: ...


async def price(order: Order) -> Goto[Literal[S.PAYING], Order]: ...
async def charge(
    order: Order, *, bank: Bank = injected, key: IdempotencyKey = injected
) -> Goto[Literal[S.PAID, S.FAILED], Order]: ...
async def refund(order: Order, *, bank: Bank = injected) -> None: ...
async def refund_once(
    order: Order, *, bank: Bank = injected, key: IdempotencyKey = injected
) -> None: ...
async def fall_back(order: Order) -> Goto[Literal[S.PAID, S.CLOSED], Order]: ...
async def other_card(order: Order) -> Goto[Literal[S.PAYING, S.CLOSED], Order]: ...
async def ask_bank(
    order: Order, *, bank: Bank = injected
) -> Goto[Literal[S.PAID, S.CLOSED], Order]: ...
async def heard(order: Order, paid: Paid) -> Goto[Literal[S.PAID, S.CLOSED], Order]: ...
async def ship(order: Order) -> Goto[Literal[S.SHIPPED], Order]: ...
async def post(order: Order, *, bank: Bank = injected) -> Goto[Literal[S.SHIPPED], Order]: ...
async def thank(order: Order, *, bank: Bank = injected) -> Goto[Literal[S.CLOSED], Order]: ...
async def close(order: Order) -> Goto[Literal[S.CLOSED], Order]: ...
async def end(order: Order) -> Goto[Literal[S.CLOSED], Order]: ...
async def remind(order: Order) -> Rearm[Order]: ...
async def drop(order: Order) -> CancelRun[Order]: ...
async def complain(order: Order) -> FailRun[Order]: ...
async def hold_on(order: Order) -> PauseRun[Order]: ...


def codes(*handlers: Callable[[Any], Any], **options: Any) -> list[str]:
    """Return what is found in a lifecycle that has these, and is as short as it can be."""
    return [finding.code for finding in lint(made(*handlers, **options))]


def made(*handlers: Callable[[Any], Any], **options: Any) -> Any:
    whole = Lifecycle("order", Order, S, key=lambda order: order.id, **options)
    for add in handlers:
        whole = add(whole)
    return whole.workflow()


def on(status: S, handler: Any, *to: S, **policy: Any) -> Callable[[Any], Any]:
    return lambda whole: whole.on(status, handler, to=set(to), **policy)


def hear(status: S, handler: Any, *to: S, **policy: Any) -> Callable[[Any], Any]:
    return lambda whole: whole.hear(status, Paid, handler, to=set(to), **policy)


def expire(status: S, handler: Any, *to: S, **policy: Any) -> Callable[[Any], Any]:
    return lambda whole: whole.expire(status, handler, after=DAY, to=set(to), **policy)


def first(handler: Any, **policy: Any) -> list[str]:
    """Return what is found in a lifecycle whose first handler is this one."""

    class Short(Enum):
        NEW = 1
        CLOSED = 2

    begun: Any = Lifecycle("order", Order, Short, key=lambda order: order.id)
    handler.__annotations__["return"] = Goto[Literal[Short.CLOSED], Order]
    return [
        finding.code
        for finding in lint(begun.on(Short.NEW, handler, to={Short.CLOSED}, **policy).workflow())
    ]


# Each handler by itself ---------------------------------------------------------------------------


def acting(given: Any) -> Any:
    """Return a handler that is injected with this."""

    async def act(order: Order, *, given: Any = injected) -> Any: ...

    act.__annotations__ = {"order": Order, "given": given}
    return act


@pytest.mark.parametrize("given", [Bank, Writes, Transaction])
def test_a_handler_that_may_act_and_has_no_undo_is_found(given: type) -> None:
    assert first(acting(given)) == ["MG102"]
    assert first(acting(given), irreversible="it only asks") == []


def test_a_handler_that_acts_on_its_record_alone_needs_no_undo() -> None:
    async def act(order: Order) -> Any: ...

    act.__annotations__ = {"order": Order}
    assert first(act) == []


def test_an_undo_that_cannot_be_told_apart_a_patience_and_a_horizon_are_found() -> None:
    def charging(**policy: Any) -> list[str]:
        async def charged(
            order: Order, *, bank: Bank = injected, key: IdempotencyKey = injected
        ) -> Any: ...

        charged.__annotations__ = {"order": Order, "bank": Bank, "key": IdempotencyKey}
        return first(charged, **policy)

    known = {"undo": refund_once, "key_valid_for": DAY}
    assert charging(**known) == []
    assert charging(**known | {"undo": refund}) == ["MG107"]
    assert charging(undo=refund_once) == ["MG110"]
    assert charging(**known, timeout=DAY) == ["MG106", "MG111"]
    assert charging(**known, retry=Retry(on=TypeError)) == ["MG112"]


def test_behind_a_pivot_and_on_the_way_there_nothing_needs_an_undo() -> None:
    def found(**options: Any) -> list[str]:
        return codes(
            on(S.NEW, price, S.PAYING),
            on(S.PAYING, other_card_or_paid, S.PAID, S.FAILED),
            on(S.FAILED, end, S.CLOSED),
            on(S.PAID, post, S.SHIPPED),
            on(S.SHIPPED, thank, S.CLOSED),
            **options,
        )

    assert found() == ["MG102", "MG102"]
    assert found(pivots={S.SHIPPED}) == []


async def other_card_or_paid(order: Order) -> Goto[Literal[S.PAID, S.FAILED], Order]: ...


def test_a_handler_says_why_it_is_meant_so() -> None:
    def found(**policy: Any) -> Any:
        class Short(Enum):
            NEW = 1
            CLOSED = 2

        act = acting(Bank)
        act.__annotations__["return"] = Goto[Literal[Short.CLOSED], Order]
        begun: Any = Lifecycle("order", Order, Short, key=lambda order: order.id)
        return begun.on(Short.NEW, act, to={Short.CLOSED}, **policy).workflow()

    allowed = found(allow={"MG102": "it only asks"})
    assert lint(allowed) == ()
    assert [finding.reason for finding in allowed.findings] == ["it only asks"]
    assert [finding.path for finding in lint(found())] == ["order[…]/act"]
    assert [finding.code for finding in lint(found(allow={"MG108": "no"}))] == ["MG102", "MG100"]


def test_a_strict_lifecycle_refuses_what_lint_finds() -> None:
    class Short(Enum):
        NEW = 1
        CLOSED = 2

    act = acting(Bank)
    act.__annotations__["return"] = Goto[Literal[Short.CLOSED], Order]
    begun: Any = Lifecycle("order", Order, Short, key=lambda order: order.id)
    whole = begun.on(Short.NEW, act, to={Short.CLOSED})

    with pytest.raises(DefinitionError, match=r"MG102 the handler `act` has no undo"):
        whole.workflow(strict=True)


# The statuses together ----------------------------------------------------------------------------


class Way(Enum):
    NEW = 1
    OPEN = 2
    CLOSED = 3


async def begin(order: Order) -> Goto[Literal[Way.OPEN], Order]: ...
async def shut(order: Order) -> Goto[Literal[Way.CLOSED], Order]: ...
async def paid(order: Order, paid: Paid) -> Goto[Literal[Way.CLOSED], Order]: ...
async def listening(order: Order) -> Stay[Order]: ...
async def polling(order: Order) -> Again[Order] | Goto[Literal[Way.CLOSED], Order]: ...
async def any_way(order: Order) -> Next[Way, Order]: ...


def begun() -> Lifecycle[Order, Way]:
    return Lifecycle("order", Order, Way, key=lambda order: order.id).on(
        Way.NEW, begin, to={Way.OPEN}
    )


def found_in(whole: Lifecycle[Order, Way], **options: Any) -> list[tuple[str, str]]:
    return [(finding.code, finding.sentence) for finding in lint(whole.workflow(**options))]


def test_a_status_that_only_a_message_leads_out_of_is_found_where_it_hears_that() -> None:
    whole = begun().hear(Way.OPEN, Paid, paid, to={Way.CLOSED})

    assert found_in(whole) == [
        (
            "MG108",
            "`order` stands in OPEN for ever where no Paid comes; let a time lead out of it by "
            ".expire(…), or give .workflow() a deadline=",
        )
    ]
    assert found_in(whole, deadline=DAY) == []
    assert [finding.path for finding in lint(whole.workflow())] == ["order[…]/paid"]


@pytest.mark.parametrize("leads_out", [drop, complain, hold_on])
def test_a_time_that_ends_the_run_or_asks_a_person_is_a_way_out(leads_out: Any) -> None:
    whole = begun().hear(Way.OPEN, Paid, paid, to={Way.CLOSED})

    assert found_in(whole.expire(Way.OPEN, leads_out, after=DAY)) == []
    assert found_in(whole.expire(Way.OPEN, shut, after=DAY, to={Way.CLOSED})) == []
    assert [code for code, _ in found_in(whole.expire(Way.OPEN, remind, after=DAY))] == ["MG108"]


def test_a_status_whose_entry_is_called_again_and_again_does_not_wait() -> None:
    whole = begun().hear(Way.OPEN, Paid, paid, to={Way.CLOSED})

    assert found_in(whole.on(Way.OPEN, polling, to={Way.CLOSED})) == []
    assert [code for code, _ in found_in(whole.on(Way.OPEN, listening))] == ["MG108"]
    assert [code for code, _ in found_in(whole.on(Way.OPEN, any_way, to={Way.CLOSED}))] == ["MG108"]


def test_what_a_status_hears_that_never_listens_is_found() -> None:
    whole = (
        begun()
        .hear({Way.NEW, Way.OPEN}, Paid, paid, to={Way.CLOSED})
        .expire(Way.OPEN, shut, after=DAY, to={Way.CLOSED})
    )

    assert found_in(whole) == [
        (
            "MG105",
            "`paid` is never called in NEW: `begin`, which is called when that is entered, never "
            "stays there; let it return Stay(), or remove the one or the other",
        )
    ]


def test_statuses_from_which_no_end_can_be_reached_are_found_together() -> None:
    class Endless(Enum):
        NEW = 1
        OPEN = 2

    async def forth(order: Order) -> Any: ...
    async def back(order: Order) -> Any: ...

    forth.__annotations__ = {"order": Order, "return": Goto[Literal[Endless.OPEN], Order]}
    back.__annotations__ = {"order": Order, "return": Goto[Literal[Endless.NEW], Order]}
    endless: Any = (
        Lifecycle("order", Order, Endless, key=lambda order: order.id, start=Endless.NEW)
        .on(Endless.NEW, forth, to={Endless.OPEN})
        .on(Endless.OPEN, back, to={Endless.NEW})
    )
    assert [finding.sentence for finding in lint(endless.workflow())] == [
        "a record of `order` that has come to NEW, OPEN never ends; let a handler there lead to a "
        "terminal status, or return CancelRun(…) or FailRun(…)"
    ]
    assert lint(endless.workflow(allow={"MG117": "a subscription goes on"})) == ()


def test_a_handler_that_says_that_it_cancels_is_an_end_and_one_that_says_anything_is_none() -> None:
    class Endless(Enum):
        NEW = 1
        OPEN = 2

    def whole(kind: Any) -> Any:
        async def forth(order: Order) -> Any: ...
        async def back(order: Order) -> Any: ...

        forth.__annotations__ = {"order": Order, "return": Goto[Literal[Endless.OPEN], Order]}
        back.__annotations__ = {"order": Order, "return": kind}
        begun: Any = Lifecycle("order", Order, Endless, key=lambda o: o.id, start=Endless.NEW)
        begun = begun.on(Endless.NEW, forth, to={Endless.OPEN})
        return begun.on(Endless.OPEN, back, to={Endless.NEW}).workflow()

    to_new = Goto[Literal[Endless.NEW], Order]
    assert [finding.code for finding in lint(whole(to_new | CancelRun[Order]))] == []
    assert [finding.code for finding in lint(whole(to_new | FailRun[Order]))] == []
    assert [finding.code for finding in lint(whole(Next[Endless, Order]))] == ["MG117"]


# Ways round an effect -----------------------------------------------------------------------------

CHARGED: dict[str, Any] = {"undo": refund_once, "key_valid_for": DAY}


def after_failing(*handlers: Callable[[Any], Any], **options: Any) -> list[str]:
    """Return what is found where a charge that failed leads on to these."""
    found = lint(
        made(
            on(S.NEW, price, S.PAYING),
            on(S.PAYING, charge, S.PAID, S.FAILED, **CHARGED),
            on(S.PAID, ship, S.SHIPPED),
            on(S.SHIPPED, close, S.CLOSED),
            *handlers,
            **{"pivots": {S.SHIPPED}} | options,
        )
    )
    return [finding.code for finding in found]


def test_an_error_branch_that_leads_on_to_the_good_outcome_is_found() -> None:
    assert after_failing(on(S.FAILED, fall_back, S.PAID, S.CLOSED)) == ["MG118"]
    assert after_failing(expire(S.FAILED, fall_back, S.PAID, S.CLOSED)) == ["MG118"]


def test_one_that_leads_back_to_where_the_effect_is_tried_again_or_to_an_end_is_right() -> None:
    assert after_failing(on(S.FAILED, other_card, S.PAYING, S.CLOSED)) == []
    assert after_failing(on(S.FAILED, end, S.CLOSED)) == []


def test_what_asks_outside_or_hears_a_message_on_the_way_brings_news() -> None:
    asked = on(S.FAILED, ask_bank, S.PAID, S.CLOSED, irreversible="it only asks")
    assert after_failing(asked) == []
    assert (
        after_failing(hear(S.FAILED, heard, S.PAID, S.CLOSED), expire(S.FAILED, end, S.CLOSED))
        == []
    )


def test_without_a_pivot_an_end_is_what_leads_to_ends_alone() -> None:
    to_the_end = on(S.FAILED, fall_back, S.PAID, S.CLOSED)
    # Nothing is declared to be good about SHIPPED, so PAID is on the way to ends alone.
    assert after_failing(to_the_end, pivots=set()) == []


def test_the_published_machine_of_an_order_is_found_where_it_ships_what_was_never_paid() -> None:
    """It leads on from a failed payment, and from missing goods, as if there were none."""

    class Status(Enum):
        CREATED = 1
        VALIDATED = 2
        PAYMENT_PROCESSING = 3
        PAYMENT_PROCESSED = 4
        PAYMENT_FAILED = 5
        INVENTORY_RESERVED = 6
        INVENTORY_FAILED = 7
        FULFILLED = 8
        CANCELLED = 9
        REFUNDED = 10

    def handler(name: str, to: tuple[Status, ...], *, acts: bool = False) -> Any:
        async def handle(order: Order) -> Any: ...

        async def act(
            order: Order, *, bank: Bank = injected, key: IdempotencyKey = injected
        ) -> Any: ...

        function: Any = act if acts else handle
        function.__name__ = name
        function.__annotations__ = {"order": Order, "return": Goto[Literal[to], Order]}
        if acts:
            function.__annotations__ |= {"bank": Bank, "key": IdempotencyKey}
        return function

    def published(*, charges_again: bool) -> Any:
        begun: Any = Lifecycle(
            "order", Order, Status, key=lambda order: order.id, pivots={Status.FULFILLED}
        )
        failed_to = Status.VALIDATED if charges_again else Status.PAYMENT_PROCESSING
        steps = (
            (Status.CREATED, "validate", (Status.VALIDATED, Status.CANCELLED), False),
            (
                Status.VALIDATED,
                "charge",
                (Status.PAYMENT_PROCESSING, Status.PAYMENT_FAILED),
                True,
            ),
            (Status.PAYMENT_PROCESSING, "look", (Status.PAYMENT_PROCESSED,), False),
            (Status.PAYMENT_FAILED, "choose_other", (failed_to, Status.CANCELLED), False),
            (
                Status.PAYMENT_PROCESSED,
                "reserve",
                (Status.INVENTORY_RESERVED, Status.INVENTORY_FAILED),
                True,
            ),
            (
                Status.INVENTORY_FAILED,
                "offer_part",
                (Status.REFUNDED, *(() if charges_again else (Status.INVENTORY_RESERVED,))),
                False,
            ),
            (Status.INVENTORY_RESERVED, "fulfil", (Status.FULFILLED,), False),
            (Status.FULFILLED, "tell", (Status.REFUNDED,), False),
        )
        for status, name, to, moves in steps:
            policy = CHARGED if moves else {}
            begun = begun.on(status, handler(name, to, acts=moves), to={*to}, **policy)
        return begun.workflow()

    assert [(finding.code, finding.path) for finding in lint(published(charges_again=False))] == [
        ("MG118", "order[…]/choose_other"),
        ("MG118", "order[…]/offer_part"),
    ]
    assert lint(published(charges_again=True)) == ()


# What is called -----------------------------------------------------------------------------------


async def send(order_id: str) -> str: ...


@workflow
def shipping(order_id: str) -> str:
    return step(send, irreversible="it is gone")(order_id)


async def sent(
    order: Order, ended: Succeeded[str] | Failed
) -> Goto[Literal[Way.CLOSED], Order]: ...


def test_the_deadline_of_a_workflow_that_is_called_is_none_of_its_handlers() -> None:
    whole = begun().call(
        Way.OPEN,
        lambda order: shipping(order.id),
        sent,
        to={Way.CLOSED},
        timeout_total=timedelta(days=3),
    )

    assert found_in(whole) == []
