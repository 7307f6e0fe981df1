"""What is judged when a world has come to rest: its books, its journal, what people were told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from makegood.testing.simulation import START
from tests.simulation.judging.ledger import UNDO_OF
from tests.simulation.judging.model import SHAPES, Case, Shape, complaints
from tests.simulation.outside import TAKES_BACK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.journal.memory import MemoryStore
    from tests.simulation.judging.ledger import Ledger
    from tests.simulation.judging.witness import Witness
    from tests.simulation.orders.customers import Customer
    from tests.simulation.orders.destiny import Destiny
    from tests.simulation.outside import Outside

__all__ = ["Trial", "judge"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Everything that the end of a world is judged by."""

    witness: Witness
    store: MemoryStore
    outside: Outside
    customers: Sequence[Customer]
    destinies: Mapping[str, Destiny]
    troubles: Counter[tuple[str, str, str]]
    """How often each order's requests were refused or went astray, by operation."""
    stalls: int
    """How often a worker's process stood still, or had its clock put."""
    is_clock_wrong: bool


def judge(trial: Trial) -> None:
    """Put every rule on record that the end of a world breaks."""
    _check_effects(trial)
    for customer in trial.customers:
        order = customer.wish.order.id
        ledger = trial.witness.ledger_of(order)
        if ledger is None:
            _broken(trial, "acknowledged is durable", f"{order} is not in the journal")
            continue
        record = _record(trial, customer)
        _check_start(trial, customer, record)
        if record.inbox:
            _broken(trial, "every request is answered once", f"{order} has posts left")
        if ledger.asked.keys() != ledger.answers.keys():
            _broken(trial, "every request is answered once", f"{order} {ledger.asked}")
        if not ledger.is_settled:
            _broken(trial, "everything comes to rest", f"{order} is {record.status}")
            continue
        _check_told(trial, customer, ledger)
        _check_books(trial, order, ledger)
        for complaint in complaints(_case(trial, customer, ledger, record)):
            _broken(trial, "the end is one that may be", f"{order}, {ledger.workflow}: {complaint}")


def _broken(trial: Trial, rule: str, what: str) -> None:
    trial.witness.break_rule(rule, what)


# Any: the store's records have no public type.
def _record(trial: Trial, customer: Customer) -> Any:
    run = trial.store.keys[customer.wish.workflow, customer.wish.order.id]
    return trial.store.records[run]


def _check_effects(trial: Trial) -> None:
    """Check that no effect was had twice, and none that is not on record."""
    effects = Counter(
        (entry.request.order, entry.request.operation) for entry in trial.outside.books
    )
    for (order, operation), count in effects.items():
        if count > 1:
            _broken(trial, "one effect", f"{operation} of {order} happened {count} times")


def _check_start(trial: Trial, customer: Customer, record: Any) -> None:  # Any: see `_record`.
    if customer.acknowledged != {record.run}:
        told = f"{customer.wish.order.id}: {sorted(customer.acknowledged)}"
        _broken(trial, "acknowledged is durable", told)


def _check_told(trial: Trial, customer: Customer, ledger: Ledger) -> None:
    """Check that people were told what is in the journal."""
    order = customer.wish.order.id
    for outcome in customer.outcomes:
        word = outcome.reason if outcome.status == "parked" else outcome.rollback
        if (outcome.status, outcome.cause, word) not in ledger.settled:
            _broken(trial, "an answer is true", f"{order} was told {outcome.status}, {word}")
    last = customer.outcomes[-1:]
    if last and (last[0].done, last[0].undone) != (ledger.done, ledger.undone):
        told = f"{order} was told {last[0].done}, {last[0].undone}"
        _broken(trial, "an answer is true", f"{told}, and not {ledger.done}, {ledger.undone}")
    if last and last[0].is_completed and _as_json(last[0].value) not in ledger.results.values():
        _broken(trial, "an answer is true", f"{order} was given {last[0].value}")
    given = {(ledger.asked[post], answer) for post, answer in ledger.answers.items()}
    for asked, answer in customer.answers:
        if (asked, answer) not in given:
            _broken(trial, "an answer is true", f"{order} was told {answer} to its {asked}")


