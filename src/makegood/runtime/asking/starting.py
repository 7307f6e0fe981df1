"""How does a run begin? Its first fact, what makes its row, and the post that starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.decision.facts import RunStarted
from makegood.errors import InvalidInput, KeyConflict
from makegood.journal.protocol import JoinsTransactions, NewRun, Post
from makegood.runtime.asking.post import StartPost, write_post
from makegood.values.instants import after

if TYPE_CHECKING:
    from makegood.definition.workflow import Call
    from makegood.journal.protocol import Exists, Journal
    from makegood.runtime.ports import CallersConnection
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["first_record", "require_joins", "require_same_input", "start_post"]


def first_record(
    call: Call[Any],  # Any: whatever it returns
    now: Instant,
    *,
    key: str | None,
    subject: str | None,
    context: dict[str, str],
) -> tuple[RunStarted, NewRun]:
    """Return the first fact of a run, and what makes its row."""
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
    )
    new = NewRun(
        workflow=plan.workflow,
        key=key,
        fingerprint=plan.fingerprint,
        input_hash=call.input_hash,
        created_at=now,
        subject=subject,
        key_until_ended=machine is not None,
    )
    return started, new


def start_post(run: RunId, started: RunStarted, new: NewRun) -> Post:
    """Return the post that starts a run which is not held from its beginning."""
    return Post(run=run, body=write_post(StartPost(started)), at=started.at, create=new)


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
