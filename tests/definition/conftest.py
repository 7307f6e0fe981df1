"""How a test of a wrong declaration is written: as a module, with `# wrong` on its lines."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from makegood.errors import DefinitionError

PRELUDE = """\
from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, NamedTuple, NewType, Protocol, TypedDict

import msgspec

from makegood.definition.policy import Retry
from makegood.definition.flow.failing import expect
from makegood.definition.step import pure, query, step
from makegood.definition.workflow import workflow
from makegood.errors import Declined
from makegood.runtime.calling.threads import threaded
from makegood.values.injectable import (
    Attempt, Deadline, IdempotencyKey, RunInfo, Transaction, Writes, injected,
)
from makegood.values.verdict import Abort, Failure, Proceed, RetryNow, Verdict

OrderId = NewType("OrderId", str)

@dataclass(frozen=True)
class Order:
    id: OrderId
    total: int
    lines: tuple[str, ...] = ()
    is_paid: bool = False

    @property
    def size(self) -> int:
        return len(self.lines)

    def doubled(self) -> int:
        return self.total * 2

class Hold(msgspec.Struct, frozen=True):
    id: str

class Letter(msgspec.Struct, frozen=True):
    to: str

class Bank(Protocol):
    async def hold(self, amount: int) -> str: ...

async def find_order(order_id: OrderId) -> Order: ...
async def hold_money(order: Order, *, bank: Bank = injected) -> Hold: ...
async def release_money(hold: Hold, *, bank: Bank = injected) -> None: ...
async def find_hold(failure: Failure, order: Order) -> Verdict[Hold]: ...
async def write_letter(order: Order) -> Letter: ...
async def post_letter(letter: Letter) -> None: ...
async def keep(order: Order, *, transaction: Transaction = injected) -> Hold: ...

def is_big(order: Order) -> bool:
    return order.total > 100

def blocking(order: Order) -> Hold: ...

find = query(find_order)
hold = step(hold_money, undo=release_money)
write = step(write_letter, irreversible="a letter is a letter")
post = step(post_letter, irreversible="it is in the post")
big = pure(is_big)
"""


class Declare:
    """Imports a module made of the prelude and a test's own source."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "declared.py"

    def __call__(self, source: str) -> ModuleType:
        self.path.write_text(PRELUDE + source)
        spec = importlib.util.spec_from_file_location("declared", self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["declared"] = module  # Dataclasses look their annotations up there.
        spec.loader.exec_module(module)
        if module.__cached__ is not None:
            # Written in the same second with the same length, the next would be taken for this.
            Path(module.__cached__).unlink(missing_ok=True)
        return module

    def refused(self, source: str) -> list[str]:
        """Return the problems of a wrong module, having checked that each is on a marked line."""
        with pytest.raises(DefinitionError) as caught:
            self(source)
        marked = {
            number
            for number, line in enumerate((PRELUDE + source).splitlines(), start=1)
            if line.endswith("# wrong")
        }
        sentences: list[str] = []
        lines: set[int] = set()
        for problem in caught.value.problems:
            place, _, sentence = problem.partition(": ")
            file, _, line = place.rpartition(":")
            assert file == str(self.path), problem
            lines.add(int(line))
            sentences.append(sentence)
        assert lines == marked, caught.value
        return sentences


@pytest.fixture
def declare(tmp_path: Path) -> Iterator[Declare]:
    yield Declare(tmp_path)
    sys.modules.pop("declared", None)
