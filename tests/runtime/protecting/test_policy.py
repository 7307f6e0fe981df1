"""What is refused when a service is said to be protected."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Breaker, InvalidInput, Rate, Service

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Breaker(failures=0), "failures is 0; it must be at least 1"),
    (
        lambda: Breaker(open_for=timedelta(0)),
        "open_for is 0:00:00; give a duration above zero and of at most 1 day",
    ),
    (lambda: Breaker(open_for=timedelta(days=2)), "open_for is 2 days, 0:00:00; give a duration"),
    (lambda: Rate(0), "limit is 0; it must be at least 1"),
    (lambda: Rate(100_001), "limit is 100,001; at most 100,000 calls may be counted"),
    (lambda: Rate(1, per=timedelta(days=2)), "per is 2 days, 0:00:00; give a duration above zero"),
    (lambda: Service("bank", at_once=0), "at_once is 0; it must be at least 1"),
]


@pytest.mark.parametrize(("make", "says"), WRONG)
def test_a_policy_that_cannot_work_is_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make()

    assert str(caught.value).startswith(says)
