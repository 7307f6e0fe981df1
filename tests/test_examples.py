"""Every example runs and makes good what fails in it; so does every document's Python run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from payment_processing import process_payment
from payment_saga import Item, Purchase, Services, payment_saga
from storefront import VISA, Order, Shop

from makegood import Call, Declined, Engine, Event, OutcomeUnknown, Unavailable, testing
from makegood.decision.facts import NodeDone
from makegood.journal.memory import MemoryJournal
from makegood.payments import Gateway, Money, Payment, PaymentDetails
from makegood.payments.gateways.sandbox import SandboxGateway
from tests.source import ROOT

SECONDS_MAX = 110

EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PYTHON_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def named(path: Path) -> str:
    """Name a file by where it stands in the project."""
    return path.relative_to(ROOT).as_posix()


def blocks_of(text: str) -> str:
    """Return a document's Python blocks as one program, each line where it stands in the text.

    A reader takes the blocks in order, so a later one may use what an earlier one defined; and
    because lines keep their numbers, a traceback points into the document.
    """
    lines = [""] * text.count("\n")
    for block in PYTHON_BLOCK.finditer(text):
        first = text.count("\n", 0, block.start("code"))
        code = block["code"].splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines)


def run_in(folder: Path, script: Path) -> None:
    """Run a script as a user would, in an empty folder, with every warning an error."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"


@pytest.mark.real
@pytest.mark.parametrize("example", EXAMPLES, ids=named)
def test_an_example_runs_as_it_stands(example: Path, tmp_path: Path) -> None:
    run_in(tmp_path, example)


@pytest.mark.real
@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if PYTHON_BLOCK.search(path.read_text())], ids=named
)
def test_a_documents_python_runs_from_top_to_bottom(document: Path, tmp_path: Path) -> None:
    script = tmp_path / f"{document.stem.replace('-', '_').lower()}.py"
    script.write_text(blocks_of(document.read_text()))
    run_in(tmp_path, script)


def test_a_line_of_a_block_keeps_its_number() -> None:
    text = "# Title\n\n```python\nfirst = 1\n```\n\nText.\n\n```python\nsecond = first\n```\n"
    lines = blocks_of(text).splitlines()
    assert (lines[3], lines[9]) == ("first = 1", "second = first")


NO = Declined("no")
LOST = testing.AfterEffect(OutcomeUnknown("the reply was lost"))

PURCHASE = Purchase("ORD-1", [Item("LAPTOP-01", 1), Item("BAG-7", 2)], 120_000, "ann")

SAGA_UNDONE = {
    "reserve_stock": [],
    "process_payment": ["reserve_stock"],
    "confirm_order": ["process_payment", "reserve_stock"],
}


@pytest.mark.parametrize(("failing", "undone"), SAGA_UNDONE.items())
async def test_a_saga_of_which_a_step_fails_leaves_nothing(failing: str, undone: list[str]) -> None:
    services = Services()

    outcome = await testing.run(
        payment_saga(PURCHASE), services={Services: services}, fail={failing: NO}
    )

    assert (outcome.status, outcome.error) == ("failed", NO)
    assert (outcome.undone, outcome.left, outcome.kept) == (undone, [], [])
    assert vars(services) == vars(Services())


@pytest.mark.parametrize("undo", ["process_payment.undo", "reserve_stock.undo"])
async def test_a_saga_whose_undo_is_interrupted_leaves_nothing(undo: str) -> None:
    services = Services()

    outcome = await testing.run(
        payment_saga(PURCHASE),
        services={Services: services},
        fail={"confirm_order": NO, undo: [Unavailable("away"), LOST]},
    )

    assert outcome.undone == ["process_payment", "reserve_stock"]
    assert vars(services) == vars(Services())


async def test_a_letter_that_cannot_be_sent_refunds_nobody() -> None:
    services = Services()

    outcome = await testing.run(
        payment_saga(PURCHASE), services={Services: services}, fail={"send_email": NO}
    )

    assert (outcome.status, outcome.skipped) == ("completed", ["send_email"])
    assert [*services.charged.values()] == [120_000]
    assert [*services.paid] == ["ORD-1"]


@pytest.mark.parametrize("path", [node.path for node in payment_saga.plan.nodes])
async def test_a_saga_of_which_a_reply_is_lost_does_everything_once(path: str) -> None:
    services = Services()

    outcome = await testing.run(
        payment_saga(PURCHASE), services={Services: services}, fail={path: [LOST]}
    )

    assert outcome.is_completed
    assert outcome.done == ["reserve_stock", "process_payment", "confirm_order", "send_email"]
    assert [*services.reserved] == ["ORD-1/LAPTOP-01", "ORD-1/BAG-7"]
    assert [*services.charged.values()] == [120_000]
    assert [*services.letters.values()] == ["to ann: Order confirmed!"]


ORDER = Order("order-1", "CD-101", "Lagos", total=Money(2500, "USD"), shipping=Money(500, "USD"))
LETTERS = ["send_confirmation", "send_tracking"]
ASKED = [node.path for node in process_payment.plan.nodes if node.kind in {"query", "step"}]
EFFECTS = [node.path for node in process_payment.plan.nodes if node.undo]


