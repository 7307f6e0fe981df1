"""What a lifecycle may announce, and what is refused when it is declared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from makegood import DefinitionError, LifecycleEvent, Occasion
from makegood.definition.lifecycle.announcing import Announcement
from tests.runtime.lifecycle.shop import Status, lifecycle

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class OrderEvent(LifecycleEvent):
    """What happens to orders."""


@dataclass(frozen=True, kw_only=True)
class Longer(LifecycleEvent):
    """One with a field of its own."""

    total: int = 0


@dataclass(frozen=True, kw_only=True)
class Order(LifecycleEvent):
    """One that has an owner."""

    message_kind: ClassVar[str] = "command"


@dataclass(frozen=True)
class Other:
    id: str


def test_everything_is_announced_unless_it_is_said_what() -> None:
    assert lifecycle.announce().announcements == (
        Announcement(LifecycleEvent, frozenset(Occasion), frozenset()),
    )
    several = lifecycle.announce(
        OrderEvent, on={Occasion.ENTERED}, status={Status.PAID, Status.LOST}
    ).announce(on=Occasion.FAILED, status=Status.NEW)
    assert several.announcements == (
        Announcement(OrderEvent, frozenset({Occasion.ENTERED}), frozenset({"PAID", "LOST"})),
        Announcement(LifecycleEvent, frozenset({Occasion.FAILED}), frozenset({"NEW"})),
    )


def test_what_is_announced_changes_no_fingerprint_and_can_be_changed_at_any_time() -> None:
    announcing = lifecycle.announce(OrderEvent).workflow()
    assert announcing.plan == lifecycle.workflow().plan


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"event": Other}, "announce a class that is derived from LifecycleEvent"),
        ({"event": "OrderEvent"}, "'OrderEvent' is announced; announce a class"),
        ({"event": Longer}, "`Longer` adds total, which nobody would fill in"),
        ({"event": Order}, "`Order` is a command, and what has happened is an event"),
        ({"on": {"paid"}}, "on='paid' is no Occasion; name some of STARTED, ENTERED"),
        ({"status": 3}, "status=3 is no Status"),
        ({"keep": timedelta(0)}, "keep=0:00:00: an event is kept for more than nothing"),
        ({"keep": timedelta(days=367)}, "at most 366 days"),
    ],
)
def test_what_cannot_be_announced_is_refused(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        lifecycle.announce(**options)

    assert message in str(caught.value)
