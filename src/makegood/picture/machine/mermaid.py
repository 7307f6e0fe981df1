"""What a lifecycle looks like as a Mermaid state diagram: the same text for the same one.

Every status is a state that says who is called in it. Every arrow says which handler leads along
it, and for what that is called. Beside them stands what was counted, or how one run went.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from makegood.picture.machine.figure import visited
from makegood.picture.paint import STANDINGS
from makegood.picture.story import Standing
from makegood.picture.typeset import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.picture.machine.figure import Figure, Spot, Way
    from makegood.picture.paint import Paint

__all__ = ["mermaid_of"]

_MEANT = re.compile(r'["#%&;:<>\\`{}\[\]]|--')


def mermaid_of(figure: Figure) -> str:
    """Return a lifecycle as a Mermaid state diagram, which ends in a line break."""
    title = figure.plan.workflow
    if figure.run is not None:
        title = f"{title}, {figure.run.status}"
    lines = [
        "stateDiagram-v2",
        "direction TB",
        *(line for spot in figure.spots for line in _state(figure, spot)),
        f"[*] --> {_id(figure.start)}",
        *(line for spot in figure.spots for line in _arrows(figure, spot)),
        *_STYLES,
        *(f"class {_id(spot.name)} {_style(figure, spot)}" for spot in figure.spots),
    ]
    return f"---\ntitle: {title}\n---\n" + "\n    ".join(lines) + "\n"


def _state(figure: Figure, spot: Spot) -> Iterator[str]:
    name = _id(spot.name)
    yield f'state "{_escaped(spot.name)}" as {name}'
    for said in _said(figure, spot):
        yield f"{name}: {_escaped(said)}"


def _said(figure: Figure, spot: Spot) -> Iterator[str]:
    """Say what a status is and does, or what became of a run in it."""
    if figure.run is not None:
        yield from visited(spot)
        return
    yield from spot.counted
    if spot.is_pivot:
        yield "from here on no way back"
    for way in spot.ways:
        yield " · ".join((f"{way.mark} {way.when}: {way.handler}", *way.notes))


def _arrows(figure: Figure, spot: Spot) -> Iterator[str]:
    for way in spot.ways:
        for destination in way.to:
            label = _escaped(f"{way.mark} {way.handler}{_beside(figure, spot, way, destination)}")
            yield f"{_id(spot.name)} --> {_id(destination)}: {label}"
    if spot.is_terminal:
        yield f"{_id(spot.name)} --> [*]"


def _beside(figure: Figure, spot: Spot, way: Way, destination: str) -> str:
    known = figure.beside(spot, way, destination)
    if not known:
        return ""
    return f" (move {known})" if figure.run is not None else f" ({known})"


def _style(figure: Figure, spot: Spot) -> str:
    if figure.run is not None:
        if not spot.stops:
            return "unseen"
        return "here" if spot.is_last and figure.run.ended is None else "seen"
    if spot.has_trouble:
        return "trouble"
    if spot.has_runs:
        return "here"
    return "terminal" if spot.is_terminal else "plain"


def _styled(name: str, paint: Paint) -> str:
    return f"classDef {name} fill:{paint.fill},stroke:{paint.stroke},color:{paint.ink}"


_STYLES = (
    "classDef plain fill:#ffffff,stroke:#71717a,color:#27272a",
    "classDef terminal fill:#f4f4f5,stroke:#27272a,color:#27272a",
    _styled("here", STANDINGS[Standing.AT_WORK]),
    _styled("seen", STANDINGS[Standing.DONE]),
    _styled("unseen", STANDINGS[Standing.IDLE]),
    _styled("trouble", STANDINGS[Standing.LEFT]),
)


def _id(name: str) -> str:
    """Return the id of a state, which begins so that it is none of Mermaid's own words."""
    return "s_" + plain(name)


def _escaped(text: str) -> str:
    """Return text in which nothing means anything to Mermaid or to HTML.

    In a state diagram a character is written by its number, as `#58;`.
    """
    printable = "".join(each if each.isprintable() else " " for each in text)
    return _MEANT.sub(lambda found: "".join(f"#{ord(each)};" for each in found[0]), printable)
