"""Whether what is recorded of a lifecycle keeps its promises: read by a witness of the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.definition.lifecycle.machine import Machine
    from makegood.exploring.witnessing.witness import Witness

__all__ = ["Stands", "read_of_lifecycle"]


class Stands:
    """Where a witness has seen the record stand."""

    def __init__(self, machine: Machine | None) -> None:
        self.machine = machine
        self.status: str | None = None
        self.rounds = 0
        self.calling: str | None = None
        """The handler that was called, and of which nothing was made yet."""
        self.paused_by: str | None = None
        """The handler that has let the record stay last."""
        self.handled: set[str] = set()
        """The messages for which a handler was called."""
        self.listens: set[str] = set()
        """What the status listens for: messages, and timers by their handlers."""

    def catches(self, path: str) -> bool:
        """Say whether it pauses the run, and does not fail it, that this node gave up."""
        return self.machine is not None and self.machine.pauses and "]/" in path

    def pauses(self, actor: str) -> bool:
        """Say whether it is the handler that was called last who has paused the run."""
        return self.paused_by is not None and actor.endswith(f"/{self.paused_by}")


def read_of_lifecycle(witness: Witness, fact: Fact) -> None:
    """Read where the record of a lifecycle goes, and who is called for it."""
    stands = witness.stands
    machine = stands.machine
    assert machine is not None, "only the record of a lifecycle stands somewhere"
    assert witness.rolling_back is None, "it goes on although the run goes back"
    assert not witness.running | witness.asking, "it goes on while a handler is at work"
    match fact:
        case facts.Moved(status=status):
            assert fact.origin == stands.status, "it has left a status in which it was not"
            assert stands.status not in machine.terminal, "it has left a terminal status"
            if fact.origin is None:
                assert status == machine.start, "it begins elsewhere than at its start"
            else:
                assert fact.handler == stands.calling, "it was moved by nobody"
                to = machine.handler(fact.handler).to
                assert status in to, f"{fact.handler} does not lead to {status}"
            stands.status, stands.calling, stands.listens = status, None, set()
            witness.pivot_done = witness.pivot_done or status in machine.pivots
        case facts.HandlingBegan(handler=name):
            assert stands.calling is None, "two handlers are called at once"
            assert fact.round == stands.rounds, "its rounds are miscounted"
            assert stands.status in machine.handler(name).statuses, f"{name} is called elsewhere"
            stands.rounds += 1
            stands.calling = name
            if fact.cause == "message":
                assert fact.message not in stands.handled, "a message is handled twice"
                stands.handled.add(fact.message)
            if fact.cause == "timer":
                assert name in stands.listens, f"the timer of {name} is not set, and fires"
                stands.listens.remove(name)
        case facts.Stayed(handler=name):
            assert name == stands.calling, "nobody has let it stay"
            stands.calling, stands.paused_by = None, name
            if fact.rearms:
                stands.listens -= {each.name for each in machine.handlers}
        case facts.Listened(messages=messages, timers=timers):
            assert stands.calling is None, "it listens while a handler is called"
            assert stands.status not in machine.terminal, "it listens in a terminal status"
            stands.listens |= {*messages, *timers}
        case _:
            pass
