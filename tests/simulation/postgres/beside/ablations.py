"""What keeps lanes and schedules right on a server, taken away in turn."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from makegood.journal.messages import Stored
from makegood.journal.reply import Reply
from tests.simulation.ablation import NOTHING, Ablation, Around
from tests.simulation.messages.without import AroundMessages
from tests.simulation.postgres.beside import messages, schedules
from tests.simulation.postgres.beside.keeping import OnServer, on_server
from tests.simulation.schedules.ablations import MISSED as OF_SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.messages import Malformed, Receipt
    from makegood.journal.protocol import Journal
    from makegood.journal.reply import Pending
    from makegood.testing.simulation import Host
    from makegood.values.envelope import Envelope
    from makegood.values.instants import Instant
    from tests.simulation.postgres.locks import Rows
    from tests.simulation.postgres.rows import Transaction
    from tests.simulation.postgres.server import Server
    from tests.simulation.schedules.keeping import Keep

__all__ = ["MISSED", "Missed"]


class Missed(NamedTuple):
    """A safeguard that is taken away, and what shows its lack."""

    removes: str
    shown_by: str
    keep: Keep = OnServer
    ablation: Ablation = NOTHING


# In the schema ----------------------------------------------------------------------------------


def _over_any_version(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Write a row, whichever version is there."""
    row = schedules.row_of(given)
    yield from transaction.lock(f"schedule {row.name}")
    if row.name in transaction.store.schedules:
        transaction.schedules[row.name] = row
        transaction.works.append(partial(server.scheduled, row))
    return []


# In the hands of an engine ----------------------------------------------------------------------


class _Sent(AroundMessages):
    """A message is acknowledged when it is on its way to the server."""

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Pending[tuple[Receipt, ...]]:
        """Store messages, some time."""
        self.messages_inside.publish(messages, now=now)
        given: Reply[tuple[Receipt, ...]] = Reply()
        given.give(tuple(Stored(0) for _ in messages))
        return given


# Any: a wrapper of a journal, which has all that the journal has.
def _acknowledged_when_sent(journal: Journal, host: Host) -> Any:
    around: Any = Around(journal, host._simulation.store)
    around.messages = _Sent(journal.messages, None)
    return around


MISSED: dict[str, Missed] = {
    "over any version": Missed(
        "A schedule is written over the version that was read.",
        "slots are behind it",
        on_server({schedules.change_schedule: _over_any_version}),
    ),
    "no unique name": Missed(
        "That a name is new is found where it is stored, by one index.",
        "were begun for the slot",
        on_server({messages.work: messages.work_without_names}),
    ),
    "acknowledged when it is sent": Missed(
        "A message is acknowledged once it is durable.",
        "nothing was begun for it",
        ablation=Ablation(name="sent", removes="", journal=_acknowledged_when_sent),
    ),
    **{
        name: Missed(take_away().removes, shown_by, ablation=take_away())
        for name, (take_away, shown_by) in OF_SCHEDULES.items()
        if name in {"slot without its key", "slot of any message"}
    },
}
"""How each safeguard is taken away."""
