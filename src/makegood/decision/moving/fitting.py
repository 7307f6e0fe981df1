"""Whether a run that began under one plan can go on under another: its facts, folded under both.

A fact names its node by its path, so the facts of a run can be folded under a plan that they were
not made for. They fit it when each of them could have been decided there, too. That is so when the
node that it is about stood, just before, where it stood under the plan for which it was decided,
and when the two plans say the same of it where that is still of use: what it is, the type of its
result, that it can be undone. What has not begun may be anything. Of the record of a lifecycle it
counts where it stands (`standing`), and not how it came there.

    old plan   reserve ── charge ── ship
    facts      reserve done, charge started
    new plan   reserve ── charge ── wrap ── ship      fits: nothing is known of what comes after
    new plan   reserve ── check ── charge ── ship     does not: charge began without a check

Nothing is decided here, and no value is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec
from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.evolve import evolve
from makegood.decision.facts import EndStatus, SkipReason
from makegood.decision.moving.standing import (
    misfit_of_call,
    misfit_of_giving_up,
    misfit_of_gone,
    misfit_of_standing,
)
from makegood.decision.state import TO_COME, Phase, RunState
from makegood.definition.plan import (
    BLOCK_SPAN,
    Constant,
    FromInput,
    FromNode,
    FromRound,
    Items,
    Kind,
    Pairs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.decision.facts import Fact
    from makegood.definition.plan import Node, Plan, Source

__all__ = ["Misfit", "misfit_of", "named"]

_OVER = frozenset({Phase.DONE, Phase.SKIPPED, Phase.STOPPED, Phase.UNDONE, Phase.KEPT, Phase.LEFT})
"""Phases of a node whose body is not called any more, whatever becomes of the run."""

_ASKED = frozenset(
    {
        Phase.ASKING,
        Phase.ASK_FAILED,
        Phase.ASK_INTERRUPTED,
        Phase.ANSWERED,
        Phase.ASK_AGAIN,
    }
)
"""Phases of a node of whose compensate something is awaited."""


_GIVEN_ONCE = frozenset(
    {
        Kind.QUERY,
        Kind.PURE,
        Kind.EXPECT,
        Kind.NOTE,
        Kind.SWITCH,
        Kind.SLEEP,
        Kind.EACH,
        Kind.REPEAT,
    }
)
"""Kinds of nodes that have no effect, or that have recorded what they were given."""


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run cannot go on under another plan."""

    sentence: str
    """What differs, in words."""
    position: int
    """Which of the run's facts is the first that does not fit, counted from 1."""
    fact: str
    """The kind of that fact."""
    node: str | None = None
    """The path of the node that it is about."""


def misfit_of(old: Plan, new: Plan, history: Iterable[Fact]) -> Misfit | None:
    """Return the first fact of a run under `old` that does not fit `new`; None: it can go on."""
    fitting = _Fitting(old, new)
    position, fact = 0, None
    for position, fact in enumerate(history, 1):
        sentence = fitting.misfit(fact)
        if sentence is not None:
            return replace(named(fact, position), sentence=sentence)
        fitting.fold(fact)
    sentence = fitting.misfit_at_the_end()
    if sentence is None or fact is None:
        return None
    return replace(named(fact, position), sentence=sentence)


def named(fact: Fact, position: int) -> Misfit:
    """Return a misfit that names a fact, and has no sentence yet."""
    kind = type(fact).__struct_config__.tag
    return Misfit(
        sentence="",
        position=position,
        fact=str(kind).replace("_", " "),
        node=getattr(fact, "node", None),
    )


