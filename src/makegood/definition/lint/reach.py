"""Which rules look at what is never reached, never over, or never used."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

import msgspec

from makegood.definition.lint.finding import Found
from makegood.definition.lint.machines import is_deaf, stands_for_ever
from makegood.definition.plan import (
    DEFAULT,
    Branch,
    Constant,
    FromInput,
    FromNode,
    FromRound,
    Items,
    Kind,
    Node,
    Pairs,
    Source,
)
from makegood.definition.reading.fit import possible_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.definition.lint.subject import Seen, Subject

__all__ = ["is_unreachable", "is_unused", "sleeps_past_deadline", "waits_for_ever"]


def is_unused(subject: Subject) -> Iterator[Found]:
    """Find inputs that change nothing."""
    plan = subject.plan
    used = {source.name for whole in _taken_by(plan.nodes) for source in _within(whole)}
    used.update(source.name for source in _within(plan.returns))
    used.update(subject.offered)
    for item in plan.inputs:
        if item.name not in used:
            yield Found(
                sentence=(
                    f"`{plan.workflow}` does not use its input `{item.name}`; pass it on, or drop "
                    "it"
                ),
                place=subject.place,
            )


def is_unreachable(subject: Subject) -> Iterator[Found]:
    """Find what never happens, whatever the inputs are."""
    yield from is_deaf(subject)
    for level in subject.levels:
        failing = _only_failing(level)
        for place, seen in enumerate(level):
            if seen.node.kind is Kind.SWITCH:
                for label, why in _dead_cases(level, place):
                    yield _never(seen, f"the case `{label}` of `{seen.path}` never happens: {why}")
            around = [*_switches_around(level, seen.node)]
            for needed in seen.node.needs:
                if needed in failing and needed not in around:
                    yield _never(
                        seen,
                        f"`{seen.path}` never happens: `{level[needed].path}`, for which it waits, "
                        "only fails",
                    )


def waits_for_ever(subject: Subject) -> Iterator[Found]:
    """Find a wait that nothing ends but its message: neither its own time nor the run's."""
    yield from stands_for_ever(subject)
    if subject.plan.deadline is not None:
        return
    for seen in subject.everything:
        if seen.node.kind is Kind.WAIT and all(
            argument.name != "within" or argument.source == Constant("null")
            for argument in seen.node.arguments
        ):
            yield Found(
                sentence=(
                    f"`{seen.path}` waits for ever, and so does all that was done before it; give "
                    "it within=…, or the workflow a deadline="
                ),
                place=seen.origin.place,
                path=seen.path,
                recipe=seen.recipe,
            )


def sleeps_past_deadline(subject: Subject) -> Iterator[Found]:
    """Find a sleep in which the run's deadline is certain to pass."""
    deadline = subject.plan.deadline
    if deadline is None:
        return
    for seen in subject.everything:
        if seen.node.kind is not Kind.SLEEP:
            continue
        for argument in seen.node.arguments:
            match argument.name, argument.source:
                case "duration", Constant(json) if json != "null":
                    duration = msgspec.json.decode(json, type=timedelta)
                    if duration >= deadline:
                        yield Found(
                            sentence=(
                                f"`{seen.path}` sleeps for {duration}, but the run may take "
                                f"{deadline}, so it only fails; raise deadline=, or sleep less"
                            ),
                            place=seen.origin.place,
                            path=seen.path,
                            recipe=seen.recipe,
                        )
                case _:
                    continue


def _never(seen: Seen, sentence: str) -> Found:
    return Found(
        sentence=f"{sentence}; remove it",
        place=seen.origin.place,
        path=seen.path,
        recipe=seen.recipe,
    )


def _dead_cases(level: Sequence[Seen], place: int) -> Iterator[tuple[str, str]]:
    """Give the cases of a switch that no value can take, each with the reason."""
    seen = level[place]
    labels = [case.label for case in seen.node.cases]
    possible = possible_values(seen.origin.chooses_by)
    if DEFAULT in labels and possible is not None and len(possible) < len(labels):
        yield DEFAULT, "every value has a case of its own"
    branch = seen.node.branch
    while branch is not None:
        outer = level[branch.node]
        if outer.node.arguments[0].source == seen.node.arguments[0].source:
            taken = {case.label for case in outer.node.cases} - {DEFAULT}
            for label in labels:
                if label != DEFAULT and branch.case == DEFAULT and label in taken:
                    yield label, f"`{outer.path}` has taken that value to another case"
                elif branch.case not in (DEFAULT, label):
                    yield label, f"it stands in the case `{branch.case}` of `{outer.path}`"
            return
        branch = outer.node.branch


def _only_failing(level: Sequence[Seen]) -> frozenset[int]:
    """Return the nodes that only fail: they are declared to, or all that they could do does."""
    found: set[int] = set()
    failing: set[Branch] = set()
    # What is in a branch comes after its switch, and so is known before it is asked about.
    for place, seen in reversed([*enumerate(level)]):
        match seen.node.kind:
            case Kind.EXPECT:
                fails = seen.node.function == "fail"
            case Kind.SWITCH:
                fails = all(Branch(place, case.label) in failing for case in seen.node.cases)
            case Kind.REPEAT:
                own = _only_failing(seen.inside)
                fails = any(seen.inside[inner].node.branch is None for inner in own)
            case _:
                continue
        if fails:
            found.add(place)
            if seen.node.branch is not None:
                failing.add(seen.node.branch)
    return frozenset(found)


def _switches_around(level: Sequence[Seen], node: Node) -> Iterator[int]:
    branch = node.branch
    while branch is not None:
        yield branch.node
        branch = level[branch.node].node.branch


def _taken_by(nodes: tuple[Node, ...]) -> Iterator[Source | None]:
    """Find what nodes take, and what their branches and their rounds take and give."""
    for node in nodes:
        yield from (item.source for item in node.arguments)
        yield node.when
        yield node.otherwise
        yield from (case.returns for case in node.cases)
        if node.block is not None:
            yield node.block.returns
            yield from _taken_by(node.block.nodes)


def _within(source: Source | None) -> Iterator[FromInput]:
    match source:
        case FromInput():
            yield source
        case Items(items):
            for item in items:
                yield from _within(item)
        case Pairs(pairs):
            for _, item in pairs:
                yield from _within(item)
        case FromNode() | FromRound() | Constant() | None:
            return
        case _:
            assert_never(source)
