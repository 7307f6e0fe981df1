"""What looks wrong in one declaration is found once, however often it is used."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from makegood import (
    Abort,
    Declined,
    Failure,
    IdempotencyKey,
    InvalidInput,
    MakegoodError,
    Record,
    Retry,
    Transaction,
    Unavailable,
    injected,
    lint,
    query,
    step,
    workflow,
)

HOUR = timedelta(hours=1)


class Bank: ...


class Post: ...


class Refused(Declined): ...


async def charge(sku: str, *, bank: Bank = injected, key: IdempotencyKey = injected) -> str: ...
async def refund(payment: str, *, bank: Bank = injected) -> None: ...
async def refund_once(
    payment: str, *, bank: Bank = injected, key: IdempotencyKey = injected
) -> None: ...
async def refund_and_note(
    payment: str,
    *,
    bank: Bank = injected,
    record: Record[str] = injected,
    recorded: str | None = injected,
) -> None: ...
async def forget_it(
    payment: str, *, transaction: Transaction = injected, recorded: str | None = injected
) -> None: ...
async def find_recorded(
    failure: Failure, sku: str, *, recorded: str | None = injected
) -> Abort: ...
async def hold_slowly(sku: str, *, record: Record[str] = injected) -> str: ...
async def tell(payment: str, *, post: Post = injected) -> None: ...
async def forget(payment: str, *, transaction: Transaction = injected) -> None: ...
async def ask(sku: str, *, bank: Bank = injected) -> str: ...
async def hold(sku: str) -> str: ...
async def release(hold: str) -> None: ...
async def find(failure: Failure) -> Abort: ...
async def keep(sku: str, *, transaction: Transaction = injected) -> str: ...


def codes(declared: Any) -> list[str]:
    """Return what is found in a workflow that has nothing but this."""

    @workflow
    def one(sku: str) -> None:
        declared(sku)

    return [finding.code for finding in lint(one)]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (step(hold), ["MG102"]),
        (step(keep), ["MG102"]),
        (step(hold, pivot=True), []),
        (step(hold, irreversible="it is"), []),
        (query(ask, timeout=HOUR), []),
        (query(ask, timeout=HOUR + timedelta(seconds=1)), ["MG106"]),
        (step(ask, undo=release, timeout=HOUR * 2), ["MG106"]),
        (step(ask, undo=release, timeout=None), ["MG106"]),  # type: ignore[arg-type]
        (step(hold, undo=release, timeout=HOUR * 2), []),
        (step(charge, undo=refund, compensate=find), ["MG107"]),
        (step(charge, undo=refund_once, compensate=find), []),
        (step(charge, undo=refund_and_note, compensate=find), []),
        (step(hold_slowly, undo=release), ["MG115"]),
        (step(hold_slowly, undo=forget_it), []),
        (step(hold_slowly, undo=release, compensate=find_recorded), []),
        (step(charge, undo=tell, compensate=find), []),
        (step(charge, undo=forget, compensate=find), []),
        (step(ask, undo=refund), []),
        (query(charge), ["MG109"]),
        (step(charge, pivot=True), ["MG110"]),
        (step(charge, pivot=True, compensate=find), []),
        (step(charge, pivot=True, key_valid_for=None), []),
        (step(hold, undo=release, key_valid_for=timedelta(seconds=92)), ["MG111"]),
        (step(hold, undo=release, key_valid_for=timedelta(seconds=93)), []),
        (
            step(hold, undo=release, key_valid_for=HOUR, timeout_total=timedelta(hours=2)),
            ["MG111"],
        ),
        (step(hold, undo=release, compensate=find, key_valid_for=timedelta(seconds=1)), []),
        (step(hold, undo=release, optional=True), ["MG113"]),
        (step(hold, undo=release, optional=True, compensate=find), []),
        (step(hold, irreversible="it is", optional=True), []),
        (step(keep, undo=release, optional=True), []),
    ],
)
def test_a_declaration_is_judged_by_itself(declared: Any, expected: list[str]) -> None:
    assert codes(declared) == expected


@pytest.mark.parametrize(
    ("retry", "why"),
    [
        (Retry(on=Declined), "`hold` is tried again on Declined, which is a definite no"),
        (Retry(on=Refused), "`hold` is tried again on Refused, which is a definite no"),
        (Retry(on=InvalidInput), "`hold` is tried again on InvalidInput, which is a definite no"),
        (Retry(on=TypeError), "on TypeError, which is a mistake of the program"),
        (Retry(on=Exception), "on Exception, which is everything, definite refusals and mistakes"),
        (Retry(on=MakegoodError), "on MakegoodError, which is everything"),
        (Retry(on=(OSError, NameError)), "on NameError, which is a mistake of the program"),
        (Retry(on=Exception, attempts=1), None),
        (Retry(on=(Unavailable, OSError, ValueError, RuntimeError, LookupError)), None),
    ],
)
def test_a_retry_is_for_what_may_be_otherwise_the_next_time(retry: Retry, why: str | None) -> None:
    @workflow
    def one(sku: str) -> None:
        step(hold, undo=release, retry=retry)(sku)

    found = [finding.sentence for finding in lint(one)]

    assert len(found) == (0 if why is None else 1)
    assert all(why in sentence for sentence in found if why is not None)


def test_one_function_cannot_both_ask_and_act() -> None:
    @workflow
    def both(sku: str) -> None:
        payment = step(ask, undo=tell)(sku)
        query(ask, name="again").after(payment)(sku)
        query(tell).after(payment)(payment)

    assert [(finding.code, finding.path) for finding in lint(both)] == [
        ("MG109", "again"),
        ("MG109", "tell"),
    ]
    assert lint(both)[0].sentence == (
        "the query `again` is the function of the step `ask` or of its undo; what only asks has no "
        "effect, so declare it as step(…) here too"
    )


def test_a_declaration_is_told_once_where_it_is_declared() -> None:
    declared = step(hold)

    @workflow
    def twice(sku: str) -> None:
        first = declared.named("first")(sku)
        declared.named("second").after(first)(sku)

    (finding,) = lint(twice)

    assert (finding.path, finding.file) == ("first", __file__)
    assert finding.line == hold_declared_at()
    assert str(finding) == f"{__file__}:{finding.line}: MG102 {finding.sentence}"


def hold_declared_at() -> int:
    """Return the line of this file on which the test above declares its step."""
    lines = Path(__file__).read_text().splitlines()
    (found,) = (at for at, line in enumerate(lines, 1) if line == "    declared = step(hold)")
    return found
