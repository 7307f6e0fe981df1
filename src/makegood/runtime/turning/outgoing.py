"""What an append has for other runs: what the core says to them, as the journal carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision.outgoing import StartChild, TellChild, TellParent, said
from makegood.journal.mail import NewRun, ToRun, ToStart
from makegood.runtime.asking.post import CancelPost, StartPost, ToldPost, UndoPost, write_post
from makegood.runtime.turning.mail import letters_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.facts import Fact
    from makegood.decision.outgoing import Said
    from makegood.decision.state import RunState
    from makegood.journal.mail import Outgoing
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["outgoing_of"]

_WHY = "the run that called it goes back"


def outgoing_of(
    state: RunState, run: RunId, recorded: Sequence[Fact], now: Instant
) -> tuple[Outgoing, ...]:
    """Return what is to be delivered once these facts are durable."""
    told = tuple(_carried(each, run, state) for each in said(state, run, recorded, now))
    return told + letters_of(state, run, recorded)


def _carried(each: Said, run: RunId, state: RunState) -> Outgoing:
    match each:
        case StartChild(started=started):
            new = NewRun(
                workflow=started.workflow,
                key=started.key,
                fingerprint=started.fingerprint,
                input_hash=each.input_hash,
                created_at=started.at,
                subject=started.subject,
                key_until_ended=each.is_lifecycle,
                correlation=state.family.correlation_of(run),
                causation=run,
            )
            return ToStart(
                run=each.run,
                create=new,
                body=write_post(StartPost(started)),
                refused=write_post(ToldPost(each.refused)),
            )
        case TellChild(what="cancel"):
            return ToRun(run=each.run, body=write_post(CancelPost(f"run {run}", _WHY)))
        case TellChild():
            refused = None if each.refused is None else write_post(ToldPost(each.refused))
            undo = UndoPost(f"run {run}", _WHY, is_parents=True)
            return ToRun(run=each.run, body=write_post(undo), refused=refused)
        case TellParent():
            return ToRun(run=each.run, body=write_post(ToldPost(each.told)))
        case _:
            assert_never(each)
