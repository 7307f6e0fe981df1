"""The examples of the flow make good whatever fails in them: branches, rounds, sleeps, guards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import gift_order
import many_warehouses
import partial_fulfilment
import patient_payment
import payment_collection
import payment_methods
import pytest
import reminder
import slow_bank
from payment_methods import Method

from makegood import Call, Declined, Engine, Event, OutcomeUnknown, testing
from makegood.decision.facts import NodeFailed, NodeStarted, RetryScheduled
from makegood.journal.memory import MemoryJournal

NO = Declined("no")
LOST = testing.AfterEffect(OutcomeUnknown("the reply was lost"))


@dataclass(frozen=True)
class Variation:
    """An example of the flow: what is called, what it works with, and what it asks of that."""

    call: Call[Any]
    companies: Callable[[], Any]
    asked: dict[str, str]
    """The steps and queries of a good run in the order of their beginning, and what each does."""
    keeps: frozenset[str] = frozenset()
    """The books in which something may stay: letters, and how often somebody was asked."""

    def books(self, companies: Any) -> dict[str, Any]:
        """Return what must be as it was when a run has failed."""
        return {name: book for name, book in vars(companies).items() if name not in self.keeps}

    async def outcome(self, companies: Any, **options: Any) -> Any:
        return await testing.run(self.call, services={type(companies): companies}, **options)


class Begun:
    """Which steps and queries a run began, in order, and when."""

    def __init__(self) -> None:
        self.at: dict[str, int] = {}

    def __call__(self, event: Event, /) -> None:
        if isinstance(event.fact, NodeStarted):
            self.at.setdefault(event.fact.node, event.fact.at)


class Waits:
    """Says when a run waits for the next attempt of a step."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    def __call__(self, event: Event, /) -> None:
        if isinstance(event.fact, RetryScheduled):
            self.begun.set()


class Pauses:
    """How long each step was to wait after each attempt that failed."""

    def __init__(self) -> None:
        self.of: dict[str, list[timedelta]] = {}
        self._failed_at = 0

    def __call__(self, event: Event, /) -> None:
        if isinstance(event.fact, NodeFailed):
            self._failed_at = event.fact.at
        if isinstance(event.fact, RetryScheduled):
            pause = timedelta(microseconds=event.fact.due - self._failed_at)
            self.of.setdefault(event.fact.node, []).append(pause)


# A query asks; a step does something that is undone; what is irreversible keeps what it has done.
ASKS, DOES, KEEPS = "asks", "does", "keeps"
SHARED = many_warehouses.Order("order-7", "CD-1", 7, 6300)
VARIATIONS = {
    "many_warehouses": Variation(
        call=many_warehouses.fulfil_order(SHARED, ["Lagos", "Accra"]),
        companies=lambda: many_warehouses.Company(Lagos=3, Accra=5),
        asked={
            "counts[0]/count_stock": ASKS,
            "counts[1]/count_stock": ASKS,
            "holds[0]/hold_share": DOES,
            "holds[1]/hold_share": DOES,
            "charge": DOES,
            "parcels[0]/send_parcel": DOES,
            "parcels[1]/send_parcel": DOES,
        },
    ),
    "payment_by_card": Variation(
        call=payment_methods.sell("order-1", 4200, Method.CARD),
        companies=payment_methods.Books,
        asked={
            "reserve_article": DOES,
            "payment/card/authorize_card": DOES,
            "payment/card/capture_card": DOES,
            "ship_article": DOES,
        },
    ),
    "payment_by_wallet": Variation(
        call=payment_methods.sell("order-1", 4200, Method.WALLET),
        companies=payment_methods.Books,
        asked={
            "reserve_article": DOES,
            "payment/wallet/charge_wallet": DOES,
            "ship_article": DOES,
        },
    ),
    "partial_fulfilment": Variation(
        call=partial_fulfilment.sell_present(partial_fulfilment.Order("o", ["CD", "MC"], 900)),
        companies=lambda: partial_fulfilment.Shop("CD"),
        asked={
            "check_stock": ASKS,
            "order_missing": DOES,
            "charge": DOES,
            "send_present": DOES,
        },
    ),
    "patient_payment": Variation(
        call=patient_payment.pay("order-1", 1177),
        companies=lambda: patient_payment.Bank(away_for=0),
        asked={"hold_money": DOES, "capture": DOES},
    ),
    "payment_collection": Variation(
        call=payment_collection.collect_payment(payment_collection.Paid("o", "T-1", 900)),
        companies=payment_collection.Books,
        asked={
            "note_payment": KEEPS,
            "create_collection": DOES,
            "authorize_session": DOES,
            "link_order": DOES,
        },
        keeps=frozenset({"notes"}),
    ),
    "slow_bank": Variation(
        call=slow_bank.sell_by_transfer("order-1", 4200, timedelta(hours=1)),
        companies=lambda: slow_bank.Bank(after_questions=2),
        asked={
            "order_transfer": DOES,
            "repeat[0]/ask_bank": ASKS,
            "repeat[1]/ask_bank": ASKS,
            "switch/settled/deliver_goods": KEEPS,
        },
        keeps=frozenset({"left"}),
    ),
    "reminder": Variation(
        call=reminder.sell_by_invoice("order-1"),
        companies=reminder.Shop,
        asked={
            "hold_article": DOES,
            "send_invoice": DOES,
            "check_paid": ASKS,
            "send_reminder": KEEPS,
            "check_again": ASKS,
            "paid/true/ship_article": KEEPS,
        },
        keeps=frozenset({"reminders"}),
    ),
}
FLOW = VARIATIONS.items()
RETURNABLE = [name for name, each in FLOW if KEEPS not in each.asked.values()]
# A letter that cannot be sent fails nothing: what it leads to has a test of its own.
BREAKING = [(name, path) for name, each in FLOW for path in each.asked if "reminder" not in path]
LOSING = [(name, path) for name, each in FLOW for path, does in each.asked.items() if does != ASKS]


