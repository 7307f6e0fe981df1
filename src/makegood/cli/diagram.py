"""`makegood diagram`: a workflow or receptors as they are declared, or a run as it was executed."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Literal, assert_never

import msgspec

from makegood import Filter, InvalidInput
from makegood.cli.show import told
from makegood.cli.status import DONE
from makegood.cli.store import opened
from makegood.cli.workflows import receptors_of, workflows_of
from makegood.cli.writing import Look, look_of, write
from makegood.definition.plan import Plan
from makegood.picture import MessageFlow, chart, mermaid, message_flow, svg, text
from makegood.values.ids import parse_run_id

if TYPE_CHECKING:
    from pathlib import Path

    from makegood import Census
    from makegood.cli.store import Store
    from makegood.picture import Timeline

__all__ = ["Format", "diagram"]

MESSAGES = "messages"
"""The name of all receptors of a program, together."""

Format = Literal["mermaid", "text", "svg", "chart"]


def diagram(
    name: str,
    *,
    store: str | None,
    app: str | None,
    form: Format,
    output: Path | None,
    census: bool,
) -> int:
    """Write a drawing to a file, or to standard output."""
    # A terminal's width and colours are none of a file's.
    look = look_of(sys.stdout) if output is None else Look()
    drawn = _named(name, store=store, app=app)
    counted = asyncio.run(_counted(drawn, store)) if census else None
    picture = _draw(drawn, form, look, counted)
    if output is None:
        write(picture)
        return DONE
    try:
        output.write_text(picture, encoding="utf-8")
    except OSError as error:
        message = f"--output {output} cannot be written: {error.strerror}"
        raise InvalidInput(message) from error
    return DONE


def _draw(
    drawn: Plan | Timeline | MessageFlow, form: Format, look: Look, census: Census | None
) -> str:
    match form:
        case "mermaid":
            return mermaid(drawn, census=census)
        case "text":
            return text(drawn, color=look.is_coloured, width=look.width, census=census)
        case "svg":
            return svg(drawn, census=census)
        case "chart":
            if isinstance(drawn, MessageFlow):
                message = "a chart shows a run along its time, and messages are none"
                raise InvalidInput(f"{message}; leave --format out")
            if isinstance(drawn, Plan):
                message = f"a chart shows a run along its time, and `{drawn.workflow}` is none"
                raise InvalidInput(f"{message}; name one of its runs")
            return chart(drawn)
        case _:
            assert_never(form)


async def _counted(drawn: Plan | Timeline | MessageFlow, store: str | None) -> Census:
    """Count the runs of a lifecycle in the journal."""
    if isinstance(drawn, MessageFlow):
        message = "--census counts the runs of a lifecycle, and messages are none; leave it out"
        raise InvalidInput(message)
    if store is None:
        message = "--census counts the runs of a lifecycle in a journal; name it with --store"
        raise InvalidInput(message)
    workflow = drawn.workflow
    async with opened(store) as its:
        (census,) = await its.operator.census(workflow)
    return census


def _named(name: str, *, store: str | None, app: str | None) -> Plan | Timeline | MessageFlow:
    """Return what a name means: code has the word about workflows, the journal about runs."""
    if app is not None and not _is_run(name):
        return _messages(name, app) or _declared(name, app)
    if store is None:
        message = f"where is {name!r}? name the journal with --store, or a program with --app"
        raise InvalidInput(message)
    return asyncio.run(_stored(name, store))


def _is_run(name: str) -> bool:
    if "/" in name:
        return True
    try:
        parse_run_id(name)
    except InvalidInput:
        return False
    return True


def _messages(name: str, app: str) -> MessageFlow | None:
    """Return who says what to whom in a program, where its receptors are meant, or one group."""
    groups = receptors_of(app)
    if name == MESSAGES and groups:
        return message_flow(groups, title=f"Messages of {app}")
    chosen = [group for group in groups if group.name == name]
    return message_flow(chosen, title=name) if chosen else None


def _declared(name: str, app: str) -> Plan:
    plans = [each.plan for each in workflows_of(app)]
    workflow, _, fingerprint = name.partition("@")
    for plan in plans:
        if plan.workflow == workflow and plan.fingerprint.startswith(fingerprint):
            return plan
    known = ", ".join(sorted({plan.workflow for plan in plans}))
    message = f"--app {app} has no workflow {name!r}; it has {known}"
    raise InvalidInput(message)


async def _stored(name: str, store: str) -> Plan | Timeline:
    async with opened(store) as its:
        if _is_run(name):
            return told(await its.operator.history(await its.operator.find(name)))
        return await _stored_plan(name, its)


async def _stored_plan(name: str, its: Store) -> Plan:
    """Return the plan named by its fingerprint, or that of the workflow's newest run."""
    workflow, _, fingerprint = name.partition("@")
    if not fingerprint:
        page = await its.engine.list(Filter(workflow=workflow, limit=1))
        fingerprint = page.rows[0].fingerprint if page.rows else ""
    stored = await its.journal.plan(fingerprint)
    if stored is None or stored.workflow != workflow:
        message = f"the journal has no workflow {name!r}; `makegood runs` lists what it has run"
        raise InvalidInput(message)
    return msgspec.json.decode(stored.json, type=Plan)
