"""What the tests of the journal's promises share: the numbers, the usual runs, short questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from makegood.journal.protocol import Leases
from makegood.values.instants import Instant
from tests.journal.records import AFTER_EVERY_LEASE, ALICE, run_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.journal.protocol import Journal
    from makegood.values.ids import RunId, WorkerId

Test = TypeVar("Test")

RUN = run_id(1)
OTHER = run_id(2)
NONE_LEASED = Leases()


PROMISE = "promise"
PROMISE_OF_HALTS = "promise_of_halts"
PROMISE_OF_STAGES = "promise_of_stages"
PROMISE_OF_SCHEDULES = "promise_of_schedules"
PROMISE_OF_MODELS = "promise_of_models"
PROMISE_OF_PERIODS = "promise_of_periods"


def promise(number: int) -> Callable[[Test], Test]:
    """Name the promise of `Journal` that a test is about."""

    def mark(test: Test) -> Test:
        setattr(test, PROMISE, number)
        return test

    return mark


def promise_of_halts(number: int) -> Callable[[Test], Test]:
    """Name the promise of `KeepsHalts` that a test is about."""

    def mark(test: Test) -> Test:
        setattr(test, PROMISE_OF_HALTS, number)
        return test

    return mark


def promise_of_stages(number: int) -> Callable[[Test], Test]:
    """Name the promise of `KeepsStages` that a test is about."""

    def mark(test: Test) -> Test:
        setattr(test, PROMISE_OF_STAGES, number)
        return test

    return mark


def promise_of_schedules(number: int) -> Callable[[Test], Test]:
    """Name the promise of `KeepsSchedules` that a test is about."""

    def mark(test: Test) -> Test:
        setattr(test, PROMISE_OF_SCHEDULES, number)
        return test

    return mark


def promise_of_models(number: int) -> Callable[[Test], Test]:
    """Name the promise of `KeepsModels` that a test is about."""

    def mark(test: Test) -> Test:
        setattr(test, PROMISE_OF_MODELS, number)
        return test

    return mark


def promise_of_periods(number: int) -> Callable[[Test], Test]:
    """Name the promise of `KeepsPeriods` that a test is about."""

    def mark(test: Test) -> Test:
        setattr(test, PROMISE_OF_PERIODS, number)
        return test

    return mark


async def lease(
    journal: Journal, worker: WorkerId = ALICE, *, now: int = AFTER_EVERY_LEASE, limit: int = 100
) -> Leases:
    return await journal.lease(worker, room={"plan-1": 999}, limit=limit, now=Instant(now))


async def remembered(journal: Journal, run: RunId) -> tuple[int, tuple[bytes, ...]]:
    history = await journal.read(run)
    return history.row.seq, history.appends


async def stock(journal: Journal) -> object:
    return (await journal.query("SELECT count FROM stock WHERE sku = ?", "tea"))[0][0]
