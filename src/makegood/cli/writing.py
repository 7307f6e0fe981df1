"""How is something written to a person or a program? What it looks like is `picture`'s to say."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from makegood.picture.marks import Ink, Style
from makegood.picture.typeset import cells, padded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

__all__ = ["Look", "json_of", "look_of", "table", "write"]


class Look(NamedTuple):
    """What the place that is written to can show: as it is without a terminal, or as that says."""

    width: int = 100
    """In columns."""
    is_coloured: bool = False

    @property
    def ink(self) -> Ink:
        """What writes in colour, or plainly."""
        return Ink(color=self.is_coloured)


def look_of(stream: TextIO, environment: Mapping[str, str] = os.environ) -> Look:
    """Return what a stream can show; NO_COLOR and a dumb terminal get no colour."""
    if not stream.isatty():
        return Look()
    is_plain = bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
    return Look(width=shutil.get_terminal_size().columns, is_coloured=not is_plain)


def write(text: str) -> None:
    """Write to standard output, ending in a line break."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def json_of(value: object) -> str:
    """Return a value as one line of JSON that is harmless to look at.

    What cannot be printed is escaped; it can stand only in strings, so the value is the same.
    """
    text = msgspec.json.encode(value).decode()
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], look: Look) -> Iterator[str]:
    """Give lines with the columns under each other. What may be long belongs into the last one."""
    lines = [head, *rows]
    widths = [max(cells(line[at]) for line in lines) for at in range(len(head))]
    for number, line in enumerate(lines):
        written = "  ".join(map(padded, line, widths)).rstrip()
        yield look.ink(written, Style.FAINT) if number == 0 else written
