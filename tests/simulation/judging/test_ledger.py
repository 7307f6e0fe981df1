"""What a run's facts alone give away: each rule is broken by some facts, and kept by others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.simulation.judging.ledger import Ledger

Fact = dict[str, Any]

STARTED = {"type": "run_started"}
BACK = {"type": "rollback_began", "cause": "error"}
COMPLETED = {"type": "run_ended", "status": "completed", "cause": None, "rollback": "none"}
FAILED = {"type": "run_ended", "status": "failed", "cause": "error", "rollback": "undone"}
REVERSED = {"type": "rollback_began", "cause": "reversed"}
CANCEL = {"type": "cancel_requested", "post": 1}


def of(kind: str, node: str, **more: object) -> Fact:
    return {"type": kind, "node": node, **more}


def begun(node: str) -> Fact:
    return of("node_started", node)


def done(node: str) -> tuple[Fact, Fact]:
    return begun(node), of("node_done", node, result=f"{node} done")


def undone(node: str) -> tuple[Fact, Fact]:
    return of("undo_started", node), of("undo_done", node)


def answered(answer: str) -> Fact:
    return {"type": "control_answered", "post": 1, "answer": answer}


def broken_by(*facts: Fact) -> set[str]:
    """Return the rules that these facts break, one append each."""
    broken: set[str] = set()
    ledger = Ledger("place_order", lambda rule, _what: broken.add(rule))
    for fact in facts:
        ledger.read(msgspec.json.encode([fact]))
    return broken


@pytest.mark.parametrize(
    "facts",
    [
        (*done("reserve"), *done("ship"), COMPLETED),
        (*done("reserve"), *done("ship"), BACK, *undone("ship"), *undone("reserve"), FAILED),
        (begun("reserve"), {"type": "claimed"}, *done("reserve"), COMPLETED),
        (
            begun("capture"),
            of("node_failed", "capture"),
            of("compensate_started", "capture"),
            of("verdict_given", "capture", verdict={"type": "abort"}),
            of("node_gave_up", "capture"),
            BACK,
            FAILED,
        ),
        (begun("letter"), of("node_skipped", "letter", reason="in doubt"), COMPLETED),
        (*done("reserve"), COMPLETED, CANCEL, answered("too late")),
        (*done("reserve"), COMPLETED, REVERSED, *undone("reserve"), FAILED),
        (*done("letter"), BACK, of("node_kept", "letter"), FAILED),
    ],
    ids=[
        "completed",
        "undone",
        "interrupted",
        "asked about",
        "skipped",
        "too late",
        "reversed",
        "kept",
    ],
)
def test_facts_that_may_be_break_no_rule(facts: tuple[Fact, ...]) -> None:
    assert broken_by(STARTED, *facts) == set()


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("nothing is begun twice at once", (begun("ship"), begun("ship"))),
        ("nothing is begun twice at once", (*done("ship"), begun("ship"))),
        ("nothing new begins on the way back", (BACK, begun("ship"))),
        (
            "what is recorded is never recorded anew",
            (*done("ship"), of("node_done", "ship", result="other")),
        ),
        ("nothing is undone in doubt", (*done("reserve"), begun("ship"), BACK, *undone("reserve"))),
        (
            "nothing is undone in doubt",
            (*done("reserve"), begun("ship"), of("node_failed", "ship"), BACK, *undone("reserve")),
        ),
        (
            "undone in reverse order",
            (*done("reserve"), *done("ship"), BACK, *undone("reserve"), *undone("ship")),
        ),
        (
            "undone in reverse order",
            (*done("reserve"), BACK, *undone("reserve"), *undone("reserve")),
        ),
        (
            "one undo at a time",
            (
                *(*done("reserve"), *done("ship"), BACK),
                *(of("undo_started", "ship"), of("undo_started", "reserve")),
            ),
        ),
        ("only a rollback undoes", (*done("reserve"), *undone("reserve"))),
        ("behind the pivot nothing is undone", (*done("issue"), BACK)),
        ("everything done is undone", (*done("reserve"), BACK, FAILED)),
        ("everything done is undone", (*done("reserve"), BACK, of("node_kept", "reserve"))),
        ("nothing is at work at the end", (begun("ship"), COMPLETED)),
        ("what has ended stays ended", (COMPLETED, begun("ship"))),
        ("what has ended stays ended", (BACK, FAILED, BACK)),
        ("what has ended stays ended", (COMPLETED, COMPLETED)),
        ("what has ended stays ended", (COMPLETED, of("moved_on", ""), begun("ship"))),
        ("every request is answered once", (answered("accepted"),)),
        ("every request is answered once", (CANCEL, answered("accepted"), answered("accepted"))),
        ("an answer is true", (CANCEL, answered("too late"))),
    ],
)
def test_facts_that_may_not_be_break_their_rule(rule: str, facts: tuple[Fact, ...]) -> None:
    assert rule in broken_by(STARTED, *facts)
