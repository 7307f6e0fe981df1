"""What is written of a run that cannot be read: that it is parked, and its parent is told so.

Nothing of the run is folded, and nothing of its inbox is taken: a later version may read all of it,
in its order. Only what the run begins with is looked at, for what it says of its parent. A parent
that is told lists its child as parked, in its place and with the reason; one that was told nothing
would wait for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision import facts
from makegood.decision.facts import Parent, ParkReason, write_facts
from makegood.journal.mail import ToRun
from makegood.journal.protocol import Append, Summary
from makegood.runtime.asking.post import ToldPost, write_post
from makegood.runtime.telemetry import log

if TYPE_CHECKING:
    from makegood.journal.protocol import History, Leased
    from makegood.runtime.shell import Shell
    from makegood.values.instants import Instant

__all__ = ["parked_unread"]


_BEFORE_THE_START = frozenset({"parked", "claimed"})
"""What may be recorded of a run before what it begins with, by the tags of these facts."""


class _Begun(msgspec.Struct):
    """What is read of the fact that a run begins with, be it of a later version."""

    type: str = ""
    parent: Parent | None = None


class _Start(msgspec.Struct):
    """What is read of the post that starts a run which nobody has taken before."""

    started: _Begun = msgspec.field(default_factory=_Begun)


def parked_unread(shell: Shell, history: History, leased: Leased) -> Append:
    """Return the append that parks a run that cannot be read, and tells its parent.

    Where it is parked for that already its parent knows.
    """
    now = shell.clock.now()
    row = history.row
    is_known = row.status == "parked" and row.reason == ParkReason.POISON
    return Append(
        run=leased.run,
        worker=shell.worker,
        epoch=leased.epoch,
        seq=row.seq + 1,
        inbox_head=row.inbox_head,
        inbox_taken=row.inbox_head - len(history.inbox),
        token=shell.ids.token(),
        facts=write_facts((facts.Parked(ParkReason.POISON, now),)),
        at=now,
        summary=Summary(status="parked", reason=ParkReason.POISON),
        release=True,
        outgoing=() if is_known else _to_parent(history, now),
    )


def _to_parent(history: History, now: Instant) -> tuple[ToRun, ...]:
    """Return what the parent is told; a run whose first fact is damaged has none that is known."""
    run = history.row.run
    try:
        parent = _parent_of(history)
    except (msgspec.MsgspecError, ValueError):
        log.warning("run %s does not say who called it; if a run did, that waits for it", run)
        return ()
    if parent is None:
        return ()
    moved = facts.ChildMoved(node=parent.node, run=run, reason=ParkReason.POISON, at=now)
    return (ToRun(run=parent.run, body=write_post(ToldPost(moved))),)


def _parent_of(history: History) -> Parent | None:
    for append in history.appends:
        for fact in msgspec.json.decode(append, type=list[_Begun]):
            if fact.type not in _BEFORE_THE_START:
                return fact.parent
    if history.inbox:
        return msgspec.json.decode(history.inbox[0].body, type=_Start).started.parent
    return None
