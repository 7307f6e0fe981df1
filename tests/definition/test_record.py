"""A step's record: which declarations are refused, and what of it stands in the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from makegood import Abort, Failure, Record, Verdict, injected, step, workflow
from makegood.definition.plan import Plan, fingerprint_of

if TYPE_CHECKING:
    from tests.definition.conftest import Declare


class Hold(msgspec.Struct, frozen=True):
    id: str


async def reserve(order: str, *, record: Record[Hold] = injected) -> str:
    return order


async def reserve_plainly(order: str) -> str:
    return order


async def free(done: str, *, recorded: Hold | None = injected) -> None: ...


async def find(failure: Failure, *, recorded: Hold | None = injected) -> Verdict[str]:
    return Abort()


RECORDING = """
from makegood.values.injectable import Record

async def take(order: Order, *, record: Record[Hold] = injected) -> str: ...
"""

REFUSED = {
    "an undo that reads what nobody records": (
        "async def back(h: Hold, *, recorded: Hold = injected) -> None: ...  # wrong\n"
        "step(hold_money, undo=back)\n",
        "takes `recorded: Hold`, but nothing is recorded; give `hold_money` a "
        "`record: Record[Hold] = injected`, or a service another name",
    ),
    "an undo that reads another type": (
        "async def back(h: str, *, recorded: Letter = injected) -> None: ...  # wrong\n"
        "step(take, undo=back)\n",
        "takes `recorded: Letter`, but Hold is what is recorded; give both the same type",
    ),
    "a compensate that reads another type": (
        "async def ask(f: Failure, *, recorded: Letter | None = injected)"
        " -> Verdict[str]: ...  # wrong\n"
        "step(take, irreversible='x', compensate=ask)\n",
        "takes `recorded: Letter | None`, but Hold is what is recorded",
    ),
    "an undo that records another type": (
        "async def back(h: str, *, record: Record[Letter] = injected) -> None: ...  # wrong\n"
        "step(take, undo=back)\n",
        "records Letter, but Hold is recorded too; a step and its remedies share one record",
    ),
    "two records in one function": (
        "async def f(o: Order, *, a: Record[Hold] = injected, b: Record[Hold] = injected)"
        " -> Hold: ...  # wrong\n"
        "step(f, irreversible='x')\n",
        "injects `a` and `b`; a step has one record: keep one of them",
    ),
    "a record of what has no codec": (
        "async def f(o: Order, *, record: Record[Bank] = injected) -> Hold: ...  # wrong\n"
        "step(f, irreversible='x')\n",
        "records what has no codec: Bank cannot be carried",
    ),
    "a record of nothing in particular": (
        "async def f(o: Order, *, record: Record = injected) -> Hold: ...  # wrong\n"
        "step(f, irreversible='x')\n",
        "injects `record: Record`; say what it stores, as in `Record[Hold]`",
    ),
    "a record that is an argument": (
        "async def f(o: Order, record: Record[Hold]) -> Hold: ...  # wrong\n"
        "step(f, irreversible='x')\n",
        "write `*, record: Record[Hold] = injected`",
    ),
    "a query that records": (
        "async def f(o: Order, *, record: Record[Hold] = injected) -> Hold: ...  # wrong\n"
        "query(f)\n",
        "takes Record[Hold], but a query only asks; declare it as step(…)",
    ),
    "a local step that records": (
        "async def f(o: Order, *, t: Transaction = injected, record: Record[Hold] = injected)"
        " -> Hold: ...  # wrong\n"
        "step(f, irreversible='x')\n",
        "it is one commit with its result; return what its undo needs",
    ),
    "a local undo that records": (
        "async def back(h: str, *, t: Transaction = injected, record: Record[Hold] = injected)"
        " -> None: ...  # wrong\n"
        "step(take, undo=back)\n",
        "takes a Transaction, so it cannot await `record`; take one or the other",
    ),
    "a thread that records": (
        "def f(o: Order, *, record: Record[Hold] = injected) -> Hold: ...\nthreaded(f)  # wrong\n",
        "takes a Record as `record`, which a thread cannot await; return what its undo needs",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_record_is_refused(declare: Declare, name: str) -> None:
    source, remedy = REFUSED[name]

    problems = declare.refused(RECORDING + source)

    assert any(remedy in problem for problem in problems), problems


def test_a_local_undo_may_read_what_its_step_recorded(declare: Declare) -> None:
    declared = declare(
        RECORDING
        + "async def back(h: str, *, t: Transaction = injected, recorded: Hold = injected)"
        + " -> None: ...\nheld = step(take, undo=back)\n"
    )

    assert declared.held.recipe.node.undo.local
    assert declared.held.recipe.node.record == "Hold"


def test_the_undo_alone_may_have_the_record() -> None:
    async def back(done: str, *, record: Record[Hold] = injected) -> None: ...

    assert step(reserve_plainly, undo=back).recipe.node.record == "Hold"


def plan_with(record: bool) -> Plan:  # noqa: FBT001 - one of two plans
    body = reserve if record else reserve_plainly

    @workflow
    def ordering(order: str) -> str:
        return step(body, name="reserve", irreversible="test")(order)

    node = msgspec.structs.replace(ordering.plan.nodes[0], function="reserve")
    return msgspec.structs.replace(ordering.plan, nodes=(node,))


def test_what_is_recorded_is_part_of_the_plan_and_of_its_fingerprint() -> None:
    recording, plain = plan_with(record=True), plan_with(record=False)

    assert (recording.nodes[0].record, plain.nodes[0].record) == ("Hold", None)
    assert fingerprint_of(recording) != fingerprint_of(plain)


def test_a_record_is_no_service_and_neither_is_what_was_recorded() -> None:
    @workflow
    def ordering(order: str) -> str:
        return step(reserve, undo=free, compensate=find)(order)

    assert ordering.code.needs() == frozenset()
