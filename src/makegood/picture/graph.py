"""What every drawing needs to know of a plan: its arrows, and each node's policy in words.

An arrow says what must have ended before. Those that follow from others are left out: of
a → b → c and a → c only the first two are drawn. What follows a switch follows the last nodes of
its branches; the node of an each or of a repeat holds those of its block, or of its rounds.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from makegood.definition.lifecycle.builder import Lifecycle
from makegood.definition.plan import (
    BLOCK_SPAN,
    Block,
    Branch,
    Constant,
    FromInput,
    FromNode,
    FromRound,
    Items,
    Kind,
    Node,
    Pairs,
    Plan,
    Source,
)
from makegood.picture import words
from makegood.picture.story import Standing, Timeline
from makegood.picture.telling.of_mail import awaited, sent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.definition.workflow import Workflow

__all__ = [
    "Arrow",
    "Drawn",
    "Held",
    "Whole",
    "arrows",
    "called",
    "ends",
    "guard",
    "leaves",
    "limits",
    "plan_of",
    "remedies",
    "resolved",
    "shown",
    "sources",
    "sub_path",
    "whole_of",
]


# Any: a workflow is drawn whatever it takes and returns.
Drawn: TypeAlias = "Plan | Workflow[..., Any] | Lifecycle[Any, Any] | Timeline"
"""What can be drawn: a plan, or a run as it was carried out."""


Carries = Literal["data", "guard", "order", "case"]


class Arrow(msgspec.Struct, frozen=True):
    """One node waits for another, both by their index in the plan."""

    source: int
    target: int
    carries: Carries
    """What the target takes from the source; `order`: nothing, it only waits."""
    case: str = ""
    """In which case of a switch the arrow is taken."""


def plan_of(drawn: Drawn) -> Plan:
    """Return the plan of whatever is drawn."""
    match drawn:
        case Plan():
            return drawn
        case Lifecycle():
            return drawn.workflow().plan
        case _:
            return drawn.plan


class Held(msgspec.Struct, frozen=True):
    """What the node of an each or of a repeat holds: the nodes of its block, or of one round."""

    node: int
    number: int | None
    """Which round it is, from 0; None in a plan, where one stands for all."""
    inside: range


class Whole(msgspec.Struct, frozen=True):
    """All that is drawn of a plan or a run: what an each or a repeat holds stands behind it all."""

    plan: Plan
    names: tuple[str, ...]
    """What each node is called: in a run by its path, within a block by its own name."""
    held: dict[int, tuple[Held, ...]]
    """What each each and each repeat holds."""

    @property
    def top(self) -> tuple[int, ...]:
        """The nodes that nothing holds."""
        inner = {index for held in self.held.values() for each in held for index in each.inside}
        return tuple(index for index in range(len(self.plan.nodes)) if index not in inner)


def whole_of(drawn: Drawn) -> Whole:
    """Return all that is drawn of a plan, or of a run as it was carried out."""
    if not isinstance(drawn, Timeline):
        return _opened(plan_of(drawn))
    rounds: dict[int, list[Held]] = {}
    for each in drawn.rounds:
        inside = range(each.first, each.first + each.count)
        rounds.setdefault(each.node, []).append(Held(each.node, each.number, inside))
    held = {node: tuple(found) for node, found in rounds.items()}
    return Whole(drawn.plan, tuple(node.path for node in drawn.plan.nodes), held)


def _opened(plan: Plan) -> Whole:
    """Return a plan with the nodes of its blocks behind all others, each block once."""
    nodes, names = [*plan.nodes], [node.path for node in plan.nodes]
    held: dict[int, tuple[Held, ...]] = {}
    bases: dict[int, int] = {}
    index = 0  # The blocks that stand in blocks are met further behind.
    while index < len(nodes):
        for block in nodes[index].inner:
            base = bases[block.number] = len(nodes)
            last = base + len(block.nodes)
            held[index] = (*held.get(index, ()), Held(index, None, range(base, last)))
            within = f"{nodes[index].path}[…]/"
            nodes += (_placed(node, within, base, bases) for node in block.nodes)
            names += (node.path for node in block.nodes)
        index += 1
    grown = plan if len(nodes) == len(plan.nodes) else replace(plan, nodes=tuple(nodes))
    return Whole(grown, tuple(names), held)


def _placed(node: Node, prefix: str, base: int, bases: dict[int, int]) -> Node:
    """Return a node of a block as one that stands behind those of the plan."""
    branch = node.branch
    return resolved(
        replace(
            node,
            path=prefix + node.path,
            needs=tuple(base + place for place in node.needs),
            feeds=tuple(base + place for place in node.feeds),
            branch=None if branch is None else Branch(base + branch.node, branch.case),
        ),
        bases,
    )


def resolved(node: Node, bases: dict[int, int]) -> Node:
    """Return a node whose sources name others by their place, and not by number and block.

    `bases` says where the nodes of each block begin that the node can see.
    """
    return replace(
        node,
        arguments=tuple(
            replace(item, source=_resolved(item.source, bases)) for item in node.arguments
        ),
        when=None if node.when is None else _resolved(node.when, bases),
        otherwise=None if node.otherwise is None else _resolved(node.otherwise, bases),
        cases=tuple(replace(case, returns=_resolved(case.returns, bases)) for case in node.cases),
    )


def _resolved(source: Source, bases: dict[int, int]) -> Source:
    match source:
        case FromNode(number, path):
            block, place = divmod(number, BLOCK_SPAN)
            return FromNode(bases[block] + place, path) if block else source
        case Items(items, kind):
            return Items(tuple(_resolved(item, bases) for item in items), kind)
        case Pairs(pairs):
            return Pairs(tuple((name, _resolved(item, bases)) for name, item in pairs))
        case FromInput() | FromRound() | Constant():
            return source
        case _:
            assert_never(source)


ROUNDS_MAX = 20
"""How many rounds of one each or repeat are drawn, each with its nodes."""
_ALIKE_MIN = 3
"""From how many rounds on it is shorter to say that they went alike."""


def shown(drawn: Drawn, whole: Whole, node: int) -> list[Held | str]:
    """Return what is drawn within an each or a repeat: rounds, and words for those left out.

    Where there are many rounds, those are left out that went like the one before them; where
    there are still too many, all that stand further behind.
    """
    held = whole.held.get(node, ())
    if not isinstance(drawn, Timeline) or len(held) <= ROUNDS_MAX:
        return [*held]
    found: list[Held | str] = []
    drawn_so_far = 0
    for _, alike in groupby(held, key=lambda each: _went(drawn, whole, each)):
        group = [*alike]
        drawn_now = group[:1] if len(group) >= _ALIKE_MIN else group
        if drawn_so_far + len(drawn_now) > ROUNDS_MAX:
            break
        drawn_so_far += len(drawn_now)
        found += drawn_now
        if len(group) > len(drawn_now):
            found.append(_left_out(drawn, group[len(drawn_now) :]))
        held = held[len(group) :]
    return [*found, _left_out(drawn, held)] if held else found


def _went(run: Timeline, whole: Whole, held: Held) -> tuple[object, ...]:
    """Return how a round went, in so far as a picture without names and times could show it."""
    return tuple(
        (
            run.nodes[index].standing,
            str(run.nodes[index].failure or run.nodes[index].undo_failure or ""),
            frozenset(_went(run, whole, each) for each in whole.held.get(index, ())),
        )
        for index in held.inside
    )


def _left_out(run: Timeline, rounds: Sequence[Held]) -> str:
    """Say how many rounds are not drawn, and what became of them."""
    counts = Counter(_standing(run, each) for each in rounds)
    if len(counts) == 1:
        return f"… {words.rounds(len(rounds))} {next(iter(counts))}"
    said = ", ".join(f"{counts[each]:,} {each}" for each in _TELLING if each in counts)
    return f"… {words.rounds(len(rounds))}: {said}"


def _standing(run: Timeline, held: Held) -> Standing:
    """Return the standing of the node of a round that tells the most about it."""
    found = {run.nodes[index].standing for index in held.inside}
    return next((each for each in _TELLING if each in found), Standing.DONE)


_TELLING = (
    Standing.LEFT,
    Standing.IN_DOUBT,
    Standing.FAILED,
    Standing.AT_WORK,
    Standing.WAITING,
    Standing.UNDONE,
    Standing.KEPT,
    Standing.STOPPED,
    Standing.IDLE,
    Standing.DONE,
    Standing.SKIPPED,
)
"""Every standing, the one first that tells the most about the round in which a node has it."""


def arrows(plan: Plan, nodes: Sequence[int] | None = None) -> tuple[Arrow, ...]:
    """Return the arrows that do not follow from others, in the order of the plan.

    `nodes` are those that stand together: all of the plan, or those of one round. The ends of an
    arrow are their places among these.
    """
    among = range(len(plan.nodes)) if nodes is None else nodes
    places = {index: place for place, index in enumerate(among)}
    found: list[Arrow] = []
    # Which nodes come before each node, one bit a node: the plan's order is a valid one.
    before: list[int] = []
    for index in among:
        node = plan.nodes[index]
        implied = 0
        direct: dict[int, Arrow] = {}
        for needed in node.needs:
            for arrow in _arrows_to(plan, index, needed):
                direct.setdefault(places[arrow.source], arrow)
                implied |= before[places[arrow.source]]
        before.append(implied | sum(1 << place for place in direct))
        # A branch without nodes leads past the others, and does not follow from them.
        found += (
            replace(arrow, source=place, target=places[index])
            for place, arrow in direct.items()
            if not implied >> place & 1 or (arrow.case and not _is_inside(node, arrow.source))
        )
    return tuple(found)


def _arrows_to(plan: Plan, index: int, needed: int) -> Iterator[Arrow]:
    """Return the arrows for one node that another needs: of a switch, those from its branches."""
    node = plan.nodes[index]
    if _is_inside(node, needed):
        assert node.branch is not None
        yield Arrow(needed, index, "case", node.branch.case)
        return
    carries = _carried(node, needed)
    if not plan.nodes[needed].cases:
        yield Arrow(needed, index, carries)
        return
    for end in ends(plan, needed):
        way: Carries = "case" if end.case else carries if end.gives else "order"
        yield Arrow(end.node, index, way, end.case)


def _is_inside(node: Node, switch: int) -> bool:
    return node.branch is not None and node.branch.node == switch


class End(msgspec.Struct, frozen=True):
    """A node after which a switch is over."""

    node: int
    gives: bool
    """It gives the branch's value, or part of it."""
    case: str = ""
    """The node is the switch itself, whose branch for this case, or these, has no nodes."""