@pytest.mark.parametrize("name", VARIATIONS)
async def test_a_variation_does_all_that_its_table_says(name: str) -> None:
    variation, begun = VARIATIONS[name], Begun()

    outcome = await variation.outcome(variation.companies(), observers=[begun])

    assert outcome.is_completed
    assert list(begun.at) == list(variation.asked)


@pytest.mark.parametrize(("name", "failing"), BREAKING)
async def test_a_variation_of_which_a_step_fails_leaves_nothing(name: str, failing: str) -> None:
    variation, begun = VARIATIONS[name], Begun()
    companies = variation.companies()

    outcome = await variation.outcome(companies, fail={failing: NO}, observers=[begun])

    assert (outcome.status, outcome.error, outcome.left) == ("failed", NO, [])
    assert {*outcome.undone} == {
        path for path in begun.at if path != failing and variation.asked[path] == DOES
    }
    assert variation.books(companies) == variation.books(variation.companies())


@pytest.mark.parametrize(("name", "path"), LOSING)
async def test_a_variation_of_which_a_reply_is_lost_does_everything_once(
    name: str, path: str
) -> None:
    variation = VARIATIONS[name]
    good, companies = variation.companies(), variation.companies()
    await variation.outcome(good)

    outcome = await variation.outcome(companies, fail={path: [LOST]})

    assert outcome.is_completed
    assert vars(companies) == vars(good)


@pytest.mark.parametrize("name", RETURNABLE)
async def test_a_variation_that_is_taken_back_after_all_leaves_nothing(name: str) -> None:
    variation, clock = VARIATIONS[name], testing.TurnableClock()
    companies = variation.companies()
    engine = Engine(MemoryJournal(), services={type(companies): companies}, clock=clock)

    async with engine:
        engine.serve(variation.call.workflow)
        run = await engine.start(variation.call)
        completed = await testing.finish(engine, clock, run.outcome())
        outcome = await testing.finish(engine, clock, run.undo(reason="it was returned"))

    assert (outcome.left, outcome.kept) == ([], [])
    assert outcome.undone == completed.done[::-1]
    assert vars(companies) == vars(variation.companies())


