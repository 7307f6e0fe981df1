"""What a plan or a run looks like as a Mermaid flowchart: the same text for the same one.

Inputs are slanted, queries round, steps square, local steps a drum (they write in the journal's
own database), pures framed, expects a diamond, switches a hexagon. Full lines carry data, dotted
ones only order or a guard, and those from a switch say their case. What an each or a repeat holds
stands in a frame with it, in a run once for each round. In a run each node has a mark, and a class
that says what became of it. It reads no code, so a stored plan is drawn without the user's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.definition.plan import Constant, FromInput, FromNode, Kind
from makegood.picture import words
from makegood.picture.graph import (
    called,
    ends,
    leaves,
    limits,
    plan_of,
    remedies,
    shown,
    sources,
    sub_path,
    whole_of,
)
from makegood.picture.machine.figure import figure_of, is_lifecycle
from makegood.picture.machine.mermaid import mermaid_of
from makegood.picture.marks import mark_of_standing
from makegood.picture.messages.figure import MessageFlow
from makegood.picture.messages.mermaid import mermaid_of as mermaid_of_flow
from makegood.picture.paint import STANDINGS
from makegood.picture.story import Timeline
from makegood.picture.typeset import plain, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.definition.plan import Node, Plan, Source
    from makegood.picture.graph import Drawn, Held, Whole
    from makegood.picture.story import NodeStory
    from makegood.runtime.asking.census import Census

__all__ = ["mermaid"]

_CONSTANT_CHARACTERS_MAX = 40
_TROUBLE_CHARACTERS_MAX = 120

_ESCAPED = str.maketrans(
    {
        '"': "&quot;",
        "#": "&num;",
        "%": "&percnt;",
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "\\": "&bsol;",
        "`": "&grave;",
        "|": "&vert;",
    }
)
"""By name: Mermaid gives a meaning of its own to `#34;`, and to `%%` anywhere in a line."""

_SHAPES: dict[Kind, tuple[str, str]] = {
    Kind.STEP: ("[", "]"),
    Kind.LOCAL: ("[(", ")]"),
    Kind.QUERY: ("([", "])"),
    Kind.PURE: ("[[", "]]"),
    Kind.EXPECT: ("{", "}"),
    Kind.NOTE: ("(", ")"),
    Kind.SWITCH: ("{{", "}}"),
    Kind.SLEEP: (">", "]"),
    Kind.WAIT: (">", "]"),
    Kind.SEND: ("[/", "/]"),
    Kind.EACH: ("[/", "\\]"),
    Kind.REPEAT: ("[\\", "/]"),
    Kind.CHILD: ("[/", "/]"),
    Kind.LIFECYCLE: ("([", "])"),
}

_STYLES = (
    "classDef input fill:#f4f4f5,stroke:#a1a1aa,color:#27272a",
    "classDef step fill:#dbeafe,stroke:#2563eb,color:#172554",
    "classDef local fill:#e0e7ff,stroke:#4f46e5,color:#1e1b4b",
    "classDef query fill:#dcfce7,stroke:#16a34a,color:#052e16",
    "classDef pure fill:#fef9c3,stroke:#ca8a04,color:#422006",
    "classDef expect fill:#ffedd5,stroke:#ea580c,color:#431407",
    "classDef note fill:#fdf2f8,stroke:#db2777,color:#500724",
    "classDef switch fill:#ffedd5,stroke:#ea580c,color:#431407",
    "classDef sleep fill:#cffafe,stroke:#0891b2,color:#083344",
    "classDef wait fill:#cffafe,stroke:#0891b2,color:#083344",
    "classDef send fill:#dbeafe,stroke:#2563eb,color:#172554",
    "classDef each fill:#f3e8ff,stroke:#9333ea,color:#3b0764",
    "classDef repeat fill:#f3e8ff,stroke:#9333ea,color:#3b0764",
    "classDef child fill:#ede9fe,stroke:#7c3aed,color:#2e1065",
    "classDef result fill:#f4f4f5,stroke:#27272a,color:#27272a",
    "classDef optional stroke-dasharray:5 4",
    "classDef pivot stroke-width:4px",
)


_OF_FLOW = frozenset(
    {
        Kind.NOTE,
        Kind.SWITCH,
        Kind.SLEEP,
        Kind.WAIT,
        Kind.SEND,
        Kind.EACH,
        Kind.REPEAT,
        Kind.CHILD,
        Kind.LIFECYCLE,
    }
)

_WITHOUT_FUNCTION = frozenset({Kind.EXPECT}) | _OF_FLOW - {Kind.CHILD}
"""Kinds whose nodes call no function of the user's that has a name."""


