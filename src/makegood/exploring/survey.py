"""Which worlds are there, and what is found in each? Every single fault, or every pair as well.

The ways that a run can go without any fault come first: each option of each choice, one at a time,
and what is at work at once ending the other way round.
In every one of them each fault that can befall it is played by itself. An undo is called only after
something else has failed, and a compensate only about something in doubt; so a fault of theirs is
played together with what leads to it, which is not counted as another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from makegood.decision.facts import EndStatus, Moved
from makegood.exploring.choices import LAST_FIRST
from makegood.exploring.faults import (
    Befalls,
    Cancelled,
    Dies,
    Fault,
    How,
    Meanwhile,
    Reversed,
    Twice,
    faults_of,
    may_follow,
)
from makegood.exploring.findings import Left, broken_in, held_in, kept_in, left_in
from makegood.exploring.telling import causes_in_words
from makegood.exploring.world import Played, World, play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.exploring.setting import Setting

__all__ = ["Explored", "Invariant", "Seen", "survey"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one world."""

    world: World
    status: str
    facts: int
    """How many there are on record: the shorter story has fewer."""
    left: tuple[Left, ...]
    held: tuple[str, ...]
    """What stands until somebody has settled what is left."""
    kept: tuple[Left, ...]
    """What stays done although the run went back, as was declared."""
    broken: tuple[str, ...]
    """Promises that were broken, the engine's and the user's."""


