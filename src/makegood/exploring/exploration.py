"""What comes out of exploring a workflow: what would be left behind, and how it comes to that."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from makegood.exploring.examples import Examples
from makegood.exploring.report import as_text
from makegood.exploring.setting import Setting
from makegood.exploring.survey import survey
from makegood.exploring.telling import causes_in_words, story_of
from makegood.exploring.world import play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from makegood.definition.plan import Plan
    from makegood.definition.workflow import Workflow
    from makegood.exploring.survey import Invariant, Seen

__all__ = ["WORLDS_MAX", "Discovery", "Exploration", "explore", "gathered"]


_ROUND = re.compile(r"\[[0-9]+\]")


WORLDS_MAX = 200_000
"""How many worlds are played, unless more are asked for: some minutes' worth."""


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was found, in how many worlds, and the shortest story of how it comes."""

    node: str
    """The node that it is about; empty when it is about the whole run. `each[…]/pack` is `pack` in
    any round of `each`."""
    what: str
    worlds: int
    cause: tuple[str, ...]
    """What goes wrong in the shortest of them, in words."""
    story: tuple[str, ...]
    """What happens in it, in words."""
    held: tuple[str, ...] = ()
    """What else stands in it until a person has settled what is left."""

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.node} {self.what}" if self.node else self.what


class Exploration(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in all worlds of a workflow."""

    workflow: str
    fingerprint: str
    pairs: bool
    """Whether every pair of faults was played, and not only every one by itself."""
    worlds: int
    is_cut: bool = False
    """Whether there are more worlds than were to be played."""
    ends: dict[str, int]
    """How many of them ended in each status."""
    left: tuple[Discovery, ...]
    """What would be left behind for a person."""
    kept: tuple[Discovery, ...]
    """What would stay although the run goes back, as is declared."""
    broken: tuple[Discovery, ...]
    """Promises that would be broken: the engine's, and the invariants that were given."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing would be left behind and no promise broken, in any world there is."""
        return not (self.left or self.broken or self.is_cut)

    def __str__(self) -> str:
        """Return it as `makegood explore` writes it."""
        return as_text(self)


def explore(
    workflow: Workflow[..., Any],  # Any: whatever it takes and returns
    *,
    inputs: Mapping[str, object] | None = None,
    examples: Mapping[Any, object] | None = None,
    pairs: bool = False,
    invariants: Sequence[Invariant] = (),
    worlds_max: int = WORLDS_MAX,
) -> Exploration:
    """Play a workflow in every world in which one thing goes wrong, and say what it leaves.

    No function of a step is called: what each returns is an example of its declared type, and what
    it does is a fault or none. Functions that only compute are called with those. `inputs` are
    those of the run by name, `examples` are values by their types; all others are made from the
    types alone. `pairs` plays every pair of faults too. Each of the `invariants` is given a world
    and returns a sentence for everything that is wrong in it. After `worlds_max` worlds it ends,
    and says so.

    Raises `InvalidInput` when an input does not fit, or no example of a type can be made.
    """
    setting = Setting(workflow, Examples(examples), inputs or {})

    def told(seen: Seen) -> tuple[str, ...]:
        return story_of(setting.plan, play(setting, seen.world))

    seen = survey(setting, pairs=pairs, invariants=invariants)
    return gathered(setting.plan, seen, told, pairs=pairs, worlds_max=worlds_max)


def gathered(
    plan: Plan,
    seen: Iterable[Seen],
    told: Callable[[Seen], tuple[str, ...]],
    *,
    pairs: bool,
    worlds_max: int = WORLDS_MAX,
) -> Exploration:
    """Put what was found in each world together; `told` tells what happens in one."""
    ends: Counter[str] = Counter()
    left, kept, broken = _Shortest(), _Shortest(), _Shortest()
    is_cut = False
    for number, each in enumerate(seen):
        if number >= worlds_max:
            is_cut = True
            break
        ends[each.status] += 1
        for item in each.left:
            left.add(item.node, item.what, each)
        for item in each.kept:
            kept.add(item.node, item.what, each)
        for sentence in each.broken:
            broken.add("", sentence, each)
    return Exploration(
        workflow=plan.workflow,
        fingerprint=plan.fingerprint,
        pairs=pairs,
        worlds=ends.total(),
        is_cut=is_cut,
        ends=dict(sorted(ends.items())),
        left=left.findings(told),
        kept=kept.findings(told),
        broken=broken.findings(told),
    )


class _Shortest:
    """Findings of one sort: how often each was made, and the world with the shortest story."""

    def __init__(self) -> None:
        self._worlds: Counter[tuple[str, str]] = Counter()
        self._shortest: dict[tuple[str, str], Seen] = {}

    def add(self, node: str, sentence: str, seen: Seen) -> None:
        # What is found of a node in one round is found in any other.
        what = _ROUND.sub("[…]", node), sentence
        self._worlds[what] += 1
        shortest = self._shortest.get(what)
        if shortest is None or _length(seen) < _length(shortest):
            self._shortest[what] = seen

    def findings(self, told: Callable[[Seen], tuple[str, ...]]) -> tuple[Discovery, ...]:
        return tuple(
            Discovery(
                node=node,
                what=what,
                worlds=worlds,
                cause=causes_in_words(self._shortest[node, what].world),
                story=told(self._shortest[node, what]),
                held=self._shortest[node, what].held,
            )
            for (node, what), worlds in self._worlds.items()
        )


def _length(seen: Seen) -> tuple[int, int, int]:
    """Say how long the story of a world is: what has to be explained first, then what happens."""
    return len(seen.world.faults), len(seen.world.taken), seen.facts