_STANDING_STYLES = (
    "classDef input fill:#f4f4f5,stroke:#a1a1aa,color:#27272a",
    *(
        f"classDef {each.name.lower()} fill:{paint.fill},stroke:{paint.stroke},color:{paint.ink}"
        for each, paint in STANDINGS.items()
    ),
    "classDef result fill:#f4f4f5,stroke:#27272a,color:#27272a",
    "classDef optional stroke-dasharray:5 4",
    "classDef pivot stroke-width:4px",
)


def mermaid(drawn: Drawn | MessageFlow, *, census: Census | None = None) -> str:
    """Return a plan, or a run as it was carried out, as a Mermaid flowchart.

    A lifecycle, or a run of one, is a state diagram; with a census of it, as `Operator.census`
    takes it, every status says how many runs stand there. It goes from the top down, and ends in
    a line break. Of receptors, as `message_flow` returns them, it shows who says what to whom.
    """
    if isinstance(drawn, MessageFlow):
        return mermaid_of_flow(drawn)
    if is_lifecycle(drawn, census):
        return mermaid_of(figure_of(drawn, census))
    plan = plan_of(drawn)
    run = drawn if isinstance(drawn, Timeline) else None
    chart = _Chart(drawn)
    boxes = [*chart.boxes()]
    whole = chart.whole.plan
    lines = [
        "flowchart TD",
        *_inputs(plan),
        *boxes,
        f'result(["returns {_escaped(plan.returns_type)}"]):::result',
        *(line for index in chart.drawn for line in _edges(whole, whole.nodes[index])),
        *chart.holding,
        *_result_edges(plan),
        *_styles(plan if run is None else None),
    ]
    title = plan.workflow if run is None else f"{plan.workflow}, {run.status}"
    return f"---\ntitle: {title}\n---\n" + "\n    ".join(lines) + "\n"


class _Chart:
    """The boxes of a plan or a run, those that an each or a repeat holds in a frame with it."""

    def __init__(self, drawn: Drawn) -> None:
        self.whole: Whole = whole_of(drawn)
        self.drawn: list[int] = []
        """The nodes that have a box, in the order of the boxes."""
        self.holding: list[str] = []
        """The edges from an each or a repeat to what it holds."""
        self._of = drawn

    def boxes(self) -> Iterator[str]:
        for index in self.whole.top:
            yield from self._box(index)

    def _box(self, index: int) -> Iterator[str]:
        self.drawn.append(index)
        held = shown(self._of, self.whole, index)
        node = self.whole.plan.nodes[index]
        own = self._own(index)
        if not held:
            yield from own
            return
        name = _node_id(node.path)
        yield f'subgraph f_{name}["{_escaped(self.whole.names[index])}"]'
        yield from (f"    {line}" for line in own)
        for number, each in enumerate(held):
            yield from (f"    {line}" for line in self._held(name, number, each))
        yield "end"

    def _held(self, owner: str, number: int, held: Held | str) -> Iterator[str]:
        if isinstance(held, str):
            yield f'{owner}_more_{number}["{_escaped(held)}"]:::result'
            self.holding.append(f"{owner} -.- {owner}_more_{number}")
            return
        for index in held.inside:
            yield from self._box(index)
            node = self.whole.plan.nodes[index]
            if not node.needs:
                self.holding.append(f"{owner} -.-> {_node_id(node.path)}")

    def _own(self, index: int) -> Iterator[str]:
        node, name = self.whole.plan.nodes[index], self.whole.names[index]
        if not isinstance(self._of, Timeline):
            return _box(node, label="<br/>".join(_label(node, name)))
        story = self._of.nodes[index]
        label = "<br/>".join(_label_of_run(self._of, node, story))
        return _box(node, label=label, style=story.standing.name.lower())


def _label_of_run(run: Timeline, node: Node, story: NodeStory) -> Iterator[str]:
    """Say in a few lines what became of a node."""
    mark, _style = mark_of_standing(story.standing)
    yield f"<b>{_escaped(node.path)}</b>"
    yield f"{mark} {story.standing.value}"
    became = " · ".join(words.became(node, story, run.began))
    trouble = shortened(words.trouble(story), _TROUBLE_CHARACTERS_MAX)
    yield from (_escaped(said) for said in (became, trouble) if said)


def _styles(plan: Plan | None) -> Iterator[str]:
    """Return the styles of a run, or those of a plan, of what branches only where it does."""
    if plan is None:
        yield from _STANDING_STYLES
        return
    kinds = {node.kind for node in whole_of(plan).plan.nodes}
    unused = {f"classDef {kind.value} " for kind in _OF_FLOW - kinds}
    yield from (style for style in _STYLES if not style.startswith(tuple(unused)))


