"""What `hold` declares, and what it refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood.definition.flow.holding import hold
from makegood.definition.flow.messaging import send
from makegood.definition.plan import Kind
from makegood.definition.workflow import workflow
from makegood.errors import DefinitionError
from makegood.values.held import HELD, Held

if TYPE_CHECKING:
    from makegood.definition.plan import Node

DAY = timedelta(days=1)


def test_a_hold_is_a_wait_for_what_the_journal_grants() -> None:
    @workflow
    def move(account: str, other: str) -> Held:
        first = hold(account, within=DAY)
        return hold.named("to").after(first)(other, within=DAY)

    def shown(node: Node) -> tuple[object, ...]:
        return node.path, node.kind, node.function, node.returns, node.needs

    assert [shown(node) for node in move.plan.nodes] == [
        ("hold", Kind.WAIT, HELD, "Held", ()),
        ("to", Kind.WAIT, HELD, "Held", (0,)),
    ]
    assert repr(hold.named("to")) == "<to(key, within)>"


def test_a_hold_is_not_guarded() -> None:
    with pytest.raises(DefinitionError, match=r"hold\(…\) is not guarded by .when\(…\)"):
        hold.when(True)


def test_a_hold_stands_in_a_workflow() -> None:
    with pytest.raises(DefinitionError, match=r"hold\(…\) is called"):
        hold("a", within=DAY)


def test_what_is_granted_is_never_sent() -> None:
    with pytest.raises(DefinitionError, match="`Held` is granted and never sent"):

        @workflow
        def pretend(account: str) -> None:
            held = hold(account, within=DAY)
            send(held, key=account)