async def test_an_order_is_taken_from_the_warehouses_that_have_most() -> None:
    company = many_warehouses.Company(Abuja=1, Lagos=3, Accra=5)
    call = many_warehouses.fulfil_order(SHARED, ["Abuja", "Lagos", "Accra", "Atlantis"])

    outcome = await testing.run(call, services={many_warehouses.Company: company})

    assert outcome.value == ["order-7 from Accra", "order-7 from Lagos"]
    assert company.held == {"order-7 in Accra": 5, "order-7 in Lagos": 2}


async def test_what_is_no_way_to_pay_costs_nothing() -> None:
    books = payment_methods.Books()
    call = payment_methods.sell("order-1", 4200, Method.CHEQUE)

    outcome = await testing.run(call, services={payment_methods.Books: books})

    assert str(outcome.error) == "that is no way to pay here"
    assert outcome.undone == []
    assert vars(books) == vars(payment_methods.Books())


@pytest.mark.parametrize(
    ("skus", "sent", "ordered", "charged"),
    [
        (["CD", "LP"], {"o": ["CD", "LP"]}, {}, {"o": 1800}),
        (["CD", "MC"], {"o": ["CD"]}, {"o": ["MC"]}, {"o": 900}),
        (["MC"], {}, {}, {}),
    ],
)
async def test_only_what_is_there_is_sent_and_paid(
    skus: list[str], sent: object, ordered: object, charged: object
) -> None:
    shop = partial_fulfilment.Shop("CD", "LP")
    call = partial_fulfilment.sell_present(partial_fulfilment.Order("o", skus, 900))

    outcome = await testing.run(call, services={partial_fulfilment.Shop: shop})

    assert outcome.is_completed == bool(sent)
    assert (shop.sent, shop.ordered, shop.charged) == (sent, ordered, charged)


@pytest.mark.parametrize(
    ("answers", "after_questions", "why"),
    [
        (slow_bank.State.REFUSED, 5, "the bank refused the transfer"),
        (slow_bank.State.SETTLED, slow_bank.QUESTIONS_MAX + 1, "not come to its end in 48 rounds"),
    ],
)
async def test_a_transfer_that_does_not_settle_is_called_back(
    answers: slow_bank.State, after_questions: int, why: str
) -> None:
    bank = slow_bank.Bank(answers=answers, after_questions=after_questions)
    call = slow_bank.sell_by_transfer("order-1", 4200, timedelta(hours=1))

    outcome = await testing.run(call, services={slow_bank.Bank: bank})

    assert why in str(outcome.error)
    assert outcome.undone == ["order_transfer"]
    assert (bank.transfers, bank.delivered) == ({}, set())


async def test_a_slow_bank_is_asked_once_an_hour() -> None:
    clock, begun = testing.TurnableClock(), Begun()
    began = clock.now()

    outcome = await testing.run(
        slow_bank.sell_by_transfer("order-1", 4200, timedelta(hours=1)),
        services={slow_bank.Bank: slow_bank.Bank(after_questions=3)},
        observers=[begun],
        clock=clock,
    )

    assert outcome.value == "order-1"
    waited = [
        timedelta(microseconds=at - began) // timedelta(hours=1)
        for path, at in begun.at.items()
        if path.endswith("ask_bank")
    ]
    assert waited == [1, 2, 3]


@pytest.mark.parametrize(
    ("shop", "weeks", "reminders", "shipped"),
    [
        (reminder.Shop(pays_at_once=True), 1, set(), {"order-1"}),
        (reminder.Shop(), 2, {"order-1"}, {"order-1"}),
        (reminder.Shop(pays_when_reminded=False), 2, {"order-1"}, set()),
    ],
)
async def test_who_has_not_paid_in_a_week_is_reminded_and_has_another_one(
    shop: reminder.Shop, weeks: int, reminders: set[str], shipped: set[str]
) -> None:
    clock = testing.TurnableClock()
    began = clock.now()

    outcome = await testing.run(
        reminder.sell_by_invoice("order-1"), services={reminder.Shop: shop}, clock=clock
    )

    assert outcome.is_completed == bool(shipped)
    assert timedelta(microseconds=clock.now() - began) // timedelta(weeks=1) == weeks
    assert (shop.reminders, shop.shipped, shop.held) == (reminders, shipped, shipped)