def _inputs(plan: Plan) -> Iterator[str]:
    for item in plan.inputs:
        note = "" if item.required else " (has a default)"
        label = f"{_escaped(item.name)}: {_escaped(item.type)}{note}"
        yield f'{_input_id(item.name)}[/"{label}"/]:::input'


def _box(node: Node, *, label: str, style: str | None = None) -> Iterator[str]:
    begin, end = _SHAPES[node.kind]
    yield f'{_node_id(node.path)}{begin}"{label}"{end}:::{style or node.kind}'
    if node.optional:
        yield f"class {_node_id(node.path)} optional"
    if node.pivot:
        yield f"class {_node_id(node.path)} pivot"


def _label(node: Node, path: str) -> Iterator[str]:
    """Say in a few lines what a node is and how it is made good."""
    name = f"<b>{_escaped(path)}</b>"
    if node.kind in _WITHOUT_FUNCTION:
        yield name
        yield from (_escaped(said) for said in (called(node),) if said)
        if node.returns != "None":
            yield f"→ {_escaped(node.returns)}"
        return
    is_named = node.function != path.rpartition("/")[2]
    yield f"{name} = {_escaped(node.function)}" if is_named else name
    if node.returns != "None":
        yield f"→ {_escaped(node.returns)}"
    yield from (
        f"{_escaped(item.name)} = {_escaped(_shortened(item.source.json))}"
        for item in node.arguments
        if isinstance(item.source, Constant)
    )
    notes = [*limits(node)]
    if notes:
        yield " · ".join(notes)
    yield from (_escaped(remedy) for remedy in remedies(node))


def _edges(plan: Plan, node: Node) -> Iterator[str]:
    """Draw what a node waits for: data, then its guard, then order alone."""
    target = _node_id(node.path)
    data: dict[str, list[str]] = {}
    for source in sources(node):
        for origin, part in _origins(plan, source):
            data.setdefault(origin, []).append(part)
    for origin, parts in data.items():
        named = ", ".join(dict.fromkeys(filter(None, parts)))
        yield f'{origin} -->|"{_escaped(named)}"| {target}' if named else f"{origin} --> {target}"
    guards = [*_origins(plan, node.when)] if node.when is not None else []
    for origin, part in guards:
        yield f'{origin} -. "{_escaped(f"when {part}".strip())}" .-> {target}'
    drawn = {*data, *(origin for origin, _ in guards)}
    is_further = any(_is_beside(plan, node, needed) for needed in node.needs)
    for needed in node.needs:
        if node.branch is not None and needed == node.branch.node:
            if not is_further:
                case = _escaped(node.branch.case)
                yield f'{_node_id(plan.nodes[needed].path)} -->|"{case}"| {target}'
            continue
        for origin, case in _origins_of(plan, needed):
            if origin not in drawn:
                drawn.add(origin)
                label = f'|"{_escaped(case)}"|' if case else ""
                yield f"{origin} -.->{label} {target}"


def _is_beside(plan: Plan, node: Node, needed: int) -> bool:
    """Say whether a node that another needs stands in the same branch, behind the same switch."""
    return node.branch is not None and plan.nodes[needed].branch == node.branch


def _result_edges(plan: Plan) -> Iterator[str]:
    for origin, part in dict.fromkeys(_origins(plan, plan.returns)):
        yield f'{origin} ==>|"{_escaped(part)}"| result' if part else f"{origin} ==> result"


def _origins(plan: Plan, source: Source) -> Iterator[tuple[str, str]]:
    """Return where a value comes from: the id of a box, and the part that is taken of it."""
    for leaf in leaves(source):
        match leaf:
            case FromInput(name, path):
                yield _input_id(name), sub_path(path)
            case FromNode(node, path):
                for origin, case in _origins_of(plan, node, giving=True):
                    yield origin, f"{case} {sub_path(path)}".strip()
            case _:
                assert_never(leaf)


def _origins_of(plan: Plan, node: int, *, giving: bool = False) -> Iterator[tuple[str, str]]:
    """Return the box of a node, or the last ones of a switch's branches; and the case of none.

    `giving` leaves out those that give nothing to what follows.
    """
    if not plan.nodes[node].cases:
        yield _node_id(plan.nodes[node].path), ""
        return
    for end in ends(plan, node):
        if end.gives or end.case or not giving:
            yield _node_id(plan.nodes[end.node].path), end.case


def _node_id(path: str) -> str:
    return f"n_{plain(path)}"


def _input_id(name: str) -> str:
    return f"i_{plain(name)}"


def _escaped(text: str) -> str:
    """Return text in which nothing means anything to Mermaid or to HTML."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return printable.translate(_ESCAPED)


def _shortened(json: str) -> str:
    if len(json) <= _CONSTANT_CHARACTERS_MAX:
        return json
    return f"{json[:_CONSTANT_CHARACTERS_MAX]}…"
