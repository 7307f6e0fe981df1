"""What is written fits the place: a terminal in its width and colours, a file, a program."""

from __future__ import annotations

import io
import json

import pytest

from makegood.cli.writing import Look, json_of, look_of


class Screen(io.StringIO):
    """A terminal, as far as it says so."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, True),
    ],
)
def test_a_terminal_has_colours_unless_it_says_otherwise(
    environment: dict[str, str], *, is_coloured: bool
) -> None:
    assert look_of(Screen(), environment).is_coloured is is_coloured


def test_what_is_no_terminal_has_no_colours_and_a_width_that_stays() -> None:
    assert look_of(io.StringIO(), {"TERM": "xterm", "COLUMNS": "40"}) == Look(width=100)


def test_json_means_the_same_and_can_be_looked_at_safely() -> None:
    value = {"注文 🚚": "\x1b[2J\x9b1m \u202e\U000e0001 \n", "plain": [1, None, "ä"]}
    written = json_of(value)
    assert json.loads(written) == value
    assert written.isprintable()
    assert "注文 🚚" in written
