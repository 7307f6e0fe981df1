"""What an attempt comes to: what is remembered of its delivery, and what goes out because of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision import facts
from makegood.decision.messaging.giving_up import (
    Again,
    DeadReason,
    GivenUp,
    after_claims,
    after_failure,
    after_misfit,
)
from makegood.decision.retry import Chance
from makegood.errors import WritesRefused
from makegood.journal.messages import Dead, Done, Later
from makegood.runtime.calling.failing import as_failure
from makegood.runtime.receiving.fault import Fault, fault_of, write_fault
from makegood.values.verdict import Failure, FailureKind

if TYPE_CHECKING:
    from makegood.decision.messaging.giving_up import Next
    from makegood.journal.messages import Due, Handling
    from makegood.runtime.calling.arriving import Arrival
    from makegood.runtime.receiving.call import ReceptorCall
    from makegood.runtime.receiving.receiver import Receiver
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

__all__ = ["Answering"]


class Answering:
    """Says for one worker what becomes of deliveries."""

    __slots__ = ("_worker",)

    def __init__(self, worker: WorkerId) -> None:
        self._worker = worker

    def arrived(
        self, receiver: Receiver, due: Due, call: ReceptorCall, arrival: Arrival, now: Instant
    ) -> Handling | None:
        """Return what an attempt's arrival comes to; None: it was not begun."""
        match arrival.fact:
            case facts.NodeDone():
                return Done(due.seq)
            case facts.NodeFailed(failure=failure):
                return self._failed(receiver, due, call.trouble, failure, now)
            case _:
                return None

    def misfit(
        self, receiver: Receiver, due: Due, reason: DeadReason, error: Exception, now: Instant
    ) -> Handling:
        """Return what becomes of a message that its receptor cannot be given."""
        failure = as_failure(error, FailureKind.PERMANENT)
        return self._failed(receiver, due, reason, failure, now)

    def poisoned(self, receiver: Receiver, due: Due, claims: int, now: Instant) -> Dead | None:
        """Return what becomes of a message whose receivers die; None: it may be begun again."""
        given_up = after_claims(claims)
        if given_up is None:
            return None
        failure = Failure(
            kind=FailureKind.IN_DOUBT,
            type="makegood.errors.OutcomeUnknown",
            message=f"whoever began it has died, {claims - 1} times in a row",
        )
        return self._dead(receiver, due, given_up.reason, failure, now, is_attempt=False)

    def unrecorded(self, receiver: Receiver, due: Due, reason: str, now: Instant) -> Dead:
        """Return what becomes of a message whose statements the store has refused."""
        failure = as_failure(WritesRefused(reason), FailureKind.PERMANENT)
        return self._dead(receiver, due, DeadReason.UNRECORDED, failure, now)

    def _failed(
        self,
        receiver: Receiver,
        due: Due,
        reason: DeadReason | None,
        failure: Failure,
        now: Instant,
    ) -> Handling:
        receptor, attempts = receiver.receptor, due.attempts + 1
        then: Next
        if reason is not None:
            then = after_misfit(attempts, reason, now)
        else:
            policy, chance = receptor.retry.backoff, Chance(receptor.name)
            then = after_failure(policy, attempts, failure, now, chance=chance, name=due.message.id)
        match then:
            case Again(due_at=due_at):
                error = self._written(receiver, failure, now)
                return Later(seq=due.seq, due_at=due_at, error=error)
            case GivenUp(reason=why):
                return self._dead(receiver, due, why, failure, now)
            case _:
                assert_never(then)

    def _dead(
        self,
        receiver: Receiver,
        due: Due,
        reason: DeadReason,
        failure: Failure,
        now: Instant,
        *,
        is_attempt: bool = True,
    ) -> Dead:
        return Dead(
            seq=due.seq,
            reason=reason,
            error=self._written(receiver, failure, now),
            fault=fault_of(receiver.name, reason, failure),
            blocks=receiver.receptor.blocks,
            is_attempt=is_attempt,
        )

    def _written(self, receiver: Receiver, failure: Failure, now: Instant) -> bytes:
        definition = receiver.receptor.fingerprint
        fault = Fault(failure=failure, definition=definition, worker=self._worker, at=now)
        return write_fault(fault)
