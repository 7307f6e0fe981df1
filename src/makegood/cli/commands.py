"""What each command takes: its options, with their help. What it does is in the other modules.

They are imported by the command that is called, because help is told without the engine. The
annotations here are read when the module runs, so they are not put off.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from makegood.errors import InvalidInput

if TYPE_CHECKING:
    from makegood.cli.control import Asking

__all__ = ["cancel", "diagram", "lifecycles", "retry", "runs", "settle", "show", "stuck", "undo"]

DURATION_MAX = timedelta(days=36_500)

PROCESSES_MAX = 128


def _require_sensible(_type: object, duration: timedelta | None) -> None:
    """Refuse a duration that nobody means, and that no clock could be set by."""
    if duration is not None and not timedelta(0) <= duration <= DURATION_MAX:
        message = "Give a duration from 0s to 36500d."
        raise ValueError(message)


def _require_processes(_type: object, processes: int) -> None:
    if not 1 <= processes <= PROCESSES_MAX:
        message = f"Give 1 to {PROCESSES_MAX} processes."
        raise ValueError(message)


RunName = Annotated[
    str, Parameter(name="RUN", help="A run's id, or its workflow and key: place_order/order-17.")
]
Store = Annotated[
    str,
    Parameter(
        env_var="MAKEGOOD_STORE",
        metavar="PATH",
        help="The journal: a file, or an address as sqlite:///orders.journal.",
    ),
]
App = Annotated[
    str | None,
    Parameter(
        metavar="PLACE", help="Where the program has its workflows: module:object, or a module."
    ),
]
Json = Annotated[bool, Parameter(show_default=False, help="Write one JSON object, not text.")]
Reason = Annotated[str, Parameter(metavar="TEXT", help="Why; it is recorded for ever.")]
Actor = Annotated[
    str | None,
    Parameter(metavar="NAME", help="Who asks; it is recorded too. The default is the login name."),
]
Wait = Annotated[
    timedelta,
    Parameter(
        metavar="DURATION",
        show_default=False,
        validator=_require_sensible,
        help="How long to wait for a worker's answer: 0s, 0.5s, 2m. The default is 5s.",
    ),
]
Duration = Annotated[timedelta | None, Parameter(metavar="DURATION", validator=_require_sensible)]
Flag = Annotated[bool, Parameter(show_default=False)]

Status = Literal[
    "running",
    "waiting",
    "paused",
    "undoing",
    "parked",
    "completed",
    "failed",
    "cancelled",
    "erased",
]
Cause = Literal["error", "deadline", "cancelled", "reversed"]

SEVERAL = Parameter(show_default=False)

WAIT = timedelta(seconds=5)

HOUR = timedelta(hours=1)


def runs(
    *,
    store: Store,
    status: Annotated[tuple[Status, ...], SEVERAL] = (),
    cause: Annotated[tuple[Cause, ...], SEVERAL] = (),
    reason: Annotated[tuple[str, ...], SEVERAL] = (),
    workflow: str | None = None,
    stage: str | None = None,
    older_than: Duration = None,
    newer_than: Duration = None,
    subject: str | None = None,
    key: str | None = None,
    limit: int = 50,
    after: str | None = None,
    json: Json = False,
) -> int:
    """List runs, the newest first.

    Parameters
    ----------
    status
        Only runs of this status; may be repeated.
    cause
        Only runs that went back because of this; may be repeated.
    reason
        Only runs that are parked for this reason, as "in doubt"; may be repeated.
    workflow
        Only runs of this workflow.
    stage
        Only runs that stand at this status of their lifecycle, or ended there.
    older_than
        Only runs that began longer ago than this, as 30m, 2h or 7d.
    newer_than
        Only runs that began less long ago than this.
    subject
        Only runs that are about this subject.
    key
        Only runs that have this key, or had it until they ended.
    limit
        How many runs a page has, at most 200.
    after
        The last run of the page before.
    """
    from makegood.cli import runs as room

    wanted = room.Wanted(
        statuses=frozenset(status),
        causes=frozenset(cause),
        reasons=frozenset(reason),
        workflow=workflow,
        stage=stage,
        older_than=older_than,
        newer_than=newer_than,
        subject=subject,
        key=key,
        limit=limit,
        after=after,
    )
    return room.list_runs(store, wanted, as_json=json)


def show(run: RunName, /, *, store: Store, json: Json = False) -> int:
    """Tell what a run did, and what was made good."""
    from makegood.cli import show as room

    return room.show(store, run, as_json=json)


def stuck(*, store: Store, app: App = None, json: Json = False) -> int:
    """Find the runs that will not go on by themselves."""
    from makegood.cli import stuck as room

    return room.stuck(store, app, as_json=json)


def lifecycles(
    name: Annotated[str | None, Parameter(name="NAME", help="The name of one lifecycle.")] = None,
    /,
    *,
    store: Store,
    period: Annotated[
        timedelta,
        Parameter(metavar="DURATION", show_default=False, validator=_require_sensible),
    ] = HOUR,
    json: Json = False,
) -> int:
    """Count the runs at each status of their lifecycles, and their moves.

    Parameters
    ----------
    period
        How far back moves are counted: 10m, 2h, 7d. The default is 1h.
    """
    from makegood.cli import lifecycles as room

    return room.lifecycles(store, name, period=period, as_json=json)


def diagram(
    drawn: Annotated[
        str,
        Parameter(
            name="WORKFLOW-OR-RUN",
            help="A workflow's name (or place_order@ and its fingerprint), or a run's id, or its "
            "workflow and key (place_order/order-17).",
        ),
    ],
    /,
    *,
    store: Store | None = None,
    app: App = None,
    form: Annotated[
        Literal["mermaid", "text", "svg", "chart"], Parameter(name="--format")
    ] = "text",
    output: Path | None = None,
    census: Flag = False,
) -> int:
    """Draw a workflow or a lifecycle, or a run as it was executed.

    Parameters
    ----------
    form
        Text for a terminal, or Mermaid or SVG for a page.
    output
        The file to write; the default is standard output.
    census
        Say at each status of a lifecycle how many runs of the store stand there.
    """
    from makegood.cli import diagram as room

    return room.diagram(drawn, store=store, app=app, form=form, output=output, census=census)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Who asks and why, and how the answer is told."""

    store: Store
    reason: Reason
    actor: Actor = None
    wait: Wait = WAIT
    json: Json = False

    def about(self, run: str) -> "Asking":
        """Return what is asked of a run."""
        from makegood.cli.control import Asking

        return Asking(
            self.store,
            run,
            actor=self.actor,
            reason=self.reason,
            wait=self.wait,
            as_json=self.json,
        )