class _Fitting:
    """A run's facts, folded under two plans side by side."""

    def __init__(self, old: Plan, new: Plan) -> None:
        self.old_plan, self.new_plan = old, new
        self.old, self.new = RunState(old), RunState(new)

    def fold(self, fact: Fact) -> None:
        """Fold a fact that fits."""
        evolve(self.old, fact)
        evolve(self.new, fact)

    def misfit(self, fact: Fact) -> str | None:
        """Say why a fact does not fit the new plan, or None when it does."""
        match fact:
            case facts.RunStarted():
                return self._other_run(fact)
            case facts.RunEnded(status=EndStatus.COMPLETED) | facts.Returned():
                return self._unfinished()
            case _:
                path: str | None = getattr(fact, "node", None)
                # What a person asks for may name a node that never was.
                if path is None or path not in self.old.positions:
                    return None
                return self._other_node(path, fact)

    def _other_run(self, fact: facts.RunStarted) -> str | None:
        old, new = self.old_plan, self.new_plan
        if new.workflow != fact.workflow:
            return f"the run is one of `{fact.workflow}`, and not of `{new.workflow}`"
        if new.version != old.version:
            return f"the run is of {_version(old)}, and not of {_version(new)}"
        types = {item.name: item.type for item in old.inputs}
        for item in new.inputs:
            if item.name not in fact.inputs:
                return f"the run was not given the input `{item.name}`, which is taken now"
            if types.get(item.name) != item.type:
                return f"the input `{item.name}` was {types.get(item.name)}, and is {item.type} now"
        return None

    def _unfinished(self) -> str | None:
        if not self.new.unended:
            return None
        missing = next(
            node.path
            for node, state in zip(self.new.graph, self.new.nodes, strict=True)
            if state.phase in TO_COME
        )
        return f"the run has come to its end, and `{missing}`, which is new, has not happened"

    def _other_node(self, path: str, fact: Fact) -> str | None:
        there = self.new.positions.get(path)
        if there is None:
            return f"`{path}` has begun, and does not exist any more"
        here = self.old.positions[path]
        old, new = self.old.graph[here], self.new.graph[there]
        is_gone = _is_gone(self.old, here) or _is_gone(self.new, there)
        why = None if is_gone else _differs(old, new)
        if why is not None:
            return why
        if self.new.nodes[there].phase is not self.old.nodes[here].phase:
            return self._out_of_order(path, there)
        return None if is_gone else self._other_outcome(fact, here, there)

    def _other_outcome(self, fact: Fact, here: int, there: int) -> str | None:
        """Say why what came of a node could not have come of it under the new plan."""
        old, new = self.old.graph[here], self.new.graph[there]
        path = old.path
        match fact:
            case facts.Chosen(case=case) if case not in {each.label for each in new.cases}:
                return f"`{path}` has chosen the case `{case}`, which does not exist any more"
            case facts.NodeSkipped(reason=SkipReason.GUARD) if new.when is None:
                return f"`{path}` was skipped by its guard, and has none any more"
            case facts.NodeSkipped(reason=SkipReason.OPTIONAL | SkipReason.IN_DOUBT) if (
                not new.optional
            ):
                return f"`{path}` was skipped, and is not optional any more"
            case facts.NodeDone() if new.kind is Kind.SWITCH:
                return self._other_value(path, here, there)
            case facts.HandlingBegan():
                return misfit_of_call(fact, old, new)
            case facts.NodeGaveUp():
                return misfit_of_giving_up(path, self.old_plan.machine, self.new_plan.machine)
            case facts.Recorded() if old.record != new.record:
                return f"`{path}` has recorded {old.record}, and records {new.record} now"
            case facts.UndoStarted() if _undo_name(old) != _undo_name(new):
                return (
                    f"`{path}` is being undone by {_undo_name(old)}, which is {_undo_name(new)} now"
                )
            case _:
                return None

    def _out_of_order(self, path: str, there: int) -> str:
        for needed in self.new.graph[there].needs:
            if self.new.nodes[needed].phase not in _OVER | {Phase.CHOSEN}:
                return (
                    f"`{path}` has begun, and waits for `{self.new.graph[needed].path}` now, which "
                    "has not happened"
                )
        for case in self.new.graph[there].cases:
            for inside in self.new.branches[there, case.label]:
                if self.new.nodes[inside].phase not in _OVER:
                    return (
                        f"`{path}` is over, and has `{self.new.graph[inside].path}` now, which has "
                        "not happened"
                    )
        return f"`{path}` has come further than it could have now"

    def _other_value(self, path: str, here: int, there: int) -> str | None:
        """Say that a switch that is over would give something else."""
        case = self.old.nodes[here].case
        old, new = (
            next(each.returns for each in state.graph[at].cases if each.label == case)
            for state, at in ((self.old, here), (self.new, there))
        )
        if self._named(old, self.old, here) != self._named(new, self.new, there):
            return f"the case `{case}` of `{path}` gives something else now"
        return None

    def misfit_at_the_end(self) -> str | None:
        """Say why what has begun and is not over cannot go on, or None when it can."""
        why = misfit_of_gone(self.old, self.new)
        if why is not None:
            return why
        for here, state in enumerate(self.old.nodes):
            if state.phase in TO_COME | _OVER:
                continue
            path = self.old.graph[here].path
            there = self.new.positions[path]
            new = self.new.graph[there]
            if state.phase in _ASKED and new.compensate is None:
                return f"`{path}` is being asked about, and has no compensate any more"
            if new.kind not in _GIVEN_ONCE and (
                self._given(self.old, here) != self._given(self.new, there)
            ):
                return f"`{path}` has begun, and would be given something else now"
        return misfit_of_standing(self.old, self.new)

    def _given(self, state: RunState, index: int) -> list[tuple[str, str, object]]:
        """Return what a node is given, in names that mean the same under both plans."""
        return [
            (item.name, item.type, self._named(item.source, state, index))
            for item in state.graph[index].arguments
        ]

    def _named(self, source: Source, state: RunState, index: int) -> object:
        """Return a source with paths in the place of numbers."""
        match source:
            case FromNode(node, path):
                return "node", self._path_of(node, state, index), path
            case FromRound(_, path):
                return "round", path
            case FromInput(name, path):
                return "input", name, path
            case Constant(json):
                return "constant", json
            case Items(items, kind):
                return kind, tuple(self._named(each, state, index) for each in items)
            case Pairs(pairs):
                return tuple((key, self._named(each, state, index)) for key, each in pairs)
            case _:
                assert_never(source)

    def _path_of(self, number: int, state: RunState, index: int) -> str:
        block, place = divmod(number, BLOCK_SPAN)
        scope = state.scopes.get(index)
        while block and scope is not None and scope.block.number != block:
            scope = scope.outer
        return state.graph[place if scope is None or not block else scope.base + place].path


def _is_gone(state: RunState, index: int) -> bool:
    """Say whether a node is the call of a handler of which the plan knows no more."""
    return state.lifecycle is not None and index in state.lifecycle.gone


def _differs(old: Node, new: Node) -> str | None:
    """Say what two plans say differently of a node that has begun, or None."""
    path = old.path
    if old.kind is not new.kind:
        return f"`{path}` was a {old.kind}, and is a {new.kind} now"
    if old.returns != new.returns:
        return f"`{path}` gave {old.returns}, and gives {new.returns} now"
    if old.pivot is not new.pivot:
        was, now = ("", "not ") if old.pivot else ("not ", "")
        return f"`{path}` was {was}the pivot, and is {now}now"
    if old.undo is not None and new.undo is None:
        return f"`{path}` could be undone by {old.undo.function}, and has no undo any more"
    return None


def _undo_name(node: Node) -> str | None:
    return None if node.undo is None else node.undo.function


def _version(plan: Plan) -> str:
    return "no version" if plan.version is None else f"version {plan.version}"
