"""What a plan or a run looks like as a Mermaid flowchart: the same text for the same one.

Inputs are slanted, queries round, steps square, local steps a drum (they write in the journal's
own database), pures framed, expects a diamond. Full lines carry data, dotted ones only order or
a guard. In a run each node has a mark, and a class that says what became of it. It reads no code,
so a stored plan is drawn without the user's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from makegood.definition.plan import Constant, FromInput, FromNode, Kind
from makegood.picture import words
from makegood.picture.graph import called, leaves, limits, plan_of, remedies, sub_path
from makegood.picture.marks import mark_of_standing
from makegood.picture.paint import STANDINGS
from makegood.picture.story import Timeline
from makegood.picture.typeset import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.definition.plan import Node, Plan, Source
    from makegood.picture.graph import Drawn
    from makegood.picture.story import NodeStory

__all__ = ["mermaid"]

_CONSTANT_CHARACTERS_MAX = 40
_TROUBLE_CHARACTERS_MAX = 120

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_]")
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
}

_STYLES = (
    "classDef input fill:#f4f4f5,stroke:#a1a1aa,color:#27272a",
    "classDef step fill:#dbeafe,stroke:#2563eb,color:#172554",
    "classDef local fill:#e0e7ff,stroke:#4f46e5,color:#1e1b4b",
    "classDef query fill:#dcfce7,stroke:#16a34a,color:#052e16",
    "classDef pure fill:#fef9c3,stroke:#ca8a04,color:#422006",
    "classDef expect fill:#ffedd5,stroke:#ea580c,color:#431407",
    "classDef result fill:#f4f4f5,stroke:#27272a,color:#27272a",
    "classDef optional stroke-dasharray:5 4",
    "classDef pivot stroke-width:4px",
)


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


def mermaid(drawn: Drawn) -> str:
    """Return a plan, or a run as it was carried out, as a Mermaid flowchart.

    It goes from the top down, and ends in a line break.
    """
    plan = plan_of(drawn)
    run = drawn if isinstance(drawn, Timeline) else None
    boxes = (_box(node) for node in plan.nodes) if run is None else _boxes_of_run(run)
    lines = [
        "flowchart TD",
        *_inputs(plan),
        *(line for box in boxes for line in box),
        f'result(["returns {_escaped(plan.returns_type)}"]):::result',
        *(line for node in plan.nodes for line in _edges(plan, node)),
        *_result_edges(plan),
        *(_STYLES if run is None else _STANDING_STYLES),
    ]
    title = plan.workflow if run is None else f"{plan.workflow}, {run.status}"
    return f"---\ntitle: {title}\n---\n" + "\n    ".join(lines) + "\n"


def _boxes_of_run(run: Timeline) -> Iterator[Iterator[str]]:
    for node, story in zip(run.plan.nodes, run.nodes, strict=True):
        label = "<br/>".join(_label_of_run(run, node, story))
        yield _box(node, label=label, style=story.standing.name.lower())


def _label_of_run(run: Timeline, node: Node, story: NodeStory) -> Iterator[str]:
    """Say in a few lines what became of a node."""
    mark, _style = mark_of_standing(story.standing)
    yield f"<b>{_escaped(node.path)}</b>"
    yield f"{mark} {story.standing.value}"
    became = " · ".join(words.became(node, story, run.began))
    trouble = shortened(words.trouble(story), _TROUBLE_CHARACTERS_MAX)
    yield from (_escaped(said) for said in (became, trouble) if said)


def _inputs(plan: Plan) -> Iterator[str]:
    for item in plan.inputs:
        note = "" if item.required else " (has a default)"
        label = f"{_escaped(item.name)}: {_escaped(item.type)}{note}"
        yield f'{_input_id(item.name)}[/"{label}"/]:::input'


def _box(node: Node, *, label: str | None = None, style: str | None = None) -> Iterator[str]:
    begin, end = _SHAPES[node.kind]
    said = "<br/>".join(_label(node)) if label is None else label
    yield f'{_node_id(node.path)}{begin}"{said}"{end}:::{style or node.kind}'
    if node.optional:
        yield f"class {_node_id(node.path)} optional"
    if node.pivot:
        yield f"class {_node_id(node.path)} pivot"


def _label(node: Node) -> Iterator[str]:
    """Say in a few lines what a node is and how it is made good."""
    name = f"<b>{_escaped(node.path)}</b>"
    if node.kind is Kind.EXPECT:
        yield name
        yield _escaped(called(node))
        return
    yield name if node.function == node.path else f"{name} = {_escaped(node.function)}"
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
    for item in node.arguments:
        for origin, part in _origins(plan, item.source):
            data.setdefault(origin, []).append(part)
    for origin, parts in data.items():
        named = ", ".join(dict.fromkeys(filter(None, parts)))
        yield f'{origin} -->|"{_escaped(named)}"| {target}' if named else f"{origin} --> {target}"
    guards = [*_origins(plan, node.when)] if node.when is not None else []
    for origin, part in guards:
        yield f'{origin} -. "{_escaped(f"when {part}".strip())}" .-> {target}'
    shown = {*data, *(origin for origin, _ in guards)}
    for needed in node.needs:
        origin = _node_id(plan.nodes[needed].path)
        if origin not in shown:
            yield f"{origin} -.-> {target}"


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
                yield _node_id(plan.nodes[node].path), sub_path(path)
            case _:
                assert_never(leaf)


def _node_id(path: str) -> str:
    return f"n_{_plain(path)}"


def _input_id(name: str) -> str:
    return f"i_{_plain(name)}"


def _plain(name: str) -> str:
    """Return a name in the characters that an id may have."""
    return _NOT_PLAIN.sub(lambda found: f"_{ord(found[0]):x}_", name)


def _escaped(text: str) -> str:
    """Return text in which nothing means anything to Mermaid or to HTML."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return printable.translate(_ESCAPED)


def _shortened(json: str) -> str:
    if len(json) <= _CONSTANT_CHARACTERS_MAX:
        return json
    return f"{json[:_CONSTANT_CHARACTERS_MAX]}…"
