"""How what nobody knows the end of is looked up."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from makegood.commerce.services.looking import LOOKS_MAX, wait_before


def test_a_look_waits_longer_than_the_one_before_it_up_to_a_minute() -> None:
    waits = [wait_before(look) for look in range(1, LOOKS_MAX + 1)]

    assert all(first <= second for first, second in pairwise(waits))
    assert waits[0] < timedelta(seconds=1)
    assert waits[-1] == timedelta(minutes=1)
