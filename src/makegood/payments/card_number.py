"""Whether a text holds a card number, in the disguises in which one gets in by mistake.

A card number that is stored anywhere puts that place under the card schemes' rules, so whatever
looks like one is refused at the door, without being repeated in the message.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["holds_card_number"]

_DIGITS_MIN = 13
_DIGITS_MAX = 19
_TEXT_CHARACTERS_MAX = 1_000
_DIGIT_RUN = re.compile(r"\d(?:[\s./_-]{0,3}\d){12,}", re.ASCII)


def holds_card_number(text: str) -> bool:
    """Say whether a text holds 13 to 19 digits that pass the check of card numbers (Luhn).

    Digits may be separated, written in another script, URL-encoded or in Base64. Of a run that is
    longer than a card number every part is tried. A text of over 1,000 characters is taken for
    one that may hold anything.
    """
    if len(text) > _TEXT_CHARACTERS_MAX:
        return True
    return any(_plainly_holds(reading) for reading in _readings(text))


def _readings(text: str) -> Iterator[str]:
    yield text
    yield unquote(text)
    try:
        yield base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return


def _plainly_holds(text: str) -> bool:
    latin = "".join(_latin_digit(character) for character in text)
    return any(
        _passes_luhn(part)
        for run in _DIGIT_RUN.findall(latin)
        for part in _parts([int(character) for character in run if character.isdigit()])
    )


def _latin_digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def _parts(digits: list[int]) -> Iterator[list[int]]:
    if len(digits) <= _DIGITS_MAX:
        yield digits
        return
    for start in range(len(digits) - _DIGITS_MIN + 1):
        for length in range(_DIGITS_MIN, min(_DIGITS_MAX, len(digits) - start) + 1):
            yield digits[start : start + length]


def _passes_luhn(digits: list[int]) -> bool:
    """Double every second digit from the right, add all digits up: the sum ends in 0."""
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return any(digits) and (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