class Processing:
    """One order of payment_processing.py, in memory: what it did, and what is left of it."""

    def __init__(self, folder: Path, order: Order = ORDER) -> None:
        self.order = order
        self.shop = Shop(order)
        self.done: list[str] = []
        self._books = folder / "gateway.books"

    def __call__(self, event: Event, /) -> None:
        if isinstance(event.fact, NodeDone):
            self.done.append(event.fact.node)

    async def outcome(self, **options: Any) -> Any:
        async with SandboxGateway(self._books) as gateway:
            services = {Shop: self.shop, Gateway: gateway}
            return await testing.run(self._call(), services=services, observers=[self], **options)

    async def undone(self) -> Any:
        """Return the outcome of taking everything back after it was done."""
        clock = testing.TurnableClock()
        async with SandboxGateway(self._books) as gateway:
            services = {Shop: self.shop, Gateway: gateway}
            engine = Engine(MemoryJournal(), services=services, observers=[self], clock=clock)
            async with engine:
                engine.serve(process_payment)
                run = await engine.start(self._call())
                await testing.finish(engine, clock, run.result())
                return await testing.finish(engine, clock, run.undo(reason="it was returned"))

    def _call(self) -> Call[Payment]:
        return process_payment(self.order.id, PaymentDetails(token=VISA), "customer-1")

    def money(self) -> tuple[int, int]:
        """Return what the gateway has of ours: what is held on cards, and what was taken."""
        sql = (
            "SELECT coalesce(sum(authorized - captured - voided), 0), "
            "coalesce(sum(captured - refunded), 0) FROM sandbox_payment"
        )
        with closing(apsw.Connection(str(self._books))) as books:
            return books.execute(sql).get


async def test_an_order_is_paid_and_shipped(tmp_path: Path) -> None:
    processing = Processing(tmp_path)

    outcome = await processing.outcome()

    assert (outcome.status, outcome.value.amount) == ("completed", ORDER.total)
    assert sorted(outcome.done) == sorted([*EFFECTS, *LETTERS])
    assert processing.money() == (0, 2500)
    assert (processing.shop.shipped, processing.shop.sold) == ({"order-1"}, {"order-1"})
    assert sorted(processing.shop.letters) == ["order-1: it is on its way", "order-1: it is paid"]


@pytest.mark.parametrize("failing", [path for path in ASKED if path not in LETTERS])
async def test_an_order_of_which_a_step_fails_leaves_nothing(failing: str, tmp_path: Path) -> None:
    processing = Processing(tmp_path)

    outcome = await processing.outcome(fail={failing: NO})

    assert (outcome.status, outcome.error) == ("failed", NO)
    assert outcome.undone == [path for path in reversed(processing.done) if path in EFFECTS]
    assert (outcome.left, outcome.kept) == ([], [])
    assert processing.money() == (0, 0)
    assert vars(processing.shop) == vars(Shop(ORDER))


async def test_an_order_whose_way_costs_more_than_promised_is_not_paid(tmp_path: Path) -> None:
    processing = Processing(tmp_path, replace(ORDER, shipping=Money(249, "USD")))

    outcome = await processing.outcome()

    assert str(outcome.error) == "2500 USD (minor units) do not cover order-1"
    assert sorted(outcome.undone) == ["authorize_payment", "reserve_items"]
    assert "capture_payment" not in processing.done
    assert processing.money() == (0, 0)


@pytest.mark.parametrize("path", EFFECTS)
async def test_an_order_of_which_a_reply_is_lost_is_paid_once(path: str, tmp_path: Path) -> None:
    processing = Processing(tmp_path)

    outcome = await processing.outcome(fail={path: [LOST]})

    assert outcome.is_completed
    assert processing.money() == (0, 2500)


@pytest.mark.parametrize("path", EFFECTS[:-1])
async def test_an_order_whose_undo_is_interrupted_leaves_nothing(path: str, tmp_path: Path) -> None:
    processing = Processing(tmp_path)

    script = {f"{path}.undo": [Unavailable("away"), LOST]}
    outcome = await processing.outcome(fail={**script, "update_inventory": NO})

    undoable = [done for done in reversed(processing.done) if done in EFFECTS]
    assert (outcome.undone, outcome.left) == (undoable, [])
    assert processing.money() == (0, 0)
    assert vars(processing.shop) == vars(Shop(ORDER))


async def test_an_order_that_is_taken_back_after_all_leaves_its_letters(tmp_path: Path) -> None:
    processing = Processing(tmp_path)

    outcome = await processing.undone()

    assert outcome.undone == [path for path in reversed(processing.done) if path in EFFECTS]
    assert (len(outcome.undone), sorted(outcome.kept)) == (len(EFFECTS), LETTERS)
    assert processing.money() == (0, 0)
    assert {**vars(processing.shop), "letters": {}} == vars(Shop(ORDER))


@pytest.mark.parametrize("letter", LETTERS)
async def test_a_letter_that_fails_leaves_the_order_shipped(letter: str, tmp_path: Path) -> None:
    processing = Processing(tmp_path)

    outcome = await processing.outcome(fail={letter: NO})

    assert (outcome.status, outcome.skipped) == ("completed", [letter])
    assert processing.money() == (0, 2500)


def test_no_letter_is_written_before_everything_else_is_done() -> None:
    nodes = process_payment.plan.nodes
    last = process_payment.plan.positions["update_inventory"]

    assert len(nodes) == 13
    assert [node.needs[-1] for node in nodes if node.path in LETTERS] == [last, last]
