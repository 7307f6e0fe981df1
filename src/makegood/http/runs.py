"""Runs over HTTP: start them, look at them, and ask something of them."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import msgspec

from makegood.errors import InvalidInput, UnknownRun
from makegood.extension import Answer, Ask, HttpRoute
from makegood.journal.protocol import Filter
from makegood.picture import svg, timeline
from makegood.runtime.operator import Operator
from makegood.values.codec import writes_json
from makegood.values.ids import parse_run_id
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from makegood.definition.call import Call, Workflow
    from makegood.journal.protocol import RunRow
    from makegood.runtime.asking.reading import RunHistory
    from makegood.runtime.engine import Engine
    from makegood.runtime.run import Run

__all__ = ["RunView", "run_routes"]

_PAGE = 50
_WAIT_MAX_SECONDS = 30
_CONTROLLED_WITHIN = timedelta(seconds=5)
_SECONDS = re.compile(r"\d{1,2}(\.\d{1,3})?", re.ASCII)


class RunView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run as HTTP shows it."""

    run: str
    workflow: str
    status: str
    created_at: datetime
    key: str | None = None
    cause: str | None = None
    reason: str | None = None
    rollback: str | None = None
    stage: str | None = None
    """Where its record stands, if it is that of a lifecycle."""
    ended_at: datetime | None = None
    done: tuple[str, ...] = ()
    """What has happened and stands, once the run has ended or is parked."""
    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """What a person must settle."""
    in_doubt: tuple[str, ...] = ()
    error: str | None = None
    """What made it go back, in a sentence."""
    value: msgspec.Raw | None = None
    """What it returned, as JSON, once it has completed."""
    fraction: float | None = None
    """The share of its known nodes that is done."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One page of runs, the newest first."""

    runs: tuple[RunView, ...]
    next: str | None
    """Give this as `after` for the next page; None: there is none."""


