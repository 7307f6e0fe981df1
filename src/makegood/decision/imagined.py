"""A run that is driven on with imagined outcomes: on no clock, into no journal, by nobody.

What next is asked of `decide`, as an engine asks it, and one turn is what an engine's turn is:
take what has ended, decide until nothing is added, append, and begin what is wanted. Only what
comes of what is begun is imagined, by whoever drives the run. A preview imagines that all goes
well; an exploration imagines everything that can go wrong, the worker's death included.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, assert_never

from makegood.decision import facts
from makegood.decision.commands import Compensate, Evaluate, Local, Start, Stop, Undo
from makegood.decision.decide import decide
from makegood.decision.evolve import evolve, expects, fold
from makegood.decision.retry import Chance
from makegood.decision.state import Phase
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.decision.commands import Decision
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.values.instants import Instant

__all__ = ["Body", "Death", "Decide", "Imagination", "ImaginedRun"]

Body = Start | Compensate | Undo
"""Something that is at work until it ends."""

DOWN = timedelta(seconds=11)
"""How long nobody looks after a run whose worker has died: its lease has run out then."""

_CHANCE = Chance(0)


class Imagination(Protocol):
    """What comes of what the core wants done at once, within the turn or its append."""

    def computed(self, run: ImaginedRun, command: Evaluate, /) -> Fact:
        """Return what is computed."""
        ...

    def local(self, run: ImaginedRun, command: Local, /) -> Sequence[Fact]:
        """Return what a local body's own append carries: that it began, and how it ended."""
        ...


Decide = Callable[["Plan", "RunState", "Instant", Chance], "Decision"]
"""The decision core, or what stands in for it where a rule of it is taken away."""

Death = tuple[int, bool]
"""The append, counted from 0, at which the worker dies, and whether that append is lost."""


class ImaginedRun:
    """One run, what is on record of it, and what is at work."""

    __slots__ = (
        "_decide",
        "_imagination",
        "_wanted",
        "appends",
        "chance",
        "claims",
        "deaths",
        "facts",
        "now",
        "plan",
        "state",
        "work",
    )

    def __init__(
        self,
        plan: Plan,
        imagination: Imagination,
        now: Instant,
        *,
        history: Iterable[Fact] = (),
        deaths: frozenset[Death] = frozenset(),
        chance: Chance = _CHANCE,
        decide: Decide = decide,
    ) -> None:
        self.plan = plan
        self.now = now
        self.chance = chance
        self.facts: list[Fact] = [*history]
        """Everything that has happened, in order; what the last append holds is durable."""
        self.state: RunState = fold(plan, self.facts)
        self.appends: list[int] = [len(self.facts)]
        """How many facts were on record before the first append, and after each one."""
        self.work: list[Body] = _at_work(self.state)
        """What is at work, the first begun first."""
        self.claims = self.state.claims
        self.deaths = deaths
        self._decide = decide
        self._imagination = imagination
        self._wanted: list[Body | Stop | Local] = []

    @property
    def recorded(self) -> Sequence[Fact]:
        """What its appends hold."""
        return self.facts[: self.appends[-1]]

    def turn(self, *arrivals: Fact) -> None:
        """Take what has ended, decide, append, and begin what is wanted."""
        self.take(*arrivals)
        while True:
            # A turn ends a phase of at least one node at each question, and has no more of them.
            while self.ask():
                pass
            if self._is_lost():
                continue
            local = self.begin()
            if local is None:
                return
            self.take(*self._imagination.local(self, local))
            self._is_lost()

    def end(self, body: Body, outcome: Fact) -> None:
        """End what is at work, in a turn of its own."""
        self.work.remove(body)
        self.turn(outcome)

    def pass_time(self) -> bool:
        """Turn the clock to what is due next; say whether there was anything."""
        if not self.turn_clock():
            return False
        self.turn()
        return True

    # What a turn is made of ---------------------------------------------------------------------

    def turn_clock(self) -> bool:
        """Turn the clock to what is due next, and do nothing about it."""
        due = self.state.next_due(self.now)
        if due is not None:
            self.now = due
        return due is not None

    def crash(self, down: timedelta = DOWN) -> None:
        """Lose everything that is on no record; another worker takes the run after a while."""
        del self.facts[self.appends[-1] :]
        self.state = fold(self.plan, self.facts)
        self.work, self._wanted = [], []
        self.claims += 1
        self.now = after(self.now, down)
        self.take(facts.Claimed(self.claims, self.now))

    def take(self, *arrivals: Fact) -> None:
        """Fold what has happened; what nobody waits for any more is dropped."""
        for fact in arrivals:
            if expects(self.state, fact):
                self._fold(fact)

    def ask(self) -> bool:
        """Ask the core once; say whether there may be more to ask."""
        decision = self._decide(self.plan, self.state, self.now, self.chance)
        for fact in decision.facts:
            self._fold(fact)
        has_added = bool(decision.facts)
        for command in decision.commands:
            if isinstance(command, Evaluate):
                self._fold(self._imagination.computed(self, command))
                has_added = True
            else:
                self._wanted.append(command)
        return has_added and not decision.is_last

    def begin(self) -> Local | None:
        """Begin what is wanted; a local body's is left to its append."""
        wanted, self._wanted = self._wanted, []
        for command in wanted:
            match command:
                case Start() | Compensate() | Undo():
                    self.work.append(command)
                case Stop(node=index):
                    self.work = [body for body in self.work if body.node != index]
                case Local():
                    assert command is wanted[-1], "a local body has an append of its own"
                    return command
                case _:
                    assert_never(command)
        return None

    def _fold(self, fact: Fact) -> None:
        evolve(self.state, fact)
        self.facts.append(fact)

    def _is_lost(self) -> bool:
        """Append what has happened since the last append; say whether the worker died of it."""
        durable, number = self.appends[-1], len(self.appends) - 1
        if len(self.facts) == durable:
            return False
        if (number, True) in self.deaths:
            self.deaths -= {(number, True)}
            self.crash()
            return True
        self.appends.append(len(self.facts))
        if not facts.PROGRESS.isdisjoint(map(type, self.facts[durable:])):
            self.claims = 0
        if (number, False) in self.deaths:
            self.crash()
            return True
        return False


def _at_work(state: RunState) -> list[Body]:
    """Return what a run is doing whose facts were not imagined here."""
    work: list[Body] = []
    for index, node in enumerate(state.nodes):
        match node.phase:
            case Phase.RUNNING:
                work.append(Start(index, node.attempt, node.generation, None))
            case Phase.ASKING:
                work.append(Compensate(index, node.asked, node.generation))
            case Phase.UNDOING:
                work.append(Undo(index, node.undo_attempt))
            case _:
                continue
    return work
