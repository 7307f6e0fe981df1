"""Read models that are remembered while the process lives: the promises of `KeepsModels`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from makegood.journal.beside.models import (
    Edition,
    EditionState,
    RowKept,
    RowKey,
    Rows,
    TornRow,
    Verdict,
)
from makegood.journal.messages import DeliveryState, Due, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from makegood.journal.beside.models import Folded, NewEdition, RowWrite
    from makegood.journal.lanes.office import LaneRecord, Office, StoredMessage
    from makegood.journal.lanes.shown import Order
    from makegood.values.instants import Instant

__all__ = ["MemoryModels"]


class MemoryModels:
    """What one worker's journal in memory keeps of read models; nothing here suspends.

    `office` gives what is known of messages, and raises where the journal is not open; `works` says
    whether it may hold lanes.
    """

    def __init__(self, office: Callable[[], Office], *, works: Callable[[], bool]) -> None:
        self._opened = office
        self._works = works

    async def begin(self, new: NewEdition, *, anew: bool = False, now: Instant) -> Edition:
        """Begin an edition, or return the one that there is."""
        office = self._opened()
        of_model = [each for each in office.editions.values() if each.model == new.model]
        for each in reversed(of_model):
            is_it = each.fingerprint == new.fingerprint and each.state is not EditionState.RETIRED
            if is_it and not anew:
                return each
        edition = Edition(
            model=new.model,
            number=max((each.number for each in of_model), default=0) + 1,
            fingerprint=new.fingerprint,
            types=new.types,
            state=EditionState.FILLING,
            until=max(office.messages, default=0),
            filled=0,
            begun_at=now,
            seen_at=now,
            actor=new.actor,
            because=new.because,
        )
        office.editions[edition.model, edition.number] = edition
        office.rows[edition.recipient] = {}
        for name in new.types:
            office.wanted.setdefault(name, {})[edition.recipient] = Subscription(
                recipient=edition.recipient, type=name, since=now, seen_at=now
            )
        return edition

    async def fill(self, model: str, number: int, *, limit: int, now: Instant) -> bool:
        """Give an edition messages that were stored before; say whether there are more."""
        office = self._opened()
        edition = office.editions[model, number]
        if edition.state is not EditionState.FILLING:
            return False
        behind = [
            stored
            for seq, stored in sorted(office.messages.items())
            if edition.filled < seq <= edition.until
        ]
        looked_at = behind[:limit]
        for stored in looked_at:
            if stored.message.type in edition.types and stored.erased_at is None:
                office.give(stored, edition.recipient, now)
        has_more = len(behind) > limit
        office.editions[model, number] = replace(
            edition,
            filled=looked_at[-1].seq if has_more else edition.until,
            state=EditionState.FILLING if has_more else EditionState.CATCHING_UP,
        )
        return has_more

    async def fold(self, folded: Folded) -> Verdict:
        """Write rows together with the marks of what was folded into them."""
        office = self._opened()
        held = [office.holds(each) if self._works() else None for each in folded.finished]
        for lane, finished in zip(held, folded.finished, strict=True):
            if lane is None or any(each.seq not in lane.due for each in finished.outcome.handled):
                return Verdict.FENCED
        rows = office.rows.setdefault(folded.recipient, {})
        if any(_revision(rows.get(each.at)) != each.revision for each in folded.rows):
            return Verdict.STALE
        for lane, finished in zip(held, folded.finished, strict=True):
            assert lane is not None, "what is not held was found above"
            office.settle(lane, finished, finished.outcome)
        for each in folded.rows:
            rows[each.at] = _kept(each)
        sources = office.sources.setdefault(folded.recipient, {})
        sources.update((each.seq, each.key) for each in folded.sources)
        return Verdict.WRITTEN

    async def rows(self, recipient: str, keys: Sequence[RowKey]) -> tuple[RowKept, ...]:
        """Return rows by their keys."""
        rows = self._opened().rows.get(recipient, {})
        return tuple(rows[key] for key in dict.fromkeys(keys) if key in rows)

    async def page(
        self, recipient: str, *, tenant: str = "", after: str | None = None, limit: int
    ) -> Rows:
        """Return one page of rows."""
        found = sorted(
            (
                each
                for each in self._opened().rows.get(recipient, {}).values()
                if each.at.tenant == tenant
                and each.body is not None
                and (after is None or each.at.key > after)
            ),
            key=lambda each: each.at.key,
        )
        rows = tuple(found[:limit])
        return Rows(rows=rows, next=rows[-1].at.key if len(found) > limit else None)

    async def history(
        self, recipient: str, *, key: RowKey | None, after: int, limit: int
    ) -> tuple[Due, ...]:
        """Return what was folded behind a number."""
        found = [
            stored
            for stored in self._folded(recipient)
            if stored.seq > after
            and (key is None or key == (RowKey(stored.message.tenant, stored.message.key or "")))
        ]
        return tuple(
            Due(seq=stored.seq, attempts=0, sending=0, message=stored.message)
            for stored in found[:limit]
        )

    async def torn(self, recipients: Sequence[str], *, limit: int) -> tuple[TornRow, ...]:
        """Return rows of editions that are to be folded again."""
        rows = self._opened().rows
        found = [
            TornRow(recipient=recipient, row=row)
            for recipient in sorted(recipients)
            for _, row in sorted(rows.get(recipient, {}).items())
            if row.is_torn
        ]
        return tuple(found[:limit])

    async def promote(self, model: str, number: int) -> bool:
        """Let an edition serve if it has caught up; say whether it serves."""
        office = self._opened()
        edition = office.editions[model, number]
        if edition.state is not EditionState.CATCHING_UP:
            return edition.state is EditionState.SERVING
        if any(self._is_behind(lane.due, edition) for lane in self._lanes_of(edition)):
            return False
        office.editions[model, number] = replace(edition, state=EditionState.SERVING)
        for each in list(office.editions.values()):
            is_before = each.model == model and each.number < number
            if is_before and each.fingerprint == edition.fingerprint:
                self._retire(office, each)
        return True

    async def retire(self, model: str, number: int, order: Order) -> bool:
        """End an edition; say whether it was not retired before."""
        office = self._opened()
        edition = office.editions.get((model, number))
        if edition is None or edition.state is EditionState.RETIRED:
            return False
        told = replace(edition, actor=order.actor, because=order.reason)
        self._retire(office, told)
        return True

    async def clear(self, *, limit: int) -> bool:
        """Remove what is left of retired editions; say whether there is more."""
        office = self._opened()
        retired = [each for each in office.editions.values() if each.state is EditionState.RETIRED]
        for each in retired:
            if office.take_from(each.recipient, limit):
                return True
            del office.editions[each.model, each.number]
        return False

    async def editions(self, model: str | None = None) -> tuple[Edition, ...]:
        """Return editions, of one model or of all."""
        found = self._opened().editions.values()
        wanted = [each for each in found if model is None or each.model == model]
        return tuple(sorted(wanted, key=lambda each: (each.model, each.number)))

    async def seen(self, editions: Sequence[Edition], *, now: Instant) -> None:
        """Say that somebody serves these editions."""
        office = self._opened()
        for each in editions:
            kept = office.editions.get((each.model, each.number))
            if kept is not None:
                office.editions[each.model, each.number] = replace(kept, seen_at=now)

    def _retire(self, office: Office, edition: Edition) -> None:
        retired = replace(edition, state=EditionState.RETIRED)
        office.editions[edition.model, edition.number] = retired
        for name in edition.types:
            office.wanted.get(name, {}).pop(edition.recipient, None)

    def _folded(self, recipient: str) -> Iterator[StoredMessage]:
        """Give what a recipient is done with and was not erased, in its order."""
        for _, stored in sorted(self._opened().messages.items()):
            delivery = stored.deliveries.get(recipient)
            is_done = delivery is not None and delivery.state is DeliveryState.DONE
            if is_done and stored.erased_at is None:
                yield stored

    def _lanes_of(self, edition: Edition) -> Iterator[LaneRecord]:
        for id, lane in self._opened().lanes.items():
            if id.recipient == edition.recipient and lane.blocked_by is None:
                yield lane

    def _is_behind(self, due: Sequence[int], edition: Edition) -> bool:
        return any(seq <= edition.until for seq in due)


def _revision(row: RowKept | None) -> int:
    return 0 if row is None else row.revision


def _kept(written: RowWrite) -> RowKept:
    return RowKept(at=written.at, body=written.body, seq=written.seq, revision=written.revision + 1)
