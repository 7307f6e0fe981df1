"""What does an exploration look like in a terminal? A table of what is left, and the stories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.picture.marks import Ink, Style
from makegood.picture.typeset import cells, padded, visible, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.exploring.exploration import Discovery, Exploration

__all__ = ["as_text"]

WIDTH_MIN = 60
"""Narrower than this, in columns, nothing is written."""

_INDENT = 4


def as_text(found: Exploration, *, color: bool = False, width: int = 100) -> str:
    """Return what was found as lines of plain text, none of them wider than `width` columns."""
    page = _Page(max(width, WIDTH_MIN), Ink(color=color))
    return "".join(f"{line.rstrip()}\n" for line in page.lines(found))


class _Page:
    def __init__(self, width: int, ink: Ink) -> None:
        self.width = width
        self.ink = ink

    def lines(self, found: Exploration) -> Iterator[str]:
        wrong = "one or two things go" if found.pairs else "one thing goes"
        head = f"{visible(found.workflow)}: {found.worlds:,} worlds, in each of which {wrong} wrong"
        yield from self.paragraph(head, Style.STRONG)
        ends = ", ".join(f"{many:,} {status}" for status, many in found.ends.items())
        yield from self.paragraph(f"How they end: {ends}.")
        if found.is_cut:
            text = "There are more worlds: these are the first, and say nothing of the others."
            yield from self.paragraph(text, Style.BAD)
        yield ""
        yield from self.promises(found)
        yield from self.table(
            "Left behind, for a person to settle", found.left, "Nothing is left behind."
        )
        if found.kept:
            yield ""
            yield from self.table("Kept as declared, though the run goes back", found.kept, "")
        for number, finding in enumerate(found.left, start=1):
            yield ""
            yield from self.story(f"{number}  {finding}", finding)

    def promises(self, found: Exploration) -> Iterator[str]:
        """Say whether every promise is kept, and tell of each that is not."""
        if not found.broken:
            yield from self.paragraph(
                "Every promise is kept: nothing is undone in doubt, all in exact reverse order, "
                "nothing is done twice, and whatever stands is named.",
                Style.GOOD,
            )
            yield ""
            return
        for finding in found.broken:
            yield from self.story(
                f"BROKEN  {finding} ({finding.worlds:,} worlds)", finding, Style.BAD
            )
            yield ""

    def table(self, title: str, findings: Sequence[Discovery], otherwise: str) -> Iterator[str]:
        if not findings:
            yield from self.paragraph(otherwise, Style.GOOD)
            return
        worlds = [f"{finding.worlds:,}" for finding in findings]
        last = max(cells("worlds"), *map(cells, worlds))
        room = self.width - _INDENT - last - 2
        longest = max(cells(title) - _INDENT, *(cells(visible(str(each))) for each in findings))
        room = min(room, longest)
        yield self.ink(f"{padded(title, _INDENT + room)}  {'worlds':>{last}}", Style.FAINT)
        for number, (finding, many) in enumerate(zip(findings, worlds, strict=True), start=1):
            first, *more = wrapped(visible(str(finding)), room)
            yield f"{number:>2}  {padded(first, room)}  {many:>{last}}"
            for line in more:
                yield f"{'':{_INDENT}}{line}"

    def story(self, title: str, finding: Discovery, style: Style = Style.STRONG) -> Iterator[str]:
        yield from self.paragraph(visible(title), style)
        cause = "; then ".join(finding.cause)
        yield from self.indented(f"If {cause}:" if cause else "Without any fault:", Style.DOUBT)
        for sentence in finding.story:
            yield from self.indented(visible(sentence))
        if finding.held:
            held = ", ".join(finding.held)
            yield from self.indented(f"Until that is settled, there stands: {held}.", Style.DOUBT)

    def indented(self, text: str, style: Style = Style.PLAIN) -> Iterator[str]:
        for line in wrapped(text, self.width - _INDENT):
            yield f"{'':{_INDENT}}{self.ink(line, style)}"

    def paragraph(self, text: str, style: Style = Style.PLAIN) -> Iterator[str]:
        for line in wrapped(text, self.width):
            yield self.ink(line, style)
