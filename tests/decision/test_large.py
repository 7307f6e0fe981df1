"""A turn costs in proportion to what became ready or is undone, and not to what the plan holds.

The cost is counted and not timed. So many nodes more have so many turns more: when these take the
same work whether there are few nodes already or many, no turn looks at all of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from makegood.decision import facts
from makegood.decision.evolve import fold
from tests.decision.driver import DECLINED, TRANSIENT, Run
from tests.decision.plans import each_, plan_of, step
from tests.instructions import instructions_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.definition.plan import Plan

NODES = 24
TIMES_MAX = 1.05
"""By how much it may grow: a node is found among others in a few steps more."""


def chain_of(nodes: int) -> Plan:
    return plan_of(*(step(f"n{n}", *([f"n{n - 1}"] if n else []), undo=True) for n in range(nodes)))


def finish(run: Run) -> None:
    while run.work:
        run.end(run.work[0])


def one_after_the_other(nodes: int) -> Run:
    return Run(chain_of(nodes))


def all_at_once(nodes: int) -> Run:
    return Run(plan_of(*(step(f"n{n}") for n in range(nodes))))


def back_from_the_end(nodes: int) -> Run:
    return Run(chain_of(nodes), {f"n{nodes - 1}": [DECLINED]})


def back_while_the_others_are_at_work(nodes: int) -> Run:
    return Run(plan_of(*(step(f"n{n}", undo=True) for n in range(nodes))), {"n0": [DECLINED]})


def again_from_the_beginning(nodes: int) -> Run:
    run = Run(chain_of(nodes))
    while run.at_work != [f"n{nodes - 1}"]:
        run.end(run.work[0])
    run.end(run.work[0], outcome=TRANSIENT)
    run.posts += 1
    run.turn(facts.RetryFromRequested(run.posts, "n0", "eve", "it was wrong", run.now))
    assert run.state.status == "undoing"
    return run


def rounds_that_fail(nodes: int) -> Run:
    rounds = each_("all", block=(step("pay", undo=True), step("ship", "pay")), keeps=True)
    script = {"all items": [str(nodes)]}
    failing = {f"all[{n}]/ship": [DECLINED] for n in range(0, nodes, 2)}
    return Run(plan_of(rounds), script | failing)


@pytest.mark.parametrize(
    "begun",
    [
        one_after_the_other,
        all_at_once,
        back_from_the_end,
        back_while_the_others_are_at_work,
        again_from_the_beginning,
        rounds_that_fail,
    ],
)
def test_what_a_node_costs_does_not_depend_on_how_many_there_are(
    begun: Callable[[int], Run],
) -> None:
    few, more, most = (
        instructions_of(partial(finish, begun(times * NODES))) for times in (1, 2, 3)
    )

    assert most - more < TIMES_MAX * (more - few)


@pytest.mark.parametrize("begun", [one_after_the_other, back_from_the_end, rounds_that_fail])
def test_a_restart_folds_each_fact_at_the_same_cost(begun: Callable[[int], Run]) -> None:
    def folded(nodes: int) -> int:
        run = begun(nodes)
        finish(run)
        return instructions_of(partial(fold, run.plan, run.recorded))

    few, more, most = (folded(times * NODES) for times in (1, 2, 3))

    assert most - more < TIMES_MAX * (more - few)