# Any: a value as JSON has it.
def _as_json(value: object) -> Any:
    return msgspec.to_builtins(value)


def _check_books(trial: Trial, order: str, ledger: Ledger) -> None:
    """Check that the books say what is on record, and that the money is right."""
    doubtful = {*ledger.stuck, *ledger.left, *ledger.skipped, *ledger.unrecorded}
    stands = {*ledger.done, *ledger.left, *ledger.kept}
    for operation in (*UNDO_OF, "issue", "letter"):
        net = trial.outside.net(order, operation)
        if net != (operation in stands) and operation not in doubtful and not _is_lost(ledger):
            _broken(trial, "what was answered is recorded", f"{operation} of {order} stands {net}×")
    for entry in trial.outside.books:
        request, result = entry.request, ledger.results.get(entry.request.operation)
        if request.order != order or result is None:
            continue
        if (result["reference"], result["amount"]) != (entry.reference, request.amount):
            _broken(trial, "what was answered is recorded", f"{request} gave {result}")
    if ledger.parked is None:
        _check_money(trial, order)


def _is_lost(ledger: Ledger) -> bool:
    """Say whether nobody claims to know what became of what was at work."""
    return ledger.parked == "poison"


def _check_money(trial: Trial, order: str) -> None:
    sums: Counter[str] = Counter()
    for entry in trial.outside.books:
        request = entry.request
        if request.order == order:
            taken_back = TAKES_BACK.get(request.operation)
            sums[taken_back or request.operation] += request.amount * (-1 if taken_back else 1)
    if sums["capture"] + sums["charge"] != sums["ship"] + sums["issue"]:
        _broken(trial, "money kept, goods sent", f"{order}: {dict(sums)}")
    held = sums["authorize"] and sums["authorize"] != sums["capture"]
    shipped = sums["reserve"] + sums["take"]
    if held or shipped != sums["ship"] or sums["seat"] != sums["issue"]:
        _broken(trial, "nothing is held", f"{order}: {dict(sums)}")


def _case(trial: Trial, customer: Customer, ledger: Ledger, record: Any) -> Case:  # Any: as above.
    order = customer.wish.order.id
    shape = SHAPES[ledger.workflow]
    if ledger.workflow == "gift_order" and "insure" not in _plan(trial, record):
        shape = SHAPES["gift_order with a letter"]
    given = {(ledger.asked[post], answer) for post, answer in ledger.answers.items()}
    return Case(
        shape=shape,
        destiny=trial.destinies[order],
        refused=_troubles(trial, order, "refused"),
        astray=_troubles(trial, order, "astray"),
        claims=trial.witness.claims[record.run],
        beside=sum(
            count
            for (other, _, trouble), count in trial.troubles.items()
            if trouble == "killed" and other != order
        ),
        stalls=trial.stalls,
        wants_letter=customer.wish.order.wants_letter,
        is_clock_wrong=trial.is_clock_wrong,
        micros=(trial.witness.settled_at[record.run]) - (record.new.created_at - START),
        cancel_accepted=("cancel", "accepted") in given,
        undo_accepted=("undo", "accepted") in given,
        status=record.status,
        cause=record.cause,
        rollback=record.rollback,
        reason=record.reason,
        left=_left(ledger),
        net=_net(trial, order, shape),
    )


def _left(ledger: Ledger) -> tuple[str, ...]:
    match ledger.parked:
        case "undo gave up":
            return tuple(ledger.left)
        case "in doubt":
            return tuple(ledger.stuck)
        case "unrecorded effect":
            return tuple(ledger.unrecorded)
        case _:
            return ()


def _plan(trial: Trial, record: Any) -> str:  # Any: as above.
    return trial.store.plans[record.new.fingerprint].json


def _troubles(trial: Trial, order: str, kind: str) -> Counter[str]:
    return Counter(
        {
            operation: count
            for (whose, operation, what), count in trial.troubles.items()
            if whose == order and what == kind
        }
    )


def _net(trial: Trial, order: str, shape: Shape) -> dict[str, int]:
    names = (*shape.steps, *shape.optional)
    return {operation: trial.outside.net(order, operation) for operation in names}
