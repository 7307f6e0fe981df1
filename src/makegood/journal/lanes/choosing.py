"""Which deliveries, messages or owners are meant? Where it is not a database that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.journal.messages import (
        Delivery,
        DeliveryFilter,
        Kept,
        MessageFilter,
        Subscription,
    )

__all__ = ["is_chosen", "is_shown", "other_owner"]


def is_chosen(filter: DeliveryFilter, delivery: Delivery) -> bool:
    """Say whether a filter means a delivery; on which page it stands is not asked."""
    failed_at = delivery.failed_at
    return (
        (filter.recipient is None or delivery.id.recipient == filter.recipient)
        and (not filter.states or delivery.state in filter.states)
        and (filter.type is None or delivery.message.type == filter.type)
        and (filter.lane is None or delivery.lane == filter.lane)
        and (filter.reason is None or delivery.reason == filter.reason)
        and (filter.fault is None or delivery.fault == filter.fault)
        and (
            filter.failed_before is None
            or (failed_at is not None and failed_at < filter.failed_before)
        )
        and (
            filter.failed_after is None
            or (failed_at is not None and failed_at >= filter.failed_after)
        )
        and (not filter.ids or delivery.id in filter.ids)
    )


def is_shown(filter: MessageFilter, kept: Kept) -> bool:
    """Say whether a filter shows a message; on which page it stands is not asked."""
    message = kept.message
    return (
        (filter.correlation is None or message.correlation == filter.correlation)
        and (filter.key is None or message.key == filter.key)
        and (filter.tenant is None or message.tenant == filter.tenant)
        and (filter.type is None or message.type == filter.type)
        and (filter.source is None or message.source == filter.source)
        and (filter.id is None or message.id == filter.id)
        and not (filter.unheard and kept.deliveries)
    )


def other_owner(
    wanted: Sequence[Subscription], there: Iterable[Subscription], beside: tuple[str, ...]
) -> Subscription | None:
    """Return one who has subscribed to what is to be owned, and does not stand beside owners."""
    types = {each.type: each.recipient for each in wanted}
    for each in there:
        is_wanted = each.type in types and types[each.type] != each.recipient
        if is_wanted and not each.recipient.startswith(beside):
            return each
    return None
