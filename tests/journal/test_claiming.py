"""How many due runs are claimed at once."""

from __future__ import annotations

import pytest

from makegood.journal.claiming import claimed_at_once


@pytest.mark.parametrize(
    ("claims", "taken"),
    [
        ([], 0),
        ([0], 1),
        ([1, 0, 1], 3),
        ([2], 1),
        ([2, 0, 0], 1),
        ([0, 1, 2, 0], 2),
        ([9, 9], 1),
    ],
)
def test_a_suspect_is_claimed_alone_in_its_turn(claims: list[int], taken: int) -> None:
    assert claimed_at_once(claims) == taken