def ends(plan: Plan, switch: int) -> list[End]:
    """Return the last nodes of all branches of a switch; none that only fails, if there are others.

    They give nothing where the value of their branch comes from further up.
    """
    found: list[End] = []
    for case in plan.nodes[switch].cases:
        inside = plan.branches[switch, case.label]
        given = {leaf.node for leaf in leaves(case.returns) if isinstance(leaf, FromNode)}
        needed = {need for index in inside for need in plan.nodes[index].needs}
        for index in inside:
            if index in needed:
                continue
            if plan.nodes[index].cases:
                inner = ends(plan, index)
                found += (replace(end, gives=end.gives and index in given) for end in inner)
            else:
                found.append(End(index, gives=index in given))
    empty = [
        case.label for case in plan.nodes[switch].cases if not plan.branches[switch, case.label]
    ]
    if empty:
        found.append(End(switch, gives=False, case=", ".join(empty)))
    going_on = [end for end in found if plan.nodes[end.node].function != "fail"]
    return going_on or found


def _carried(node: Node, needed: int) -> Carries:
    given = (leaf for source in sources(node) for leaf in leaves(source))
    if any(isinstance(leaf, FromNode) and leaf.node == needed for leaf in given):
        return "data"
    asked = () if node.when is None else leaves(node.when)
    is_guard = any(isinstance(leaf, FromNode) and leaf.node == needed for leaf in asked)
    return "guard" if is_guard else "order"