async def test_who_could_not_be_reminded_is_not_sent_anything() -> None:
    shop = reminder.Shop()

    outcome = await testing.run(
        reminder.sell_by_invoice("order-1"),
        services={reminder.Shop: shop},
        fail={"send_reminder": NO},
    )

    assert str(outcome.error) == "it was never paid"
    assert (outcome.undone, shop.held) == (["send_invoice", "hold_article"], set())


async def test_a_bank_that_is_away_is_asked_after_longer_and_longer_pauses() -> None:
    pauses, clock = Pauses(), testing.TurnableClock()

    outcome = await testing.run(
        patient_payment.pay("order-1", 1177),
        services={patient_payment.Bank: patient_payment.Bank(away_for=3)},
        observers=[pauses],
        clock=clock,
    )

    assert outcome.is_completed
    # Full jitter draws each pause between nothing and what the policy says.
    said = {"hold_money": [1, 2, 3], "capture": [1, 2, 4]}
    for path, times in said.items():
        assert len(pauses.of[path]) == len(times)
        for pause, most in zip(pauses.of[path], times, strict=True):
            assert timedelta(0) <= pause <= most * patient_payment.PAUSE


async def test_a_customer_who_has_waited_enough_has_nothing_held() -> None:
    bank, clock, waits = patient_payment.Bank(away_for=0), testing.TurnableClock(), Waits()
    bank.away["capture for order-2"] = 1_000
    services = {patient_payment.Bank: bank}
    engine = Engine(MemoryJournal(), services=services, clock=clock, observers=[waits])

    async with engine:
        engine.serve(patient_payment.pay)
        run = await engine.start(patient_payment.pay("order-2", 900), key="order-2")
        await waits.begun.wait()
        held = set(bank.held)
        cancelled = run.cancel(actor="customer", reason="it takes too long")
        await testing.finish(engine, clock, cancelled)
        outcome = await testing.finish(engine, clock, run.outcome())

    assert (outcome.status, outcome.undone) == ("cancelled", ["hold_money"])
    assert (len(held), bank.held, bank.taken) == (1, set(), {})


async def test_a_session_that_the_provider_refuses_is_deleted_by_what_was_recorded_of_it() -> None:
    books = payment_collection.Books(refused={"T-2"})
    paid = payment_collection.Paid("order-2", "T-2", 900)

    outcome = await testing.run(
        payment_collection.collect_payment(paid), services={payment_collection.Books: books}
    )

    assert (outcome.status, outcome.undone) == ("failed", ["create_collection"])
    assert outcome.kept == ["note_payment"]
    assert (books.collections, books.sessions, books.links) == ({}, {}, {})
    assert books.notes == {"order-2": "T-2"}


GIFT = gift_order.Order("order-1", 2_000, is_gift=True)
BEFORE_THE_END = [
    "hold order-1",
    "book order-1",
    "authorize 2500 for order-1",
    "take what was to authorize 2500 for order-1",
    "wrap the hold order-1",
    "send the wrap the hold order-1",
]


@pytest.mark.parametrize("cannot", BEFORE_THE_END)
async def test_an_order_of_parts_that_fails_anywhere_leaves_nothing(cannot: str) -> None:
    shop = gift_order.Shop(cannot=cannot)

    outcome = await testing.run(gift_order.sell(GIFT), services={gift_order.Shop: shop})

    assert (outcome.status, outcome.left, shop.stands) == ("failed", [], set())


@pytest.mark.parametrize("path", ["hold_stock", "book_carrier", "wrap_gift", "send_parcel"])
async def test_an_order_of_parts_of_which_a_reply_is_lost_does_everything_once(path: str) -> None:
    shop = gift_order.Shop()

    outcome = await testing.run(
        gift_order.sell(GIFT), services={gift_order.Shop: shop}, fail={path: [LOST]}
    )

    assert outcome.is_completed
    assert shop.stands == {*BEFORE_THE_END}


async def test_what_is_no_gift_is_not_wrapped() -> None:
    shop = gift_order.Shop()
    call = gift_order.sell(gift_order.Order("order-1", 2_000, is_gift=False))

    outcome = await testing.run(call, services={gift_order.Shop: shop})

    assert (outcome.value, outcome.skipped) == ("send the hold order-1", ["wrap_gift"])