class Why(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why something is asked of a run."""

    reason: str


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of what was asked."""

    answer: str | None
    """None: it is on record, and no worker has answered yet."""


class Startable(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow that can be started here."""

    name: str
    inputs: dict[str, str]
    """The type of each, by its name."""
    returns: str


# Any, here and below: a workflow is started whatever it takes and returns.
def run_routes(workflows: Iterable[Workflow[..., Any]]) -> tuple[HttpRoute, ...]:
    """Return the routes of runs; only these workflows can be started."""
    known = {workflow.name: workflow for workflow in workflows}

    async def listed(_engine: Engine, _ask: Ask) -> Answer:
        return Answer(value=tuple(_startable(workflow) for workflow in known.values()))

    async def start(engine: Engine, ask: Ask) -> Answer:
        workflow = known.get(ask.path["workflow"])
        if workflow is None:
            message = f"no workflow {ask.path['workflow']!r} can be started here"
            raise UnknownRun(message)
        run = await engine.start(_call_of(workflow, ask.body), key=ask.key)
        return Answer(
            value=await _view_of(run),
            status=HTTPStatus.ACCEPTED,
            headers={"location": f"/runs/{run.id}"},
        )

    return (
        HttpRoute(
            method="GET",
            path="/workflows",
            scope="runs:read",
            handle=listed,
            gives=tuple[Startable, ...],
            summary="Which workflows can be started here, and what they take.",
        ),
        HttpRoute(
            method="POST",
            path="/workflows/{workflow}/runs",
            scope="runs:write",
            handle=start,
            gives=RunView,
            needs_key=True,
            summary="Start a run, or find the one that this key has started.",
        ),
        HttpRoute(
            method="GET",
            path="/runs",
            scope="runs:read",
            handle=_list,
            gives=Listed,
            summary="List runs: ?workflow= &key= &status= &stage= &subject= &after= &limit=.",
        ),
        HttpRoute(
            method="GET",
            path="/runs/{run}",
            scope="runs:read",
            handle=_show,
            gives=RunView,
            summary="Show a run; with ?wait= seconds, once it has ended or is parked.",
        ),
        HttpRoute(
            method="GET",
            path="/runs/{run}/picture.svg",
            scope="runs:read",
            handle=_picture,
            summary="Draw a run as it was executed.",
        ),
        *(_control(word, summary) for word, summary in _CONTROLS),
    )


_CONTROLS = (
    ("cancel", "Have a run given up, and what it did undone."),
    ("undo", "Have a completed run undone."),
    ("pause", "Have nothing more begun of a run."),
    ("resume", "Have a paused run go on."),
)


def _call_of(workflow: Workflow[..., Any], body: bytes) -> Call[Any]:
    """Return a call of a workflow with the inputs of a JSON object, by name.

    Raises `InvalidInput` for what is no object, and for inputs that do not fit.
    """
    try:
        given = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        message = f"the inputs of `{workflow.name}` are given as a JSON object: {error}"
        raise InvalidInput(message) from None
    codecs = dict(workflow.door.codecs)
    # One that is not known is refused with the others that do not fit, by its name.
    inputs = {
        name: codecs[name].read(raw) if name in codecs else None for name, raw in given.items()
    }
    return workflow(**inputs)


async def _view_of(run: Run[Any], *, wait: float = 0) -> RunView:
    """Return a run as HTTP shows it, once it has settled or after so many seconds."""
    if wait:
        try:
            async with asyncio.timeout(wait):
                await run.outcome()
        except TimeoutError:
            pass
    report, progress = await run.describe(), await run.progress()
    seen = RunView(
        run=report.id,
        workflow=report.workflow,
        key=report.key,
        status=report.status,
        cause=report.cause,
        reason=report.reason,
        rollback=report.rollback,
        created_at=report.created_at,
        ended_at=report.ended_at,
        fraction=round(progress.fraction, 3),
    )
    if report.ended_at is None and report.status != "parked":
        return seen
    outcome = await run.outcome()
    return msgspec.structs.replace(
        seen,
        done=tuple(outcome.done),
        undone=tuple(outcome.undone),
        left=tuple(outcome.left),
        in_doubt=tuple(outcome.in_doubt),
        error=None if outcome.failure is None else str(outcome.error),
        value=msgspec.Raw(writes_json(outcome.value)) if outcome.is_completed else None,
    )


def _startable(workflow: Workflow[..., Any]) -> Startable:
    inputs = {item.name: item.type for item in workflow.plan.inputs}
    return Startable(name=workflow.name, inputs=inputs, returns=workflow.plan.returns_type)


async def _list(engine: Engine, ask: Ask) -> Answer:
    page = await engine.list(_filter(ask))
    return Answer(value=Listed(runs=tuple(map(_row, page.rows)), next=page.next))


def _filter(ask: Ask) -> Filter:
    query = dict(ask.query)
    limit = query.pop("limit", str(_PAGE))
    after = query.pop("after", None)
    status = query.pop("status", None)
    fields = {"workflow", "key", "stage", "subject"}
    if unknown := query.keys() - fields:
        known = ", ".join(sorted(fields | {"limit", "after", "status"}))
        message = f"runs are not listed by {', '.join(sorted(unknown))}; there are {known}"
        raise InvalidInput(message)
    if not limit.isdecimal():
        message = f"a page of {limit!r:.20} runs is none"
        raise InvalidInput(message)
    return Filter(
        statuses=frozenset() if status is None else frozenset(status.split(",")),
        after=None if after is None else parse_run_id(after),
        limit=int(limit),
        workflow=query.get("workflow"),
        key=query.get("key"),
        stage=query.get("stage"),
        subject=query.get("subject"),
    )


def _row(row: RunRow) -> RunView:
    return RunView(
        run=row.run,
        workflow=row.workflow,
        key=row.key,
        status=row.status,
        cause=row.cause,
        reason=row.reason,
        rollback=row.rollback,
        stage=row.stage,
        created_at=as_datetime(row.created_at),
        ended_at=None if row.ended_at is None else as_datetime(row.ended_at),
    )


async def _show(engine: Engine, ask: Ask) -> Answer:
    wait = ask.query.get("wait", "0")
    if not _SECONDS.fullmatch(wait) or float(wait) > _WAIT_MAX_SECONDS:
        message = f"wait for 0 to {_WAIT_MAX_SECONDS} seconds, not {wait!r:.20}"
        raise InvalidInput(message)
    return Answer(value=await _view_of(engine.run(ask.path["run"]), wait=float(wait)))


async def _picture(engine: Engine, ask: Ask) -> Answer:
    history: RunHistory = await Operator(engine).history(parse_run_id(ask.path["run"]))
    drawn = svg(timeline(history.row, history.plan, history.facts))
    return Answer(value=drawn.encode(), headers={"content-type": "image/svg+xml"})


def _control(word: str, summary: str) -> HttpRoute:
    async def control(engine: Engine, ask: Ask) -> Answer:
        run = parse_run_id(ask.path["run"])
        # Any: the four requests take the same.
        asking = cast("Callable[..., Awaitable[str | None]]", getattr(Operator(engine), word))
        answer = await asking(
            run, actor=f"key {ask.actor}", reason=ask.value.reason, wait=_CONTROLLED_WITHIN
        )
        status = HTTPStatus.ACCEPTED if answer is None else HTTPStatus.OK
        return Answer(value=Answered(answer=answer), status=status)

    return HttpRoute(
        method="POST",
        path=f"/runs/{{run}}/{word}",
        scope="runs:operate",
        handle=control,
        takes=Why,
        gives=Answered,
        summary=summary,
    )