def sources(node: Node) -> Iterator[Source]:
    """Return where a node's values come from: what it is given, and what it gives instead."""
    yield from (item.source for item in node.arguments)
    if node.otherwise is not None:
        yield node.otherwise


def leaves(source: Source) -> Iterator[FromInput | FromNode]:
    """Return the inputs and the results that a value is made of."""
    match source:
        case FromInput() | FromNode():
            yield source
        case Items(items):
            for item in items:
                yield from leaves(item)
        case Pairs(pairs):
            for _, item in pairs:
                yield from leaves(item)
        case Constant() | FromRound():
            return
        case _:
            assert_never(source)


def sub_path(path: tuple[str | int, ...]) -> str:
    """Return which part of a value is taken, as it would be written in Python."""
    return "".join(
        part if isinstance(part, str) and part.startswith(".") else f"[{part}]" for part in path
    )


def called(node: Node) -> str:
    """Say which function a node calls where its name does not, or what else it does."""
    match node.kind:
        case Kind.EXPECT:
            error = next((item.type for item in node.arguments if item.name == "error"), "an error")
            return f"fails with {error}" if node.function == "fail" else f"or {error}"
        case Kind.NOTE:
            return ""
        case Kind.SWITCH:
            return f"one of {', '.join(case.label for case in node.cases)}"
        case Kind.SLEEP:
            given = (item for item in node.arguments if item.source != Constant("null"))
            return ", ".join(_slept(item.name, item.source) for item in given)
        case Kind.WAIT:
            return awaited(node)
        case Kind.SEND:
            return sent(node)
        case Kind.EACH | Kind.REPEAT:
            return "" if node.block is None else _rounds(node.kind, node.block)
        case Kind.CHILD:
            return f"runs {node.function}"
        case Kind.LIFECYCLE:
            return f"from {node.machine.start} on" if node.machine else ""
        case Kind.STEP | Kind.LOCAL | Kind.QUERY | Kind.PURE:
            return "" if node.function == node.path.rpartition("/")[2] else f"calls {node.function}"
        case _:
            assert_never(node.kind)


