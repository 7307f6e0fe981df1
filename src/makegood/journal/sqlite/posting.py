"""How do callers without a lease reach a run? Knows the inbox, and nothing of what is posted."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from makegood.journal.protocol import Exists
from makegood.journal.rows import refuse_unknown
from makegood.journal.sqlite.appending import holder_of_key

if TYPE_CHECKING:
    from makegood.journal.application.connection import Connection
    from makegood.journal.protocol import NewRun, Post

__all__ = ["post_to_run", "put"]


def post_to_run(connection: Connection, post: Post) -> int | Exists:
    """Add the post under the next number of its run, which `create` makes first."""
    answer = put(connection, post)
    if answer is None:
        refuse_unknown(post.run)
    return answer


def put(connection: Connection, post: Post) -> int | Exists | None:
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
               inbox_head, epoch, claims, wake_at, created_at, subject, key_hold, correlation,
               causation)
        VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?, ?, ?, ?, ?, ?)
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
            int(new.key_until_ended),
            new.correlation,
            new.causation,
        ),
    )
    return None
