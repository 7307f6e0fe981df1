"""How is a run reached by callers without a lease, and by other runs? Knows no content."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from makegood.journal.mail import (
    Delivered,
    Undelivered,
    delivery,
    driven,
    read_outgoing,
    write_outgoing,
)
from makegood.journal.protocol import Exists
from makegood.journal.rows import refuse_unknown
from makegood.journal.sqlite.appending import holder_of_key

if TYPE_CHECKING:
    from makegood.journal.application.connection import Connection
    from makegood.journal.protocol import Append, NewRun, Post
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["deliver_oldest", "has_outgoing", "post_to_run", "remember", "undelivered_of"]


def post_to_run(connection: Connection, post: Post) -> int | Exists:
    """Add the post under the next number of its run, which `create` makes first."""
    answer = _put(connection, post)
    if answer is None:
        refuse_unknown(post.run)
    return answer


def _put(connection: Connection, post: Post) -> int | Exists | None:
    """Do what `post_to_run` does; None where there is no run to post to."""
    if post.create is not None:
        taken = _make_run(connection, post, post.create)
        if taken is not None:
            return taken
    found = connection.execute(
        """
        UPDATE makegood_run
           SET inbox_head = inbox_head + 1,
               wake_at = CASE WHEN owner IS NULL THEN min(ifnull(wake_at, ?1), ?1)
                              ELSE wake_at END
         WHERE id = ?2 AND pruned_at IS NULL
        RETURNING inbox_head
        """,
        (post.at, post.run),
    ).fetchall()
    if not found:
        return None
    number = cast("int", found[0][0])
    connection.execute(
        "INSERT INTO makegood_inbox (run, n, at, body) VALUES (?, ?, ?, ?)",
        (post.run, number, post.at, post.body),
    )
    return number


def _make_run(connection: Connection, post: Post, new: NewRun) -> Exists | None:
    taken = holder_of_key(connection, new)
    if taken is not None:
        return taken
    same_id = connection.execute(
        "SELECT input_hash FROM makegood_run WHERE id = ?", (post.run,)
    ).fetchone()
    if same_id is not None:
        return Exists(post.run, cast("str", same_id[0]))
    connection.execute(
        """
        INSERT INTO makegood_run (id, workflow, key, fingerprint, input_hash, status, seq,
               inbox_head, epoch, claims, wake_at, created_at, subject)
        VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?, ?, ?)
        """,
        (
            post.run,
            new.workflow,
            new.key,
            new.fingerprint,
            new.input_hash,
            post.status,
            post.at,
            new.created_at,
            new.subject,
        ),
    )
    return None


# From run to run ----------------------------------------------------------------------------------


def remember(connection: Connection, append: Append) -> None:
    """Put what an append has for others on its way, in its transaction."""
    for entry in append.outgoing:
        connection.execute(
            "INSERT INTO makegood_outgoing (sender, at, body) VALUES (?, ?, ?)",
            (append.run, append.at, write_outgoing(entry)),
        )


def has_outgoing(connection: Connection) -> bool:
    """Say whether anything is on its way."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM makegood_outgoing)").get)


def deliver_oldest(connection: Connection, *, limit: int, now: Instant) -> Delivered:
    """Post the oldest of what is on its way, and forget it."""
    taken = _oldest(connection, limit)
    posting = delivery([waiting for _, waiting in taken], now)
    posted = driven(posting, lambda post: _put(connection, post))
    if taken:
        connection.execute("DELETE FROM makegood_outgoing WHERE n <= ?", (taken[-1][0],))
    return Delivered(count=len(taken), posted=posted, has_more=has_outgoing(connection))


def undelivered_of(connection: Connection, limit: int) -> tuple[Undelivered, ...]:
    """Return what is on its way, the oldest first."""
    return tuple(waiting for _, waiting in _oldest(connection, limit))


def _oldest(connection: Connection, limit: int) -> list[tuple[int, Undelivered]]:
    found = connection.execute(
        "SELECT n, sender, at, body FROM makegood_outgoing ORDER BY n LIMIT ?", (limit,)
    ).fetchall()
    return [
        (n, Undelivered(sender=sender, at=at, entry=read_outgoing(body)))
        for n, sender, at, body in cast("list[tuple[int, RunId, Instant, bytes]]", found)
    ]
