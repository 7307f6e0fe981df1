"""What is asked of a database to show messages? The statements of every store.

Both databases understand them; what differs is how a table is named and a value is bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from makegood.journal.lanes.naming import LISTENING
from makegood.journal.lanes.rows import DELIVERY, ENVELOPE, LANE, page_size
from makegood.journal.messages import DeliveryState
from makegood.values.limits import LAG_COUNTED_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.journal.messages import DeliveryFilter, LaneId, MessageFilter
    from makegood.values.injectable import Sql

# The prefix of the tables is the store's own; values are bound.
# ruff: noqa: S608

__all__ = [
    "About",
    "Dialect",
    "Question",
    "dead_letters",
    "deliveries",
    "deliveries_of",
    "erasable",
    "lag",
    "lanes",
    "message",
    "messages",
    "subscriptions",
    "unerasable",
]


class Dialect(NamedTuple):
    """How a store writes a statement."""

    prefix: str
    """What stands before the name of a table."""
    bound: Callable[[int], str]
    """Return what stands for the value with this number, from 1."""


class Question(NamedTuple):
    """A statement, and the values in it."""

    sql: str
    values: tuple[Sql, ...]


class _Conditions:
    """Conditions that must all hold, and the values in them."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._texts: list[str] = []
        self.values: list[Sql] = []

    def add(self, text: str, *values: Sql) -> None:
        """Add a condition, in which every `{}` stands for a value."""
        self._texts.append(text.format(*(self.bind(value) for value in values)))

    def bind(self, value: Sql) -> str:
        """Return what stands for a value."""
        self.values.append(value)
        return self._dialect.bound(len(self.values))

    def equal(self, **columns: Sql) -> None:
        """Add that columns have values, where they are not None."""
        for name, value in columns.items():
            if value is not None:
                self.add(name.replace("__", ".") + " = {}", value)

    @property
    def text(self) -> str:
        return " AND ".join(self._texts) or "true"


def subscriptions(dialect: Dialect) -> Question:
    """Return the question for who wants what, sorted, with the columns of a subscription."""
    return Question(
        f"""
        SELECT recipient, type, since, seen_at FROM {dialect.prefix}subscription
         ORDER BY recipient, type
        """,
        (),
    )


def deliveries(dialect: Dialect, filter: DeliveryFilter) -> Question:
    """Return the question for deliveries with the newest first, one more than a page holds.

    Its columns are those of a delivery, when the message was stored, and those of its envelope.
    """
    where = _chosen(dialect, filter)
    if filter.states:
        # Ours, and in the text itself, so that an index of one state is found.
        states = ", ".join(f"'{DeliveryState(state).value}'" for state in sorted(filter.states))
        one_or_more = f"= {states}" if len(filter.states) == 1 else f"IN ({states})"
        where.add(f"delivery.state {one_or_more}")
    if filter.after is not None:
        where.add(
            "(delivery.seq, delivery.recipient) < ({}, {})",
            filter.after.seq,
            filter.after.recipient,
        )
    last = where.bind(page_size(filter.limit) + 1)
    return Question(
        f"""
        SELECT {DELIVERY}, message.stored_at, {ENVELOPE}
          FROM {dialect.prefix}delivery AS delivery
          JOIN {dialect.prefix}message AS message ON message.seq = delivery.seq
         WHERE {where.text}
         ORDER BY delivery.seq DESC, delivery.recipient DESC LIMIT {last}
        """,
        tuple(where.values),
    )


def dead_letters(dialect: Dialect, filter: DeliveryFilter) -> Question:
    """Return the question for the numbers and recipients of dead letters with the oldest first.

    It is for one more than may be moved at once.
    """
    where = _chosen(dialect, filter)
    last = where.bind(page_size(filter.limit) + 1)
    return Question(
        f"""
        SELECT delivery.seq, delivery.recipient
          FROM {dialect.prefix}delivery AS delivery
          JOIN {dialect.prefix}message AS message ON message.seq = delivery.seq
         WHERE delivery.state = 'dead' AND {where.text}
         ORDER BY delivery.seq, delivery.recipient LIMIT {last}
        """,
        tuple(where.values),
    )


def messages(dialect: Dialect, filter: MessageFilter) -> Question:
    """Return the question for messages with the newest first, one more than a page holds.

    Its columns are the number, when it was stored, when it was erased, and those of its envelope.
    """
    where = _Conditions(dialect)
    where.equal(
        message__correlation=filter.correlation,
        message__key=filter.key,
        message__tenant=filter.tenant,
        message__type=filter.type,
        message__source=filter.source,
        message__id=filter.id,
    )
    if filter.unheard:
        where.add("message.heard = 0")
    if filter.after is not None:
        where.add("message.seq < {}", filter.after)
    last = where.bind(page_size(filter.limit) + 1)
    return Question(
        f"""
        SELECT message.seq, message.stored_at, message.erased_at, {ENVELOPE}
          FROM {dialect.prefix}message AS message
         WHERE {where.text} ORDER BY message.seq DESC LIMIT {last}
        """,
        tuple(where.values),
    )


def message(dialect: Dialect, seq: int) -> Question:
    """Return the question for one message, with the columns of `messages`."""
    return Question(
        f"""
        SELECT message.seq, message.stored_at, message.erased_at, {ENVELOPE}
          FROM {dialect.prefix}message AS message WHERE message.seq = {dialect.bound(1)}
        """,
        (seq,),
    )


