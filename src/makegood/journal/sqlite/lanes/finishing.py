"""How is what came of a lane's deliveries written? Knows the comparing statement, and its refusals.

As with appends, many are one statement, which raises when one of them does not fit; then each is
written by itself, and told apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never, cast

import msgspec

from makegood.journal.messages import Dead, Done, Later, Settled
from makegood.journal.protocol import Fenced
from makegood.journal.sqlite.posting import post_to_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.messages import Finished, Handling, Outcome

__all__ = ["pack_finished", "settled", "write_finished", "written_instead"]

_WRITE = """
INSERT INTO makegood_finish (recipient, lane, worker, epoch, at, release, blocked_by, handled)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       value -> 7
  FROM json_each(?)
"""

_encoder = msgspec.json.Encoder()


def pack_finished(finished: Finished, outcome: Outcome) -> msgspec.Raw:
    """Return what came of a lane's deliveries as the comparing statement takes it."""
    blocking = [each.seq for each in outcome.handled if isinstance(each, Dead) and each.blocks]
    return msgspec.Raw(
        _encoder.encode(
            (
                finished.id.recipient,
                finished.id.lane,
                finished.worker,
                finished.epoch,
                finished.at,
                finished.release,
                blocking[0] if blocking else None,
                [_handled(each) for each in outcome.handled],
            )
        )
    )


def write_finished(connection: Connection, packed: Sequence[msgspec.Raw]) -> None:
    """Write all of these or none of them; raise `appending.MOVED` when one does not fit."""
    connection.execute(_WRITE, (_encoder.encode(packed).decode(),))


def settled(connection: Connection, outcome: Outcome) -> Settled:
    """Start the runs that an outcome starts, which is written otherwise."""
    return Settled(outcome, tuple(post_to_run(connection, post) for post in outcome.starts))


def written_instead(connection: Connection, finished: Finished) -> Settled | Fenced | None:
    """Say what this is that does not fit its lane, or None when it does fit."""
    local = finished.local
    seqs = [each.seq for each in finished.outcome.handled] if local is None else [local.seq]
    found = [_state(connection, seq, finished) for seq in seqs]
    holds = connection.execute(
        """SELECT 1 FROM makegood_lane
            WHERE recipient = ? AND lane = ? AND owner = ? AND epoch = ?""",
        (finished.id.recipient, finished.id.lane, finished.worker, finished.epoch),
    ).get
    if holds and all(state == "due" and lane == finished.id.lane for state, lane, _ in found):
        return None
    is_written = bool(found) and all(epoch == finished.epoch for _, _, epoch in found)
    return Settled() if is_written else Fenced()


def _state(
    connection: Connection, seq: int, finished: Finished
) -> tuple[str | None, str | None, int | None]:
    found = connection.execute(
        "SELECT state, lane, epoch FROM makegood_delivery WHERE seq = ? AND recipient = ?",
        (seq, finished.id.recipient),
    ).fetchone()
    return cast("tuple[str, str, int | None]", found) if found else (None, None, None)


# Any: a JSON array of what the trigger reads by its places.
def _handled(handled: Handling) -> tuple[Any, ...]:
    match handled:
        case Done():
            return (handled.seq, "done", 1, None, None, None, None, 0)
        case Later():
            return (
                handled.seq,
                *("due", int(handled.is_attempt), handled.due_at, None),
                *(handled.error.decode(), None, 0),
            )
        case Dead():
            return (
                handled.seq,
                *("dead", int(handled.is_attempt), None, handled.reason),
                *(handled.error.decode(), handled.fault, int(handled.blocks)),
            )
        case _:
            assert_never(handled)