Asked = Annotated[_Asked, Parameter(name="*")]


def cancel(run: RunName, /, *, asked: Asked) -> int:
    """Have a run given up, and what it did undone."""
    from makegood.cli import control as room

    return room.cancel(asked.about(run))


def undo(
    run: RunName,
    /,
    *,
    store: Store,
    reason: Reason | None = None,
    actor: Actor = None,
    preview: Flag = False,
    yes: Flag = False,
    wait: Wait = WAIT,
    json: Json = False,
) -> int:
    """Have a completed run undone, after a preview.

    Parameters
    ----------
    preview
        Only show what would be undone, in order, and what would not.
    yes
        Do not ask; without a terminal to ask at it is needed.
    """
    from makegood.cli import control as room

    if preview:
        return room.preview_undo(store, run, as_json=json)
    if reason is None:
        message = "--reason is missing: say why the run is undone; it is recorded for ever"
        raise InvalidInput(message)
    asking = room.Asking(store, run, actor=actor, reason=reason, wait=wait, as_json=json)
    return room.undo(asking, is_agreed=yes)


def settle(
    run: RunName,
    node: str,
    /,
    *,
    asked: Asked,
    happened: Annotated[str | None, Parameter(metavar="JSON")] = None,
    did_not_happen: Flag = False,
    undone: Flag = False,
    kept: Flag = False,
) -> int:
    """Say what a parked run cannot find out.

    Parameters
    ----------
    node
        The path of the step that is left.
    happened
        It did happen, with this result as JSON.
    did_not_happen
        It did not happen, and nothing of it is left.
    undone
        Its undo gave up, and it was undone by hand.
    kept
        Its undo gave up, and it stays as it is.
    """
    from makegood.cli import control as room

    settlement = room.settlement(
        happened=happened, did_not_happen=did_not_happen, undone=undone, kept=kept
    )
    return room.settle(asked.about(run), node, settlement)


def retry(
    run: RunName,
    node: str | None = None,
    /,
    *,
    asked: Asked,
    leave_out: Annotated[tuple[int, ...], SEVERAL] = (),
) -> int:
    """Have a parked run try again.

    Parameters
    ----------
    node
        The path of the step to try again; the default is everything that the run waits for.
    leave_out
        The number of a post that cannot be read, as `makegood show` names it: the run goes on
        without it. It is lost then. Give it once for each such post.
    """
    from makegood.cli import control as room

    return room.retry(asked.about(run), node, leave_out=leave_out)


def worker(
    place: Annotated[
        str,
        Parameter(
            name="MODULE:ENGINE",
            help="Where the program has its engine, or a function that makes it.",
        ),
    ],
    /,
    *,
    processes: Annotated[int, Parameter(validator=_require_processes)] = 1,
    uvloop: Flag = False,
) -> int:
    """Carry out runs until it is told to stop.

    SIGTERM and Ctrl-C end it in good order: bodies at work may end, and all runs are handed to
    the other workers at once. A second signal ends it as a crash would.

    Parameters
    ----------
    processes
        How many worker processes; one that dies is started again. In a SQLite file one of them
        works and the others stand by.
    uvloop
        Use the event loop of the extra "uvloop".
    """
    from makegood.cli import worker as room

    return room.work(place, processes=processes, has_uvloop=uvloop)
