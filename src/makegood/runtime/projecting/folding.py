"""What comes of folding what some lanes of a read model were given: its rows, and the marks.

Messages of one key are folded in the order in which they were stored. One that comes late, because
a person has sent it again or because it had to wait for its time, belongs before what was folded
already: its row is folded once more from the beginning. So is a row of which something was erased.
Nothing here writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from makegood.decision.messaging.giving_up import DeadReason
from makegood.errors import PayloadTooLarge, StoreError
from makegood.journal.beside.models import Folded, RowKey, RowSource, RowWrite
from makegood.journal.lanes.dealing import keeps_waiting
from makegood.journal.messages import Done, Finished, Outcome
from makegood.runtime.receiving.receiver import Receiver
from makegood.runtime.receiving.telling import tell
from makegood.runtime.telemetry import log
from makegood.values.codec import NotCarried
from makegood.values.schemas import NewerSchema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from makegood.definition.receiving.projection import Projection
    from makegood.journal.beside.models import KeepsModels, RowKept
    from makegood.journal.messages import Due, Handling, Held, LaneId
    from makegood.runtime.receiving.answering import Answering
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

__all__ = ["Folder"]

M = TypeVar("M")

HISTORY_AT_ONCE = 500
"""How much of what was folded is read at once, to fold it again."""


class Folder(Generic[M]):
    """Folds for one read model."""

    def __init__(self, projection: Projection[M], answering: Answering) -> None:
        self.projection = projection
        self.receiver = Receiver(projection.receptor, {})
        self._answering = answering

    async def folded(
        self,
        held: Sequence[Held],
        *,
        models: KeepsModels,
        recipient: str,
        worker: WorkerId,
        now: Instant,
    ) -> Folded:
        """Return what comes of these lanes of an edition."""
        taken = sorted((each for lane in held for each in self._taken(lane, now)), key=_seq)
        keys = sorted({each.at for each in taken if each.at is not None})
        kept = await models.rows(recipient, keys) if keys else ()
        rows = _Rows(self.projection, models, recipient, kept)
        handled: dict[LaneId, list[Handling]] = {lane.id: [] for lane in held}
        for each in taken:
            of_lane = handled[each.lane]
            if of_lane and keeps_waiting(of_lane[-1]):
                continue
            came_to = each.handled
            if came_to is None:
                came_to = await self._fold(each, rows, now)
            of_lane.append(came_to)
            tell(recipient, each.due, came_to)
        finished = tuple(
            Finished(
                id=lane.id,
                worker=worker,
                epoch=lane.epoch,
                at=now,
                outcome=Outcome(handled=tuple(handled[lane.id])),
            )
            for lane in held
        )
        return Folded(
            recipient=recipient,
            finished=finished,
            rows=rows.written(),
            sources=tuple(
                RowSource(seq=each.due.seq, key=each.at.key)
                for each in taken
                if each.at is not None and each.at.key != each.due.message.key
            ),
        )

    async def mended(
        self, torn: Sequence[RowKept], *, models: KeepsModels, recipient: str
    ) -> Folded:
        """Return what comes of folding rows again, of which something was erased."""
        rows = _Rows(self.projection, models, recipient, torn)
        for each in torn:
            await rows.mend(each.at)
        return Folded(recipient=recipient, finished=(), rows=rows.written())

    def _taken(self, lane: Held, now: Instant) -> list[_Taken]:
        """Return what is folded of a lane now, read, or what becomes of it at once."""
        due = lane.due[0]
        dead = self._answering.poisoned(self.receiver, due, lane.claims, now)
        if dead is not None:
            return [_Taken(lane.id, due, handled=dead)]
        # Of a lane whose takers may have died of it one is folded at a time.
        count = 1 if lane.claims > 1 else len(lane.due)
        return [self._read(lane.id, due, now) for due in lane.due[:count]]

    def _read(self, lane: LaneId, due: Due, now: Instant) -> _Taken:
        projection = self.projection
        try:
            message = projection.message_of(due.message)
            key = projection.row_of(message, due.message)
        except NewerSchema as error:
            reason: DeadReason = DeadReason.NEWER
            why: Exception = error
        except Exception as error:  # noqa: BLE001 - a user's function says the key, or reads
            reason, why = DeadReason.UNREADABLE, error
        else:
            if key is None:
                return _Taken(lane, due, handled=Done(due.seq))
            return _Taken(lane, due, message=message, at=RowKey(due.message.tenant, key))
        return _Taken(
            lane, due, handled=self._answering.misfit(self.receiver, due, reason, why, now)
        )

    async def _fold(self, taken: _Taken, rows: _Rows[M], now: Instant) -> Handling:
        try:
            await rows.fold(taken)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - a user's function ends here
            is_unwritable = isinstance(error, NotCarried | PayloadTooLarge)
            reason = DeadReason.UNRECORDED if is_unwritable else DeadReason.FAILED
            return self._answering.misfit(self.receiver, taken.due, reason, error, now)
        return Done(taken.due.seq)


class _Taken:
    """A message that is folded, or of which it is known what becomes of it."""

    __slots__ = ("at", "due", "handled", "lane", "message")

    def __init__(
        self,
        lane: LaneId,
        due: Due,
        *,
        message: object = None,
        at: RowKey | None = None,
        handled: Handling | None = None,
    ) -> None:
        self.lane = lane
        self.due = due
        self.message = message
        self.at = at
        self.handled = handled


class _Row:
    """A row while it is folded."""

    __slots__ = ("body", "folded", "is_mended", "kept", "seq")

    def __init__(self, kept: RowKept | None) -> None:
        self.kept = kept
        self.is_mended = False
        """Whether it was torn, and was folded again from what is left."""
        self.body: bytes | None = None if kept is None else kept.body
        self.seq: int = 0 if kept is None else kept.seq
        self.folded: list[tuple[int, object]] = []
        """What was folded into it now, and is not marked yet."""


class _Rows(Generic[M]):
    """The rows that messages go to."""

    def __init__(
        self,
        projection: Projection[M],
        models: KeepsModels,
        recipient: str,
        kept: Sequence[RowKept],
    ) -> None:
        self._projection = projection
        self._models = models
        self._recipient = recipient
        self._rows: dict[RowKey, _Row] = {each.at: _Row(each) for each in kept}

    async def fold(self, taken: _Taken) -> None:
        """Fold a message into its row; raises what comes of it, and then nothing has changed."""
        assert taken.at is not None, "it goes to a row"
        row = self._rows.setdefault(taken.at, _Row(None))
        if row.kept is not None and row.kept.is_torn and not row.is_mended:
            await self.mend(taken.at)
        seq = taken.due.seq
        if seq <= row.seq and _may_be_late(taken.due):
            body = await self._from_the_beginning(taken.at, row, (seq, taken.message))
        else:
            # Of several keys that go to one row, one may be ahead of the others.
            body = self._once(row.body, taken.message)
        row.body, row.seq = body, max(row.seq, seq)
        row.folded.append((seq, taken.message))

    async def mend(self, at: RowKey) -> None:
        """Fold a torn row again, from what is left of what went to it.

        Whatever cannot be folded without the rest is left out: it has no delivery any more that
        could be given up.
        """
        row = self._rows[at]
        body: bytes | None = None
        async for seq, message in self._before(at):
            try:
                body = self._once(body, message)
            except Exception as error:  # noqa: BLE001 - a user's function ends here
                log.warning(
                    "message %d is left out of a row of %s, of which another one was erased: %s",
                    *(seq, self._recipient, type(error).__name__),
                )
        row.body, row.is_mended = body, True

    def written(self) -> tuple[RowWrite, ...]:
        """Return the rows that are not as they were."""
        return tuple(
            RowWrite(
                at=at,
                body=row.body,
                seq=row.seq,
                revision=0 if row.kept is None else row.kept.revision,
            )
            for at, row in sorted(self._rows.items())
            if row.folded or row.is_mended
        )

    def _once(self, body: bytes | None, message: object) -> bytes | None:
        """Return what stands in a row after a message; each fold is given a row of its own."""
        projection = self._projection
        row = projection.fold(projection.read(body), message)
        return None if row is None else projection.write(row)

    async def _from_the_beginning(
        self, at: RowKey, row: _Row, late: tuple[int, object]
    ) -> bytes | None:
        """Return what stands in a row when all of its messages are folded in their order."""
        beside = sorted([*row.folded, late], key=lambda each: each[0])
        body: bytes | None = None
        async for seq, message in self._before(at):
            while beside and beside[0][0] < seq:
                body = self._once(body, beside.pop(0)[1])
            body = self._once(body, message)
        for _, message in beside:
            body = self._once(body, message)
        return body

    async def _before(self, at: RowKey) -> AsyncIterator[tuple[int, object]]:
        """Give what was folded into a row before, in its order."""
        projection = self._projection
        # Which messages went to a row of its own key nobody knows but the projection.
        of_key = at if projection.key is None else None
        last = 0
        while True:
            page = await self._models.history(
                self._recipient, key=of_key, after=last, limit=HISTORY_AT_ONCE
            )
            for due in page:
                message: Any = projection.message_of(due.message)
                key = projection.row_of(message, due.message)
                if key is not None and RowKey(due.message.tenant, key) == at:
                    yield due.seq, message
            if len(page) < HISTORY_AT_ONCE:
                return
            last = page[-1].seq


def _seq(taken: _Taken) -> int:
    return taken.due.seq


def _may_be_late(due: Due) -> bool:
    """Say whether messages behind this one in its lane may have been folded before it."""
    return due.sending > 0 or due.message.not_before is not None
