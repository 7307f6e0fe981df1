"""Holding a key, as the decision core carries it out."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.happening.of_children import Parent
from makegood.decision.mail import Claim, LetGo, Mail, mail_of
from makegood.decision.state import Phase
from makegood.values.held import HELD, claim_id
from makegood.values.ids import RunId
from makegood.values.instants import Instant, after
from makegood.values.verdict import Failure, FailureKind
from tests.decision.driver import DECLINED, Run
from tests.decision.flow.messaging import GIVEN_UP_AFTER
from tests.decision.plans import Sketch, plan_of, step, wait_

RUN = RunId("run")
HELD_VALUE = Raw(b'{"key":"k"}')


def hold_(path: str, *needs: str, optional: bool = False) -> Sketch:
    sketch = wait_(path, *needs, optional=optional)
    return msgspec.structs.replace(sketch, node=msgspec.structs.replace(sketch.node, function=HELD))


CHARGE = plan_of(hold_("hold"), step("charge", "hold", undo=True), step("ship", "charge"))


def granted(run: Run, node: str = "hold", *, since: Instant) -> None:
    """Let the run be told that it holds the key."""
    id = claim_id(node, since)
    run.turn(facts.MessageCame(id, HELD, "k", HELD_VALUE, since, run.now))


def said(run: Run) -> list[Mail]:
    return [mail for append in run.history for mail in mail_of(run.state, RUN, append)]


def claim(since: Instant, node: str = "hold") -> Claim:
    return Claim(claim_id(node, since), "k", RUN, since)


def test_a_key_is_claimed_and_what_follows_begins_when_it_is_granted() -> None:
    run = Run(CHARGE, {})
    began = run.now
    assert (run.node("hold").phase, run.at_work) == (Phase.LISTENING, [])
    assert said(run) == [claim(began)]

    granted(run, since=began)

    assert run.at_work == ["charge"]
    assert run.state.results[0] == HELD_VALUE


def test_a_key_is_let_go_when_the_run_has_completed() -> None:
    run = Run(CHARGE, {})
    began = run.now
    granted(run, since=began)

    run.play()

    assert run.state.status == "completed"
    assert said(run) == [claim(began), LetGo("k")]


def test_a_key_is_held_until_all_is_undone() -> None:
    run = Run(CHARGE, {"ship": [DECLINED]})
    began = run.now
    granted(run, since=began)
    run.end("charge")
    run.end("ship")
    assert run.at_work == ["charge undo"]
    assert said(run) == [claim(began)]

    run.play()

    assert run.state.status == "failed"
    assert said(run) == [claim(began), LetGo("k")]


def test_a_hold_whose_time_is_over_fails_and_gives_up_its_claim() -> None:
    run = Run(CHARGE, {})
    began = run.now

    run.now = after(run.now, GIVEN_UP_AFTER)
    run.turn()

    failure = Failure(
        kind=FailureKind.PERMANENT,
        type="makegood.errors.HoldTimedOut",
        message="others held 'k' until the time to wait for it was over",
    )
    assert facts.NodeFailed("hold", failure, run.now) in run.recorded
    assert run.state.status == "failed"
    assert said(run) == [claim(began), LetGo("k", claim_id("hold", began)), LetGo("k")]


def test_what_is_granted_after_the_claim_was_given_up_is_no_other_claims() -> None:
    """The one was on its way when the other began to wait for the same key."""
    run = Run(plan_of(hold_("a", optional=True), hold_("b", "a"), step("charge", "b")), {})
    began = run.now
    run.now = after(run.now, GIVEN_UP_AFTER)
    run.turn()
    again = run.now
    assert run.node("b").phase is Phase.LISTENING

    granted(run, "a", since=began)

    assert (run.node("b").phase, run.at_work) == (Phase.LISTENING, [])
    # It is not given back as a message is: with the claim it was let go.
    assert said(run) == [claim(began, "a"), LetGo("k", claim_id("a", began)), claim(again, "b")]

    granted(run, "b", since=again)
    assert run.at_work == ["charge"]


def test_a_run_that_is_cancelled_while_it_waits_gives_up_its_claim() -> None:
    run = Run(CHARGE, {})
    began = run.now

    run.turn(facts.CancelRequested(1, "ann", "not needed", run.now))

    assert run.state.status == "cancelled"
    assert said(run) == [claim(began), LetGo("k", claim_id("hold", began)), LetGo("k")]


def test_a_child_claims_for_the_run_with_which_its_tree_began() -> None:
    run = Run(CHARGE, {})
    (first, *_) = run.history
    started = next(fact for fact in first if isinstance(fact, facts.RunStarted))
    root = RunId("root")
    parent = Parent(RunId("caller"), "call")
    child = msgspec.structs.replace(started, root=root, parent=parent, depth=2)
    state = fold(CHARGE, [child, *(fact for fact in first if fact is not started)])

    claims = mail_of(state, RUN, [fact for fact in first if isinstance(fact, facts.WaitBegan)])
    assert [each.root for each in claims if isinstance(each, Claim)] == [root]
