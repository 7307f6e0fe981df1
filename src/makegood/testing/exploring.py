"""Exploring with a user's own services: every fault befalls functions that are really called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.errors import Declined, InvalidInput, OutcomeUnknown, Unavailable
from makegood.exploring.examples import Examples
from makegood.exploring.exploration import gathered
from makegood.exploring.faults import Befalls, Fault, How
from makegood.exploring.findings import Left
from makegood.exploring.setting import Setting
from makegood.exploring.survey import Explored, Seen, survey
from makegood.exploring.telling import causes_in_words
from makegood.exploring.world import World
from makegood.testing.running import run
from makegood.testing.script import AfterEffect, Returns
from makegood.values.verdict import Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from makegood.definition.workflow import Call
    from makegood.exploring.exploration import Exploration
    from makegood.exploring.survey import Invariant
    from makegood.extension import Extension
    from makegood.runtime.outcome import Outcome
    from makegood.testing.script import Scripted

__all__ = ["explore_for_real"]

_DECLINED = Declined("a definite no")
_AWAY = Unavailable("out of reach")
_LOST = OutcomeUnknown("no reply came")

_SCRIPTS: dict[How, Scripted | Sequence[Scripted]] = {
    How.FAILS: _DECLINED,
    How.AWAY_ONCE: (_AWAY,),
    How.AWAY: _AWAY,
    How.LOST_BEFORE_ONCE: (_LOST,),
    How.LOST_AFTER_ONCE: (AfterEffect(_LOST),),
    How.LOST_BEFORE: _LOST,
    How.LOST_AFTER: AfterEffect(_LOST),
    How.CANNOT_TELL: Returns(Undecided()),
}
"""What a function of the user's does under each fault. Late is what is lost, only later; what else
a compensate may find, the user's own finds; and a worker that dies is only imagined."""


async def explore_for_real(
    # Any: once called, a workflow's result does not matter here.
    call: Call[Any],
    *,
    services: Callable[[], Mapping[type, object]],
    extensions: Callable[[], Sequence[Extension]] = tuple,
    examples: Mapping[Any, object] | None = None,
    pairs: bool = False,
    invariants: Sequence[Invariant] = (),
) -> Exploration:
    """Carry a call out in memory under every fault, with the steps really called.

    `services` and `extensions` are made afresh for every world; an invariant finds the services in
    its world, to look at what they hold in the end. Which faults there are is learned by imagining
    the workflow first, as `explore` does, hence `examples`. Waits take no time.

    Raises `InvalidInput` for a lifecycle, whose messages nobody would send.
    """
    if call.workflow.plan.machine is not None:
        message = (
            f"`{call.workflow.name}` is a lifecycle, to which nobody sends messages here; explore "
            "it with testing.explore, and take it through its statuses with testing.lifecycle"
        )
        raise InvalidInput(message)
    setting = Setting(call.workflow, Examples(examples), call.input)
    seen: dict[frozenset[Fault], Seen] = {}
    outcomes: dict[World, Outcome[Any]] = {}
    for imagined in survey(setting, pairs=pairs):
        world = World(faults=imagined.world.faults)
        script = _script(world)
        if script is None or frozenset(world.faults) in seen:
            continue
        made = services()
        outcome = await run(call, services=made, extensions=extensions(), fail=script)
        outcomes[world] = outcome
        seen[frozenset(world.faults)] = _seen(world, outcome, made, invariants)
    return gathered(
        setting.plan, seen.values(), lambda each: _told(outcomes[each.world]), pairs=pairs
    )


def _script(world: World) -> dict[str, Scripted | Sequence[Scripted]] | None:
    """Return what the functions do in a world; None where that can only be imagined."""
    script: dict[str, Scripted | Sequence[Scripted]] = {}
    for fault in world.faults:
        if not isinstance(fault, Befalls) or fault.how not in _SCRIPTS:
            return None
        behind = "" if fault.direction == "do" else f".{fault.direction}"
        script[f"{fault.node}{behind}"] = _SCRIPTS[fault.how]
    return script


def _seen(
    world: World,
    outcome: Outcome[Any],
    services: Mapping[type, object],
    invariants: Sequence[Invariant],
) -> Seen:
    doubtful = set(outcome.in_doubt)
    explored = Explored(
        cause=causes_in_words(world),
        status=outcome.status,
        done=tuple(outcome.done),
        undone=tuple(outcome.undone),
        kept=tuple(outcome.kept),
        left=tuple(outcome.left),
        services=services,
    )
    return Seen(
        world=world,
        status=outcome.status,
        facts=len(outcome.done) + len(outcome.undone) + len(outcome.left),
        left=tuple(
            Left(path, "is in doubt" if path in doubtful else "still stands: its undo gave up")
            for path in dict.fromkeys([*outcome.left, *outcome.in_doubt])
        ),
        held=tuple(outcome.done) if outcome.status == "parked" else (),
        kept=tuple(Left(path, "stays, as is declared") for path in outcome.kept),
        broken=tuple(sentence for each in invariants for sentence in each(explored)),
    )


def _told(outcome: Outcome[Any]) -> tuple[str, ...]:
    """Tell how a run ended."""
    lists = (("Done", outcome.done), ("Undone", outcome.undone), ("Left", outcome.left))
    why = f": {outcome.reason or outcome.failure}" if outcome.reason or outcome.failure else ""
    return (
        *(f"{what}: {', '.join(paths)}." for what, paths in lists if paths),
        f"The run is {outcome.status}{why}.",
    )
