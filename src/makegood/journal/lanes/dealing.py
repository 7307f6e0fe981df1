"""Which of the lanes that are due are taken at once? The rules that every store follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from makegood.journal.claiming import claimed_at_once, deal
from makegood.journal.messages import Dead, Later, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from makegood.journal.messages import Finished, Handling
    from makegood.values.instants import Instant

__all__ = ["handed_out", "keeps_waiting", "lanes_taken", "require_sound", "require_sound_outcome"]


class _HasClaims(Protocol):
    @property
    def claims(self) -> int: ...


class _HasDueTime(Protocol):
    @property
    def due_at(self) -> Instant: ...


AnyLane = TypeVar("AnyLane", bound=_HasClaims)
AnyDelivery = TypeVar("AnyDelivery", bound=_HasDueTime)


def lanes_taken(
    due: Callable[[str, AnyLane | None, int], Sequence[AnyLane]],
    *,
    room: Mapping[str, int],
    limit: int,
) -> list[AnyLane]:
    """Return the lanes that are taken, dealt out among recipients.

    `due` returns lanes of a recipient that are due, the longest first: those behind a lane, or from
    the beginning, and how many at most.
    """
    last: dict[str, AnyLane] = {}

    def next_of(recipient: str, _skipped: int, count: int) -> Sequence[AnyLane]:
        found = due(recipient, last.get(recipient), count)
        if found:
            last[recipient] = found[-1]
        return found

    dealt = deal(next_of, room=room, limit=limit)
    return dealt[: claimed_at_once([lane.claims for lane in dealt])]


def handed_out(oldest: Iterable[AnyDelivery], now: Instant) -> list[AnyDelivery]:
    """Return those of a lane's oldest deliveries that are handed out.

    One that waits for its time, as after a failure, keeps those behind it waiting too.
    """
    taken: list[AnyDelivery] = []
    for each in oldest:
        if each.due_at > now:
            break
        taken.append(each)
    return taken


def require_sound(finished: Finished) -> None:
    """Hold the caller to what `Finished` and `Outcome` say."""
    if finished.local is None:
        require_sound_outcome(finished, finished.outcome)
    else:
        assert finished.outcome == Outcome(), "a local receptor says itself what came of it"


def require_sound_outcome(finished: Finished, outcome: Outcome) -> None:
    """Hold whoever made an outcome to what it promises."""
    handled = outcome.handled
    seqs = {each.seq for each in handled}
    assert len(seqs) == len(handled), "a delivery is handled once"
    assert not any(keeps_waiting(each) for each in handled[:-1]), "nothing follows what waits"
    assert finished.release or not any(keeps_waiting(each) for each in handled[-1:]), (
        "a lane in which all has to wait is given back"
    )
    assert handled or not (outcome.messages or outcome.starts), "what is sent on has a reason"
    local = finished.local
    assert local is None or seqs == {local.seq}, "a local receptor handles one delivery"


def keeps_waiting(handled: Handling) -> bool:
    """Say whether what is behind a delivery in its lane waits for it still."""
    return isinstance(handled, Later) or (isinstance(handled, Dead) and handled.blocks)