def _slept(name: str, source: Source) -> str:
    """Say how long or until when a sleep is, where the plan knows it."""
    if not isinstance(source, Constant):
        return "until a moment" if name == "until" else "for a while"
    if name == "until":
        return f"until {source.json.strip(chr(34))}"
    return f"for {words.allowed(msgspec.json.decode(source.json, type=timedelta))}"


def _rounds(kind: Kind, block: Block) -> str:
    """Say how many rounds there are, or how many at once."""
    if kind is Kind.EACH:
        at_once = f"{block.at_once} at once"
        if not block.keeps_failures:
            return at_once
        enough = f"until {block.done_min:,} are done" if block.is_quorum else "failures are kept"
        least = f", at least {block.done_min:,} done" if block.done_min else ""
        return f"{at_once}, {enough}{'' if block.is_quorum else least}"
    return (
        f"at most {block.rounds_max:,} times" if block.is_judged else f"{block.rounds_max:,} times"
    )


def guard(plan: Plan, node: Node) -> str | None:
    """Return what must hold for the node to run, and what it gives otherwise; or None."""
    if node.when is None:
        return None
    when = f"when {_named(plan, node.when)}"
    return when if node.otherwise is None else f"{when}, else {_named(plan, node.otherwise)}"


def _named(plan: Plan, source: Source) -> str:
    match source:
        case Constant(json):
            return json
        case FromInput(name, path):
            return f"{name}{sub_path(path)}"
        case FromNode(node, path):
            return f"{plan.nodes[node].path}{sub_path(path)}"
        case FromRound(path=path):
            return f"item{sub_path(path)}"
        case Items() | Pairs():
            return "several values"
        case _:
            assert_never(source)


def limits(node: Node) -> Iterator[str]:
    """Say what is particular about a node, and how often and how long it is tried."""
    if node.pivot:
        yield "pivot: no way back"
    if node.optional:
        yield "optional"
    if node.timeout is not None:
        yield (
            f"{node.retry.attempts} × {words.allowed(node.timeout)}"
            if node.retry.attempts > 1
            else f"once, {words.allowed(node.timeout)}"
        )


def remedies(node: Node) -> Iterator[str]:
    """Say how a node is made good again."""
    if node.undo is not None:
        yield f"undo: {node.undo.function}"
    if node.kind is Kind.CHILD:
        yield "undone as one run"
    if node.calls:
        yield "may go on as another run"
    if node.compensate is not None:
        yield f"compensate: {node.compensate.function}"
    if node.irreversible is not None:
        yield f"irreversible: {node.irreversible}"
