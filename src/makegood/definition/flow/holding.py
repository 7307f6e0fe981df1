"""How a run holds a key for itself: `hold`.

It is a wait: what the run is told is that the key is its own now. Who that is among those who want
it is found when the claim is delivered, by the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn, cast

from makegood.definition.code import BodyCode
from makegood.definition.plan import Backoff, Kind, Node
from makegood.definition.reading.fit import type_name
from makegood.definition.reading.place import caller
from makegood.definition.reading.signature import read_signature
from makegood.definition.recipe import Recipe
from makegood.definition.trace import UNWIRED, Wiring, current_trace
from makegood.errors import DefinitionError, InvalidInput
from makegood.values.codec import codec_of
from makegood.values.held import HELD, Held
from makegood.values.ids import parse_message_key
from makegood.values.instants import Instant, after
from makegood.values.limits import SLEEP_MAX

__all__ = ["Hold", "hold"]

if TYPE_CHECKING:
    from collections.abc import Callable


def _wanted(key: str, within: timedelta) -> None:
    """Hold this key."""


def _address(now: Instant, *, key: str, within: timedelta) -> tuple[str, Instant]:
    """Return the key that is wanted from now on, and until when it is waited for."""
    parse_message_key(key)
    if not timedelta(0) < within <= SLEEP_MAX:
        message = (
            f"hold(…, within={within}) has no sense; give a duration above zero and of at most "
            f"{SLEEP_MAX.days:,} days"
        )
        raise InvalidInput(message)
    return key, after(now, within)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Hold:
    """Holds a key; wired like a step. There is one, `hold`."""

    wiring: Wiring = UNWIRED

    def __call__(self, key: str, *, within: timedelta) -> Held:
        """Wait until no other run holds this key, and hold it until this run ends.

        What must not go on beside another run follows by `.after(…)` what this returns. Keys are
        common to all workflows of a journal, so begin each with what it is of: `account/17`. Runs
        are given a key in the order in which they asked for it. When `within` is over before, the
        hold fails with `HoldTimedOut`. A run that a holder calls holds the key with it. A parked
        run keeps what it holds, for what it has done may still have to be undone.
        """
        trace = current_trace("hold(…) is called", "call it inside a function under @workflow")
        given = {"key": key, "within": within}
        placed = cast("object", trace.add(_recipe(), self.wiring, (), given))
        return cast("Held", placed)

    def named(self, name: str) -> Hold:
        """Return a copy with a name of its own, for a workflow that holds more than one key."""
        return replace(self, wiring=replace(self.wiring, name=name))

    def after(self, *results: object) -> Hold:
        """Return a copy that begins when these results are there."""
        return replace(self, wiring=replace(self.wiring, after=(*self.wiring.after, *results)))

    def when(self, flag: bool) -> NoReturn:  # noqa: ARG002, FBT001 - as a step is guarded
        """Refuse a guard: whether to hold is a choice between branches."""
        message = (
            f"{caller()}: hold(…) is not guarded by .when(…); let "
            "switch(flag, {True: lambda: …, False: lambda: …}) choose"
        )
        raise DefinitionError(message)

    def __repr__(self) -> str:
        return f"<{self.wiring.name or 'hold'}(key, within)>"


hold = Hold()
"""Hold a key: `held = hold(account, within=timedelta(minutes=5))`, then `charge.after(held)(…)`."""


def _recipe() -> Recipe:
    function: Callable[..., tuple[str, Instant]] = _address
    return Recipe(
        place=caller(),
        node=Node(
            path="hold",
            kind=Kind.WAIT,
            function=HELD,
            returns=type_name(Held),
            retry=Backoff(attempts=1),
            timeout=None,
        ),
        signature=replace(read_signature(_wanted), returns=Held),
        body=BodyCode(function=function),
        result=codec_of(Held),
    )
