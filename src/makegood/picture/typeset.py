r"""How text from outside is made fit to be drawn: every character visible, every line in bounds.

Names, keys, reasons and error messages come from users. A terminal obeys some characters, a page
reorders others, and neither is allowed here: they are written as Python writes them, `\x1b`.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FONTS",
    "LINE",
    "NAME_SIZE",
    "PADDING",
    "SMALL",
    "TEXT_SIZE",
    "cells",
    "cut",
    "number",
    "padded",
    "plain",
    "safe",
    "shortened",
    "text_width",
    "visible",
    "wrapped",
]

# A picture is drawn in whatever font its viewer has. These widths are those of DejaVu Sans, rounded
# up, which is among the widest of the fonts that systems bring for their own texts: text may take
# less room than it is given, never more.
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, 'DejaVu Sans', sans-serif"

NAME_SIZE = 14.0
TEXT_SIZE = 12.0
SMALL = 11.0
LINE = 17.0
"""How far it is from one line to the next."""
PADDING = 12.0
"""How much room a box has around its text."""

_BOLDER = 0.08
"""How much wider a bold character is, in ems."""

_EMS: dict[str, float] = {
    character: ems
    for ems, characters in (
        (0.3, "'IJijl"),
        (0.36, " ,./:;\\f|·"),
        (0.4, "()-[]t"),
        (0.47, '!"r’'),
        (0.53, "*_`sz–"),
        (0.6, "?FLckvxy"),
        (0.65, "$0123456789EPSTYabdeghnopqu{}"),
        (0.7, "ABCKRVXZ"),
        (0.78, "&DGHNU"),
        (0.84, "#+<=>OQ^w~×→"),
        (0.9, "M"),
        (1.03, "%@Wm"),
    )
    for character in characters
}
_EMS_OTHER = 1.1
"""A character of another alphabet."""
_EMS_WIDE = 1.3
"""An ideograph or an emoji."""


def visible(text: str) -> str:
    """Return text in one line, in which every character shows and none is obeyed."""
    return "".join(_shown(each) for each in text)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character.isspace():
        return " "
    return character.encode("unicode_escape").decode("ascii")


def safe(text: str) -> str:
    """Return text of several lines in which nothing means anything to XML."""
    return "\n".join(escape(visible(line)) for line in text.split("\n"))


def number(value: float) -> str:
    """Return a number as short as a picture needs it."""
    return f"{round(value, 1):g}"


def cells(text: str) -> int:
    """Return how many columns of a terminal visible text takes."""
    return sum(_cells(each) for each in text)


def _cells(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def padded(text: str, width: int) -> str:
    """Return text with spaces behind it, up to a number of columns."""
    return text + " " * (width - cells(text))


def shortened(text: str, width: float, measure: Callable[[str], float] = cells) -> str:
    """Return text, or as much of its beginning as fits with `…` behind it."""
    if measure(text) <= width:
        return text
    end = _fitting(text, width - measure("…"), measure)
    return f"{text[:end].rstrip()}…"


def wrapped(text: str, width: float, measure: Callable[[str], float] = cells) -> list[str]:
    """Return text in lines that fit, broken at spaces where there are any."""
    lines: list[str] = []
    rest = text.strip()
    while measure(rest) > width:
        fits = max(_fitting(rest, width, measure), 1)
        space = rest.rfind(" ", 0, fits + 1)
        end = space if space > 0 else fits
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*lines, rest] if rest else lines


def cut(
    text: str, width: float, measure: Callable[[str], float] = cells, *, lines_max: int
) -> list[str]:
    """Return text in at most so many lines that fit, the last one shortened where it must be."""
    lines = wrapped(text, width, measure)
    if len(lines) <= lines_max:
        return lines
    rest = " ".join(lines[lines_max - 1 :])
    return [*lines[: lines_max - 1], shortened(rest, width, measure)]


def _fitting(text: str, width: float, measure: Callable[[str], float]) -> int:
    """Return how many characters of text fit into a width, each measured by itself."""
    taken = 0.0
    for position, character in enumerate(text):
        taken += measure(character)
        if taken > width:
            return position
    return len(text)


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the room that visible text takes at most in a picture, in the unit of its size."""
    return size * sum(_ems(each) + (_BOLDER if bold else 0) for each in text)


def _ems(character: str) -> float:
    known = _EMS.get(character)
    if known is not None:
        return known
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0.0
    is_wide = unicodedata.east_asian_width(character) in {"W", "F"}
    return _EMS_WIDE if is_wide else _EMS_OTHER


def plain(name: str) -> str:
    """Return a name in the characters that an id in Mermaid may have, each name as another one."""
    return _NOT_PLAIN.sub(lambda found: f"_{ord(found[0]):x}_", name)


_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_]")
