"""What is written of a run that cannot be read: that it is parked, and its parent is told so.

Nothing of the run is folded, so only what its first fact says of its parent is looked at, whatever
else stands there. A parent that is told lists its child as parked, in its place and with the
reason; one that was told nothing would wait for ever.
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


class _Begun(msgspec.Struct):
    """What is read of the first fact of a run, be it of a later version."""

    parent: Parent | None = None


class _Start(msgspec.Struct):
    """What is read of the post that starts a run which nobody has taken before."""

    started: _Begun = msgspec.field(default_factory=_Begun)


def parked_unread(shell: Shell, history: History, leased: Leased) -> Append:
    """Return the append that parks a run whose facts cannot be read, and tells its parent."""
    now = shell.clock.now()
    return Append(
        run=leased.run,
        worker=shell.worker,
        epoch=leased.epoch,
        seq=history.row.seq + 1,
        inbox_head=history.row.inbox_head,
        inbox_taken=history.row.inbox_head,
        token=shell.ids.token(),
        facts=write_facts((facts.Parked(ParkReason.POISON, now),)),
        at=now,
        summary=Summary(status="parked", reason=ParkReason.POISON),
        release=True,
        outgoing=_to_parent(history, now),
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
    if history.appends:
        recorded = msgspec.json.decode(history.appends[0], type=list[msgspec.Raw])
        return msgspec.json.decode(recorded[0], type=_Begun).parent if recorded else None
    if history.inbox:
        return msgspec.json.decode(history.inbox[0].body, type=_Start).started.parent
    return None