class Explored(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one world, for an invariant to look at. Names are node paths."""

    cause: tuple[str, ...]
    """What goes wrong in it, in words."""
    status: str
    done: tuple[str, ...]
    """What has happened and stands, as the run has it, in the order of completion."""
    undone: tuple[str, ...]
    kept: tuple[str, ...]
    left: tuple[str, ...]
    """What a person must settle."""
    stands: frozenset[str] = frozenset()
    """What stands outside, whatever the run has on record of it; of an imagined world only."""
    moves: tuple[str, ...] = ()
    """The statuses that the record of a lifecycle has entered, in order; of an imagined world."""
    services: Mapping[type, object] = {}
    """What the steps were given; of a world only whose steps were really called."""


Invariant = Callable[[Explored], Iterable[str]]
"""Says what is wrong with a world, in a sentence each."""


def survey(
    setting: Setting, *, pairs: bool = False, invariants: Sequence[Invariant] = ()
) -> Iterator[Seen]:
    """Play every world, and give what was found in each."""
    return _Survey(setting, invariants).worlds(pairs=pairs)


class _Survey:
    def __init__(self, setting: Setting, invariants: Sequence[Invariant]) -> None:
        self.setting = setting
        self.invariants = invariants
        self.played: set[tuple[World, frozenset[Fault]]] = set()

    def worlds(self, *, pairs: bool) -> Iterator[Seen]:
        for way, shared in self.ways():
            yield self.seen(way)
            singles: list[Played] = []
            for fault in self.possible(way, shared):
                single = self.play(way.world, fault)
                if single is not None:
                    singles.append(single)
                    yield self.seen(single)
            for single, fault in _consequences(way, singles):
                played = self.play(single.world, fault)
                if played is not None:
                    yield self.seen(played)
            for single in singles if pairs else ():
                for fault in self.possible(single):
                    played = self.play(single.world, fault)
                    if played is not None:
                        yield self.seen(played)

    def ways(self) -> Iterator[tuple[Played, int]]:
        """Give every way that the run can go without a fault, one choice at a time.

        With how many of its facts are those of the way that led to it: in a lifecycle, which has
        many ways, what befalls a record on the shared part was played there.
        """
        waiting: list[tuple[World, frozenset[str], bool, Played | None]]
        waiting = [(World(), frozenset(), False, None)]
        # Every option that is taken is of another choice, of which a run has a bounded number; how
        # many worlds are played at most is for whoever takes them.
        while waiting:
            world, known, was_parallel, origin = waiting.pop(0)
            way = play(self.setting, world)
            yield way, _shared(origin, way)
            choices, is_parallel = way.outside.choices, was_parallel or way.is_parallel
            # What has been met on the way here was varied there.
            varied = known | set(choices)
            if is_parallel and not was_parallel:
                waiting.append((World((*world.taken, LAST_FIRST)), varied, True, way))
            for key, choice in choices.items():
                if key not in known:
                    waiting += [
                        (World((*world.taken, option)), varied, is_parallel, way)
                        for option in choice.options
                        if option.taken != way.outside.taken(key)
                    ]

    def play(self, world: World, fault: Fault) -> Played | None:
        """Play a world with one fault more; None when it was played before, or cannot be."""
        faults = (*world.faults, fault)
        together = World(world.taken), frozenset(faults)
        if together in self.played:
            return None
        self.played.add(together)
        return play(self.setting, World(world.taken, faults))

    def possible(self, played: Played, shared: int = 0) -> Iterator[Fault]:
        """Give every fault that could befall this run, from a fact on, besides those that did."""
        state, places = played.state, _places(played)
        # With another outcome, what was in doubt may be found to have had that.
        other: str | None = getattr(played.facts[shared], "node", None) if shared else None
        befallen = [each for each in played.world.faults if isinstance(each, Befalls)]
        for path, direction in played.outside.met:
            first, last = places.get(path, (shared, shared))
            if (first if direction == "do" else last) < shared and path != other:
                continue
            before = [each for each in befallen if (each.node, each.direction) == (path, direction)]
            index = state.positions[path]
            may_act = direction != "do" or self.setting.may_act(state, index)
            for fault in faults_of(state.graph[index], path, direction):
                # What computes from its record alone can fail, and nothing else can become of it.
                if not may_act and fault.how is not How.FAILS:
                    continue
                if not before or (len(before) == 1 and may_follow(before[0], fault)):
                    yield fault
        for number in range(played.appends):
            if played.marks[number + 1] <= shared:
                continue
            # Before the first append there is no run whose worker could die.
            if number:
                yield Dies(number, is_lost=True)
            yield Dies(number, is_lost=False)
        yield from _comings(played, shared)
        if state.ended is EndStatus.COMPLETED and Reversed() not in played.world.faults:
            yield Reversed()

    def seen(self, played: Played) -> Seen:
        plan, state = self.setting.plan, played.state
        broken = [*broken_in(plan, played, self.setting.atlas)]
        if self.invariants:
            explored = _explored(played, self.setting)
            for invariant in self.invariants:
                broken += invariant(explored)
        return Seen(
            world=played.world,
            status=state.status,
            facts=len(played.facts),
            left=left_in(plan, state),
            held=held_in(state, self.setting),
            kept=kept_in(state, self.setting),
            broken=tuple(broken),
        )


def _explored(played: Played, setting: Setting) -> Explored:
    state = played.state
    return Explored(
        cause=causes_in_words(played.world),
        status=state.status,
        done=tuple(state.graph[index].path for index in state.done_order),
        undone=tuple(state.graph[index].path for index in state.undone_order),
        kept=tuple(item.node for item in kept_in(state, setting)),
        left=tuple(state.graph[index].path for index in state.stuck),
        stands=frozenset(played.outside.stands),
        moves=tuple(fact.status for fact in played.facts if isinstance(fact, Moved)),
    )


def _shared(origin: Played | None, way: Played) -> int:
    """Return how many facts a way of a lifecycle has in common with the one that led to it."""
    if origin is None or way.state.lifecycle is None:
        return 0
    pairs = zip(origin.facts, way.facts, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), 0)


def _places(played: Played) -> Mapping[str, tuple[int, int]]:
    """Return where the first and the last fact about each node stand."""
    found: dict[str, tuple[int, int]] = {}
    for place, fact in enumerate(played.facts):
        path: str | None = getattr(fact, "node", None)
        if path is not None:
            found[path] = (found[path][0] if path in found else place, place)
    return found


def _comings(played: Played, shared: int) -> Iterator[Fault]:
    """Give what else could come to the record of a lifecycle in this world, from a fact on."""
    if played.state.lifecycle is None:
        return
    comings = played.outside.standing.comings
    more: list[Fault] = [
        Cancelled(status) for status, place in comings.stands.items() if place >= shared
    ]
    more += [Twice(message) for message, place in comings.again.items() if place >= shared]
    more += [
        Meanwhile(node, message)
        for (node, message), place in comings.meanwhile.items()
        if place >= shared
    ]
    befallen = {type(fault) for fault in played.world.faults}
    yield from (fault for fault in more if type(fault) not in befallen)


def _consequences(way: Played, singles: Sequence[Played]) -> Iterator[tuple[Played, Fault]]:
    """Give the faults that need another one before them, with the one that leads to them."""
    undos: dict[str, Played] = {}
    for single in sorted(singles, key=_weight, reverse=True):
        state = single.state
        for path, direction in single.outside.met:
            if (path, direction) in way.outside.met or direction == "do":
                continue
            node = state.graph[state.positions[path]]
            if direction == "undo":
                if path in undos:
                    continue
                undos[path] = single
            elif not _opens_doubt(single, path):
                continue
            for fault in faults_of(node, path, direction):
                yield single, fault
    if undos:
        widest = max(undos.values(), key=_weight)
        for number in range(1, widest.appends):
            yield widest, Dies(number, is_lost=True)
            yield widest, Dies(number, is_lost=False)


def _weight(played: Played) -> tuple[bool, int, int]:
    """Say how well a world shows what going back can come to: a plain failure, late in the run."""
    [fault] = played.world.faults
    is_plain = isinstance(fault, Befalls) and fault.how is How.FAILS
    undos = sum(direction == "undo" for _, direction in played.outside.met)
    return is_plain, undos, -len(played.facts)


def _opens_doubt(played: Played, path: str) -> bool:
    """Say whether exactly this node is in doubt in a world, and for a moment only."""
    [fault] = played.world.faults
    return isinstance(fault, Befalls) and (
        fault.node == path and fault.how in {How.LOST_BEFORE_ONCE, How.LOST_AFTER_ONCE}
    )