def deliveries_of(dialect: Dialect, seqs: Sequence[int]) -> Question:
    """Return the question for all deliveries of these messages, sorted by their recipients."""
    where = _Conditions(dialect)
    given = ", ".join(where.bind(seq) for seq in seqs)
    return Question(
        f"""
        SELECT {DELIVERY} FROM {dialect.prefix}delivery AS delivery
         WHERE delivery.seq IN ({given}) ORDER BY delivery.recipient
        """,
        tuple(where.values),
    )


def lanes(dialect: Dialect, recipient: str, *, after: LaneId | None, limit: int) -> Question:
    """Return the question for lanes of a recipient, sorted by their names."""
    where = _Conditions(dialect)
    where.equal(lane__recipient=recipient)
    if after is not None:
        where.add("lane.lane > {}", after.lane)
    last = where.bind(page_size(limit))
    return Question(
        f"""
        SELECT {LANE} FROM {dialect.prefix}lane AS lane
         WHERE {where.text} ORDER BY lane.lane LIMIT {last}
        """,
        tuple(where.values),
    )


def lag(dialect: Dialect) -> Question:
    """Return the question for how far every recipient is behind.

    Recipients are found by leaps over the indexes, and counts end where they are bounded.
    """
    prefix = dialect.prefix
    return Question(
        f"""
        WITH RECURSIVE of_lanes (name) AS (
            SELECT min(recipient) FROM {prefix}lane
             UNION ALL
            SELECT (SELECT min(recipient) FROM {prefix}lane WHERE recipient > name)
              FROM of_lanes WHERE name IS NOT NULL
        ), of_dead (name) AS (
            SELECT min(recipient) FROM {prefix}delivery WHERE state = 'dead'
             UNION ALL
            SELECT (SELECT min(recipient) FROM {prefix}delivery
                     WHERE state = 'dead' AND recipient > name)
              FROM of_dead WHERE name IS NOT NULL
        ), named (name) AS (
            SELECT recipient FROM {prefix}subscription
             UNION SELECT name FROM of_lanes WHERE substr(name, 1, 1) <> '{LISTENING}'
             UNION SELECT name FROM of_dead WHERE name IS NOT NULL
        )
        SELECT name,
               (SELECT count(*) FROM (SELECT 1 FROM {prefix}delivery
                                       WHERE recipient = name AND state = 'due'
                                       LIMIT {LAG_COUNTED_MAX}) AS counted),
               (SELECT min(stored_at) FROM
                   (SELECT (SELECT message.stored_at
                              FROM {prefix}delivery AS delivery
                              JOIN {prefix}message AS message ON message.seq = delivery.seq
                             WHERE delivery.recipient = lane.recipient
                               AND delivery.lane = lane.lane AND delivery.state = 'due'
                             ORDER BY delivery.seq LIMIT 1) AS stored_at
                      FROM {prefix}lane AS lane WHERE lane.recipient = name
                     LIMIT {LAG_COUNTED_MAX}) AS heads),
               (SELECT count(*) FROM (SELECT 1 FROM {prefix}delivery
                                       WHERE recipient = name AND state = 'dead'
                                       LIMIT {LAG_COUNTED_MAX}) AS counted)
          FROM named ORDER BY name
        """,
        (),
    )


class About(NamedTuple):
    """Which messages are erased: those about a subject, or those of a key."""

    subject: str | None
    tenant: str
    key: str | None


def erasable(dialect: Dialect, about: About, limit: int) -> Question:
    """Return the question for the numbers of messages that are to be erased, the oldest first."""
    where = _about(dialect, about)
    where.add(f"NOT {_waited_for(dialect)}")
    last = where.bind(limit)
    return Question(
        f"""
        SELECT message.seq FROM {dialect.prefix}message AS message
         WHERE {where.text} ORDER BY message.seq LIMIT {last}
        """,
        tuple(where.values),
    )


def unerasable(dialect: Dialect, about: About, limit: int) -> Question:
    """Return the question for how many cannot be erased, for they are still to be handled."""
    where = _about(dialect, about)
    where.add(_waited_for(dialect))
    last = where.bind(limit)
    return Question(
        f"""
        SELECT count(*) FROM (SELECT 1 FROM {dialect.prefix}message AS message
                               WHERE {where.text} LIMIT {last}) AS counted
        """,
        tuple(where.values),
    )


def _about(dialect: Dialect, about: About) -> _Conditions:
    assert (about.subject is None) != (about.key is None), "either a subject or a key is erased"
    where = _Conditions(dialect)
    where.add("message.erased_at IS NULL")
    if about.key is None:
        where.equal(message__subject=about.subject)
    else:
        where.equal(message__key=about.key, message__tenant=about.tenant)
    return where


def _waited_for(dialect: Dialect) -> str:
    return f"""EXISTS (SELECT 1 FROM {dialect.prefix}delivery AS delivery
                        WHERE delivery.seq = message.seq
                          AND delivery.state IN ('due', 'later'))"""


def _chosen(dialect: Dialect, filter: DeliveryFilter) -> _Conditions:
    where = _Conditions(dialect)
    where.equal(
        delivery__recipient=filter.recipient,
        delivery__lane=filter.lane,
        delivery__reason=filter.reason,
        delivery__fault=filter.fault,
        message__type=filter.type,
    )
    if filter.failed_before is not None:
        where.add("delivery.failed_at < {}", filter.failed_before)
    if filter.failed_after is not None:
        where.add("delivery.failed_at >= {}", filter.failed_after)
    if filter.ids:
        one_of = " OR ".join(
            f"delivery.seq = {where.bind(each.seq)}"
            f" AND delivery.recipient = {where.bind(each.recipient)}"
            for each in sorted(filter.ids)
        )
        where.add(f"({one_of})")
    return where
