"""What a plan looks like: a Mermaid flowchart, the same text for the same plan.

Inputs are slanted, queries round, steps square, local steps a drum (they write in the journal's
own database), pures framed, expects a diamond. Full lines carry data, dotted ones only order or
a guard. It reads plans only, so a stored plan is drawn without the user's code.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, assert_never

from makegood.definition.plan import (
    Constant,
    FromInput,
    FromNode,
    Items,
    Kind,
    Node,
    Pairs,
    Plan,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.definition.workflow import Workflow

__all__ = ["mermaid"]

_CONSTANT_CHARACTERS_MAX = 40

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


# Any: a workflow is drawn whatever it takes and returns.
def mermaid(drawn: Plan | Workflow[..., Any]) -> str:
    """Return a plan as a Mermaid flowchart, top down, ending in a line break."""
    plan = drawn if isinstance(drawn, Plan) else drawn.plan
    lines = [
        "flowchart TD",
        *_inputs(plan),
        *(line for node in plan.nodes for line in _box(node)),
        f'result(["returns {_escaped(plan.returns_type)}"]):::result',
        *(line for node in plan.nodes for line in _edges(plan, node)),
        *_result_edges(plan),
        *_STYLES,
    ]
    head = f"---\ntitle: {plan.workflow}\n---\n"
    return head + "\n    ".join(lines) + "\n"


def _inputs(plan: Plan) -> Iterator[str]:
    for item in plan.inputs:
        note = "" if item.required else " (has a default)"
        label = f"{_escaped(item.name)}: {_escaped(item.type)}{note}"
        yield f'{_input_id(item.name)}[/"{label}"/]:::input'


def _box(node: Node) -> Iterator[str]:
    begin, end = _SHAPES[node.kind]
    label = "<br/>".join(_label(node))
    yield f'{_node_id(node.path)}{begin}"{label}"{end}:::{node.kind}'
    if node.optional:
        yield f"class {_node_id(node.path)} optional"
    if node.pivot:
        yield f"class {_node_id(node.path)} pivot"


def _label(node: Node) -> Iterator[str]:
    """Say in a few lines what a node is and how it is made good."""
    name = f"<b>{_escaped(node.path)}</b>"
    if node.kind is Kind.EXPECT:
        yield name
        yield f"or {_escaped(_error(node))}"
        return
    yield name if node.function == node.path else f"{name} = {_escaped(node.function)}"
    if node.returns != "None":
        yield f"→ {_escaped(node.returns)}"
    yield from (
        f"{_escaped(item.name)} = {_escaped(_shortened(item.source.json))}"
        for item in node.arguments
        if isinstance(item.source, Constant)
    )
    notes = [*_notes(node)]
    if notes:
        yield " · ".join(notes)
    yield from _remedies(node)


def _notes(node: Node) -> Iterator[str]:
    if node.pivot:
        yield "pivot: no way back"
    if node.optional:
        yield "optional"
    if node.timeout is not None:
        yield (
            f"{node.retry.attempts} × {_spelled(node.timeout)}"
            if node.retry.attempts > 1
            else f"once, {_spelled(node.timeout)}"
        )


def _remedies(node: Node) -> Iterator[str]:
    if node.undo is not None:
        yield f"undo: {_escaped(node.undo.function)}"
    if node.compensate is not None:
        yield f"compensate: {_escaped(node.compensate.function)}"
    if node.irreversible is not None:
        yield f"irreversible: {_escaped(node.irreversible)}"


def _error(node: Node) -> str:
    return next((item.type for item in node.arguments if item.name == "error"), "fail")


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
    match source:
        case FromInput(name, path):
            yield _input_id(name), _part(path)
        case FromNode(node, path):
            yield _node_id(plan.nodes[node].path), _part(path)
        case Items(items):
            for item in items:
                yield from _origins(plan, item)
        case Pairs(pairs):
            for _, item in pairs:
                yield from _origins(plan, item)
        case Constant():
            return
        case _:
            assert_never(source)


def _part(path: tuple[str | int, ...]) -> str:
    return "".join(
        part if isinstance(part, str) and part.startswith(".") else f"[{part}]" for part in path
    )


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


def _spelled(duration: timedelta) -> str:
    """Return a duration in the largest unit that it is a whole number of."""
    for name, unit in (("d", "days"), ("h", "hours"), ("min", "minutes"), ("s", "seconds")):
        whole, rest = divmod(duration, timedelta(**{unit: 1}))
        if whole and not rest:
            return f"{whole} {name}"
    return f"{duration / timedelta(milliseconds=1):g} ms"
