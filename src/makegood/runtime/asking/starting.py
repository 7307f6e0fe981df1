"""How does a run begin? Its first fact, what makes its row, and the post that starts it.

And how is one found that somebody has begun, by its key?
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.decision.facts import Beginning, RunStarted
from makegood.errors import InvalidInput, KeyConflict, UnknownRun
from makegood.journal.protocol import Applied, Exists, JoinsTransactions, NewRun, Post
from makegood.runtime.asking.post import StartPost, write_post
from makegood.runtime.asking.reading import read_again
from makegood.values.ids import parse_message_key, parse_run_key, parse_subject
from makegood.values.instants import after

if TYPE_CHECKING:
    from datetime import timedelta

    from makegood.definition.workflow import Call
    from makegood.journal.protocol import Journal
    from makegood.runtime.ports import CallersConnection
    from makegood.runtime.shell import Shell
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = [
    "asked_record",
    "find_run",
    "first_record",
    "post_start",
    "require_joins",
    "require_same_input",
    "start_post",
]


def asked_record(
    shell: Shell,
    call: Call[Any],  # Any: whatever it returns
    *,
    key: str | None,
    subject: str | None,
    correlation: str | None,
) -> tuple[RunStarted, NewRun]:
    """Return the first fact of a run that somebody outside has asked for, and what makes its row.

    Raises `InvalidInput` for what is no key, no subject or no correlation.
    """
    if subject is not None:
        parse_subject(subject)
    beginning = None
    if correlation is not None:
        beginning = Beginning(correlation=parse_message_key(correlation))
    return first_record(
        call,
        shell.clock.now(),
        key=call.key if key is None else parse_run_key(key),
        subject=subject,
        context=shell.carriers.capture(),
        beginning=beginning,
    )


def first_record(
    call: Call[Any],  # Any: whatever it returns
    now: Instant,
    *,
    key: str | None,
    subject: str | None,
    context: dict[str, str],
    beginning: Beginning | None = None,
) -> tuple[RunStarted, NewRun]:
    """Return the first fact of a run, and what makes its row.

    `beginning` is what it came of, where that was not somebody from outside.
    """
    plan = call.workflow.plan
    machine = plan.machine
    started = RunStarted(
        workflow=plan.workflow,
        fingerprint=plan.fingerprint,
        key=key,
        inputs=call.input,
        deadline=None if plan.deadline is None else after(now, plan.deadline),
        at=now,
        context=context,
        subject=subject,
        schema=1 if machine is None else machine.schema,
        beginning=beginning,
    )
    new = NewRun(
        workflow=plan.workflow,
        key=key,
        fingerprint=plan.fingerprint,
        input_hash=call.input_hash,
        created_at=now,
        subject=subject,
        key_until_ended=machine is not None,
        correlation=None if beginning is None else beginning.correlation,
        causation=None if beginning is None else beginning.causation,
    )
    return started, new


def start_post(run: RunId, started: RunStarted, new: NewRun) -> Post:
    """Return the post that starts a run which is not held from its beginning."""
    return Post(run=run, body=write_post(StartPost(started)), at=started.at, create=new)


async def post_start(
    shell: Shell,
    run: RunId,
    started: RunStarted,
    new: NewRun,
    *,
    within: CallersConnection | None,
) -> Applied | Exists:
    """Leave a run in the journal for whoever takes it up; `within` a transaction of the caller's.

    Such a transaction was looked at by `require_joins`.
    """
    post, journal = start_post(run, started, new), shell.journal
    if within is None:
        answer = await shell.answer(journal.post(post))
    else:
        assert isinstance(journal, JoinsTransactions), "it was looked at first"
        answer = await journal.post_within(post, within)
    return answer if isinstance(answer, Exists) else Applied()


async def find_run(shell: Shell, workflow: str, key: str, *, within: timedelta | None) -> RunId:
    """Return the run that has a key, else the newest that had it; wait `within` for one to begin.

    Raises `UnknownRun` where there is none.
    """
    parse_run_key(key)
    until = None if within is None else after(shell.clock.now(), within)
    wait = shell.config.poll_min
    while True:
        found = await shell.answer(shell.journal.find(workflow, key))
        if found is not None:
            return found
        if until is None or shell.clock.now() >= until:
            message = (
                f"no run of `{workflow}` has the key {key!r}, nor is one known that had it; start "
                "one, or look at the key"
            )
            raise UnknownRun(message)
        wait = await read_again(shell, wait, until=until)


def require_same_input(new: NewRun, exists: Exists) -> None:
    """Refuse a start whose key belongs to a run with another input."""
    if exists.input_hash != new.input_hash:
        message = (
            f"the key {new.key!r} of `{new.workflow}` belongs to run {exists.run}, which has "
            "another input; use another key, or the same input"
        )
        raise KeyConflict(message)


def require_joins(journal: Journal, connection: CallersConnection | None) -> None:
    """Refuse a start within a transaction of the caller's where the journal cannot join one."""
    if connection is not None and not isinstance(journal, JoinsTransactions):
        message = (
            f"a {type(journal).__name__} cannot start a run within a transaction of yours; leave "
            "`within` out, or keep the journal in the PostgreSQL database that it is in"
        )
        raise InvalidInput(message)
