"""Is every numbered promise of the journal tested, and every test one of a promise?"""

from __future__ import annotations

import re
from types import ModuleType

import pytest

from makegood.journal.beside.models import KeepsModels
from makegood.journal.beside.retaining import KeepsPeriods
from makegood.journal.beside.scheduling import KeepsSchedules
from makegood.journal.halting import KeepsHalts
from makegood.journal.messages import KeepsMessages
from makegood.journal.protocol import Journal
from makegood.journal.staging import KeepsStages
from tests.journal import contract, test_sqlite_faults
from tests.journal.contract import lanes
from tests.journal.contract.lanes.post import PROMISE_OF_MESSAGES
from tests.journal.postgres import test_faults
from tests.journal.promises import (
    PROMISE,
    PROMISE_OF_HALTS,
    PROMISE_OF_MODELS,
    PROMISE_OF_PERIODS,
    PROMISE_OF_SCHEDULES,
    PROMISE_OF_STAGES,
)

_OF_A_FULL_DISK = {8}
"""A store in memory has no disk: these are kept by the tests of each store that has one."""


def numbers_promised(protocol: type) -> set[int]:
    return {
        int(number) for number in re.findall(r"^ *(\d+)\. ", protocol.__doc__ or "", re.MULTILINE)
    }


def numbers_tested(module: ModuleType, mark: str = PROMISE) -> set[int]:
    return {
        number
        for name, test in vars(module).items()
        if name.startswith("test_")
        if (number := getattr(test, mark, None)) is not None
    }


def test_every_promise_of_the_protocol_has_a_test_in_the_suite() -> None:
    assert numbers_tested(contract) == numbers_promised(Journal) - _OF_A_FULL_DISK


def test_every_promise_about_halts_has_a_test_in_the_suite() -> None:
    assert numbers_tested(contract, PROMISE_OF_HALTS) == numbers_promised(KeepsHalts)


def test_every_promise_about_periods_has_a_test_in_the_suite() -> None:
    assert numbers_tested(contract, PROMISE_OF_PERIODS) == numbers_promised(KeepsPeriods)


def test_every_promise_about_stages_has_a_test_in_the_suite() -> None:
    assert numbers_tested(contract, PROMISE_OF_STAGES) == numbers_promised(KeepsStages)


def test_every_promise_about_messages_has_a_test_in_the_suite() -> None:
    assert numbers_tested(lanes, PROMISE_OF_MESSAGES) == numbers_promised(KeepsMessages)


def test_every_promise_about_schedules_has_a_test_in_the_suite() -> None:
    assert numbers_tested(contract, PROMISE_OF_SCHEDULES) == numbers_promised(KeepsSchedules)


def test_every_promise_about_read_models_has_a_test_in_the_suite() -> None:
    assert numbers_tested(lanes, PROMISE_OF_MODELS) == numbers_promised(KeepsModels)


@pytest.mark.parametrize("module", [test_sqlite_faults, test_faults])
def test_every_store_with_a_disk_tests_what_happens_without_room(module: ModuleType) -> None:
    assert numbers_tested(module) >= _OF_A_FULL_DISK
