"""How a step says that its result comes from outside, later: `later(within=…)`."""

from __future__ import annotations

from datetime import timedelta
from typing import NoReturn

from makegood.errors import OutcomeUnknown
from makegood.values.limits import AWAITED_MAX

__all__ = ["Later", "later"]


class Later(BaseException):
    """Raised by `later`: the body is over, and somebody outside will say how the step ended.

    It is no `Exception`, so that what a body does about errors lets it through. A test of the
    function itself expects it, as it would expect an error.
    """

    def __init__(self, within: timedelta) -> None:
        super().__init__(f"the result is told within {within}")
        self.within: timedelta = within


def later(*, within: timedelta) -> NoReturn:
    """End the body of a step whose result is told from outside: `engine.complete`, `engine.fail`.

    Hand the step's `CompletionToken` to the other side before. `within` is how long its answer
    is waited for, at most 366 days; then the step is in doubt, because the other side may have
    done what it was asked. Call it last; it does not return.
    """
    if not timedelta(0) < within <= AWAITED_MAX:
        # The other side was asked before: that this line is wrong says nothing about the effect.
        message = (
            f"later(within={within}) is out of bounds; give a duration above zero and of at most "
            f"{AWAITED_MAX.days} days"
        )
        raise OutcomeUnknown(message)
    raise Later(within)
