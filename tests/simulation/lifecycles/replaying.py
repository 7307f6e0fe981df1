"""Is the record of a lifecycle what its moves make of it? A reader of the facts and of the rules.

It knows the shop's rules and nothing of the decision core: who was called, for what, and what the
rules make of the record then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from makegood import Again, CancelRun, FailRun, Goto, Rearm, Stay
from makegood.decision import facts
from makegood.decision.facts import EndStatus
from makegood.values.instants import after, as_instant
from makegood.values.outcomes import UNCHANGED
from tests.simulation.lifecycles import rules
from tests.simulation.lifecycles.rules import Changed, Order, Paid, Status, Withdrawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.values.instants import Instant

__all__ = ["Replay", "left_by"]

MESSAGES = {kind.__name__: kind for kind in (Paid, Changed, Withdrawn)}
KINDS = {
    "goto": Goto,
    "stay": Stay,
    "rearm": Rearm,
    "again": Again,
    "cancel": CancelRun,
    "fail": FailRun,
}


class Replay:
    """Replays one run; `wrong` says where the facts are not what the rules make of them."""

    def __init__(self, name: str, history: Sequence[facts.Fact]) -> None:
        self.order: Order | None = None
        self.status: Status | None = None
        self.moves: list[tuple[str | None, str]] = []
        """From where to where it has moved."""
        self.handled: list[str] = []
        """The messages for which a handler was called, in order."""
        self.outcomes: list[str] = []
        """What handlers gave, in order."""
        self._name = name
        self._history = history
        self._dues: dict[str, Instant] = {}
        self._came: dict[str, facts.MessageCame] = {}
        self._calling: facts.HandlingBegan | None = None
        self._is_packed = False
        self._said: Any = None  # Any: an outcome of whatever handler it is.
        self._has_given_up = False
        self.wrong = [*self._read()]

    def _read(self) -> Iterator[str]:
        for fact in self._history:
            match fact:
                case facts.RunStarted(inputs=inputs):
                    self.order = msgspec.json.decode(inputs["record"], type=Order)
                case facts.MessageCame(id=letter):
                    self._came[letter] = fact
                case facts.HandlingBegan():
                    yield from self._begins(fact)
                case facts.ChildEnded(node=node, status=status) if node.endswith("packed-run"):
                    # It ends once more where it is undone, and nobody is called for that.
                    self._is_packed = status is EndStatus.COMPLETED
                case facts.NodeGaveUp():
                    self._has_given_up = True
                case facts.NodeDone(node=node, result=result) if node == self._at_work:
                    yield from self._said_by(bytes(result))
                case facts.NodeDone(node=node, result=result) if node == self._name:
                    if msgspec.json.decode(result, type=Order) != self.order:
                        yield f"it gave {bytes(result)!r}, and the record is {self.order}"
                case facts.Moved():
                    yield from self._moves(fact)
                case facts.Stayed():
                    yield from self._stays(fact)
                case facts.Listened():
                    yield from self._listens(fact)
                case _:
                    pass

    @property
    def _at_work(self) -> str | None:
        called = self._calling
        return None if called is None else f"{self._name}[{called.round}]/{called.handler}"

    def _begins(self, fact: facts.HandlingBegan) -> Iterator[str]:
        self._calling, self._said, self._has_given_up = fact, None, False
        if fact.cause == "message":
            self.handled.append(fact.message)
        if fact.cause != "timer":
            return
        due = self._dues.pop(fact.handler, None)
        if due is None:
            yield f"the timer of {fact.handler} fired in a visit that has not set it"
        elif fact.at < due:
            yield f"the timer of {fact.handler} fired {due - fact.at} µs too early"

    def _said_by(self, result: bytes) -> Iterator[str]:
        assert self._calling is not None, "a handler has given it"
        assert self.order is not None, "the run has begun"
        self._said = self._expected(self._calling, self.order)
        stored: dict[str, Any] = msgspec.json.decode(result)  # Any: an outcome as it is stored.
        self.outcomes.append(stored["outcome"])
        if KINDS[stored["outcome"]] is not type(self._said):
            yield f"{self._calling.handler} gave {stored}, and should give {self._said}"
        elif isinstance(self._said, Goto) and stored["status"] != self._said.status.name:
            yield f"{self._calling.handler} goes to {stored}, and should go to {self._said}"
        left = left_by(result)
        wanted = None if self._said.record is UNCHANGED else self._said.record
        if left != wanted:
            yield f"{self._calling.handler} left {left}, and should leave {wanted}"
        self.order = self.order if wanted is None else wanted

    # Any: an outcome of whatever handler it is.
    def _expected(self, called: facts.HandlingBegan, order: Order) -> Any:
        match called.handler:
            case "settle" | "change" | "withdraw":
                came = self._came[called.message]
                kind = MESSAGES[came.message.rpartition(".")[2]]
                message = msgspec.json.decode(came.value, type=kind)
                return getattr(rules, called.handler)(order, message)
            case "packed":
                return rules.packed(order, is_packed=self._is_packed)
            case _:
                return getattr(rules, called.handler)(order)

    def _moves(self, fact: facts.Moved) -> Iterator[str]:
        self.moves.append((fact.origin, fact.status))
        if self.status is None:
            wanted = Status.NEW.name
        else:
            wanted = self._said.status.name if isinstance(self._said, Goto) else "nowhere"
        if (fact.origin, fact.status) != (self.status and self.status.name, wanted):
            yield f"it moved from {fact.origin} to {fact.status}, and should move to {wanted}"
        self.status = Status[fact.status]
        self._dues.clear()

    def _stays(self, fact: facts.Stayed) -> Iterator[str]:
        if not (self._has_given_up or isinstance(self._said, Stay | Rearm | Again)):
            yield f"it stayed, and {fact.handler} gave {self._said}"
        if fact.rearms != isinstance(self._said, Rearm):
            yield f"its timers began anew: {fact.rearms}, and {fact.handler} gave {self._said}"
        if isinstance(self._said, Again) and fact.again != after(fact.at, self._said.after):
            yield f"{fact.handler} is called again at {fact.again}"
        if fact.rearms:
            self._dues.clear()

    def _listens(self, fact: facts.Listened) -> Iterator[str]:
        assert self.order is not None, "the run has begun"
        until = self.order.until
        times = {
            "remind": after(fact.at, rules.REMINDED_AFTER),
            "close": after(fact.at, rules.CLOSED_AFTER),
            "lapse": None if until is None else as_instant(until),
        }
        for name, due in fact.timers.items():
            if due != times[name]:
                yield f"the timer of {name} is set to {due}, and should be to {times[name]}"
        self._dues.update(fact.timers)


def left_by(result: bytes) -> Order | None:
    """Return the record as a handler has left it; None where it left it as it was."""
    stored: dict[str, Any] = msgspec.json.decode(result)  # Any: an outcome as it is stored.
    return msgspec.convert(stored["record"], Order) if "record" in stored else None
