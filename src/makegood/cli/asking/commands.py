"""What each command takes by which a person holds up or steers; what it does is beside.

The annotations here are read when the module runs, so they are not put off.
"""
# What several commands take is described once, with its type; help is told without the engine.
# ruff: noqa: PLC0415

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from makegood.cli.commands import WAIT, Actor, Duration, Json, Reason, RunName, Store, Wait
from makegood.errors import InvalidInput

if TYPE_CHECKING:
    from makegood.cli.asking.holding import Target
    from makegood.cli.control import Asking

__all__ = ["pause", "resume", "retry_from", "set_result", "skip"]

MaybeRun = Annotated[
    str | None,
    Parameter(name="RUN", help="A run's id, or its workflow and key: place_order/order-17."),
]
Node = Annotated[str, Parameter(name="NODE", help="The path of the node, as `show` names it.")]
Workflow = Annotated[
    str | None, Parameter(metavar="NAME", help="All runs of a workflow, on every worker.")
]
Engine = Annotated[
    str | None,
    Parameter(metavar="NAME", help="Everything that engines of this name do; `*`: every engine."),
]
Schedule = Annotated[str | None, Parameter(metavar="NAME", help="Every slot of this schedule.")]
Receptor = Annotated[
    str | None,
    Parameter(metavar="NAME", help="All messages of this receptor, or of its whole group."),
]
Service = Annotated[
    str | None, Parameter(metavar="NAME", help="Every step that is given this service.")
]
Preview = Annotated[bool, Parameter(show_default=False, help="Only show what it would come to.")]
Yes = Annotated[
    bool,
    Parameter(show_default=False, help="Do not ask; without a terminal to ask at it is needed."),
]


@dataclass(frozen=True, kw_only=True)
class _Options:
    """Who asks and why, and how the answer is told: what all of these commands take."""

    store: Store
    reason: Reason | None = None
    actor: Actor = None
    preview: Preview = False
    wait: Wait = WAIT
    json: Json = False

    def about(self, run: str | None) -> "Asking":
        """Return what is asked of a run; None: it is asked of something else."""
        from makegood.cli.control import Asking

        if self.reason is None and not self.preview:
            message = "--reason is missing: say why; it is recorded for ever"
            raise InvalidInput(message)
        return Asking(
            self.store,
            run or "",
            actor=self.actor,
            reason=self.reason or "",
            wait=self.wait,
            as_json=self.json,
        )


@dataclass(frozen=True, kw_only=True)
class _Others:
    """What is paused or resumed instead of a run."""

    workflow: Workflow = None
    engine: Engine = None
    service: Service = None
    schedule: Schedule = None
    receptor: Receptor = None

    def target(self, run: str | None) -> "Target | None":
        """Return what is meant; None: the run."""
        from makegood.cli.asking.holding import target_of

        return target_of(run, **asdict(self))


Options = Annotated[_Options, Parameter(name="*")]
Others = Annotated[_Others, Parameter(name="*")]


def pause(
    run: MaybeRun = None,
    /,
    *,
    asked: Options,
    others: Others = _Others(),
    lasting: Annotated[
        Duration,
        Parameter(name="--for", help="For how long, where it is no run: 30m, 2h."),
    ] = None,
) -> int:
    """Have nothing more begun of a run, or of whatever else is named."""
    from makegood.cli.asking import holding as room

    target = others.target(run)
    return room.pause(asked.about(run), target, lasting=lasting, is_preview=asked.preview)


def resume(
    run: MaybeRun = None,
    /,
    *,
    asked: Options,
    others: Others = _Others(),
) -> int:
    """Have what was paused or halted go on."""
    from makegood.cli.asking import holding as room

    target = others.target(run)
    return room.resume(asked.about(run), target, is_preview=asked.preview)


def skip(run: RunName, node: Node, /, *, asked: Options, yes: Yes = False) -> int:
    """Have a node of a run skipped."""
    from makegood.cli.asking import holding as room

    return room.skip(asked.about(run), node, is_preview=asked.preview, is_agreed=yes)


def retry_from(run: RunName, node: Node, /, *, asked: Options, yes: Yes = False) -> int:
    """Have a node done again, with all that comes after it."""
    from makegood.cli.asking import holding as room

    return room.retry_from(asked.about(run), node, is_preview=asked.preview, is_agreed=yes)


def set_result(
    run: RunName,
    node: Node,
    result: Annotated[str, Parameter(name="JSON", help="The result, as JSON.")],
    /,
    *,
    asked: Options,
    yes: Yes = False,
) -> int:
    """Give a node its result, instead of its body."""
    from makegood.cli.asking import holding as room

    asking = asked.about(run)
    return room.set_result(asking, node, result, is_preview=asked.preview, is_agreed=yes)
