"""Waits that are given up can fail, and so can what comes after a child with a pivot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from makegood import (
    IdempotencyKey,
    Workflow,
    each,
    hold,
    injected,
    lint,
    pure,
    step,
    wait,
    workflow,
)

HOUR = timedelta(hours=1)


class Paid(msgspec.Struct):
    order: str


async def charge(order: str, *, key: IdempotencyKey = injected) -> str: ...
async def refund(payment: str, *, key: IdempotencyKey = injected) -> None: ...
async def ship(order: str) -> str: ...
async def recall(parcel: str) -> None: ...


charged = step(charge, undo=refund, key_valid_for=None)
shipped = step(ship, undo=recall)
told = step(ship, name="told", undo=recall, optional=True, allow={"MG113": "a test"})


@workflow
def beside_a_wait(order: str) -> None:
    wait(Paid, key=order, within=HOUR)
    charged(order)


@workflow
def beside_a_hold(order: str) -> None:
    hold(order, within=HOUR)
    charged(order)


@workflow
def beside_a_wait_for_ever(order: str) -> None:
    wait(Paid, key=order, forever=True)
    charged(order)


@workflow
def beside_a_wait_that_may_come_to_nothing(order: str) -> None:
    wait(Paid, key=order, within=HOUR, optional=True)
    charged(order)


@workflow
def after_a_wait(order: str) -> None:
    charged.after(wait(Paid, key=order, within=HOUR))(order)


@pytest.mark.parametrize(
    ("declared", "codes"),
    [
        (beside_a_wait, ["MG103"]),
        (beside_a_hold, ["MG103"]),
        (beside_a_wait_for_ever, ["MG108"]),
        (beside_a_wait_that_may_come_to_nothing, []),
        (after_a_wait, []),
    ],
)
def test_an_effect_beside_a_wait_that_is_given_up_is_found(
    declared: Workflow[..., Any], codes: list[str]
) -> None:
    assert [finding.code for finding in lint(declared)] == codes


def twice(order: str) -> str:
    return order * 2


@workflow
def deliver(order: str) -> str:
    return step(ship, pivot=True)(order)


@workflow
def deliver_by_others(order: str) -> str:
    return step(deliver)(order)


given_away = step(deliver)


@workflow
def before_a_step(order: str) -> None:
    shipped.named("more").after(given_away(order))(order)


@workflow
def before_a_wait(order: str) -> None:
    wait.after(given_away(order))(Paid, key=order, within=HOUR)


@workflow
def beside_a_step(order: str) -> None:
    given_away(order)
    shipped(order)


@workflow
def of_a_child_of_a_child(order: str) -> None:
    shipped.after(step(deliver_by_others)(order))(order)


@workflow
def of_every_round(orders: list[str]) -> list[str]:
    return each(orders, given_away, name="all")


@workflow
def at_the_end(order: str) -> str:
    return given_away.after(shipped(order))(order)


@workflow
def before_what_cannot_fail_the_run(order: str) -> None:
    done = given_away(order)
    pure(twice)(done)
    told.after(done)(order)


@workflow
def as_the_pivot(order: str) -> None:
    shipped.after(step(deliver, pivot=True)(order))(order)


@workflow
def past_the_pivot(order: str) -> None:
    gone = step(ship, name="gone", pivot=True)(order)
    shipped.after(given_away.after(gone)(order))(order)


@pytest.mark.parametrize(
    ("declared", "failing"),
    [
        (before_a_step, "`more`"),
        (before_a_wait, "`wait`"),
        (beside_a_step, "`ship`"),
        (of_a_child_of_a_child, "`ship`"),
        (of_every_round, "another round"),
        (at_the_end, None),
        (before_what_cannot_fail_the_run, None),
        (as_the_pivot, None),
        (past_the_pivot, None),
    ],
)
def test_a_child_with_a_pivot_is_found_where_something_can_fail_after_it(
    declared: Workflow[..., Any], failing: str | None
) -> None:
    sentences = [finding.sentence for finding in lint(declared) if finding.code == "MG116"]

    assert len(sentences) == (failing is not None)
    assert all(f"but {failing} can still fail" in sentence for sentence in sentences)
