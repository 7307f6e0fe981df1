"""How is what a run holds of somebody taken out of the store? Knows rows, not what a fact means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from makegood.journal.postgres.connection import in_transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.postgres.connection import Connection
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["Erasure", "erase_run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What is to stand in the place of a run's appends."""

    run: RunId
    seq: int
    appends: Sequence[bytes]
    last: bytes
    token: bytes
    at: Instant

    def __post_init__(self) -> None:
        """Hold what an erasure may not change."""
        assert len(self.appends) == self.seq, "an erased run keeps its sequence"


async def erase_run(connection: Connection, schema: str, erasure: Erasure) -> bool:
    """Put these appends in the place of an ended run's, and add one; say whether that was done."""
    return await in_transaction(connection, lambda within: _erase(within, schema, erasure))


async def _erase(connection: Connection, schema: str, erasure: Erasure) -> bool:
    epoch = await connection.fetchval(
        f"""
        UPDATE "{schema}".run SET status = 'erased', subject = NULL, seq = seq + 1, token = $3,
               post_tokens = NULL, inbox_taken = inbox_head
         WHERE id = $1 AND seq = $2 AND ended_at IS NOT NULL AND pruned_at IS NULL
           AND owner IS NULL AND wake_at IS NULL
           AND NOT EXISTS (SELECT FROM "{schema}".outgoing WHERE sender = $1)
        RETURNING epoch
        """,
        erasure.run,
        erasure.seq,
        erasure.token,
    )
    if epoch is None:
        return False
    await connection.execute(
        f"""
        UPDATE "{schema}".facts SET body = given.body
          FROM unnest($2::bytea[]) WITH ORDINALITY AS given (body, seq)
         WHERE run = $1 AND facts.seq = given.seq
        """,
        erasure.run,
        list(erasure.appends),
    )
    await connection.execute(
        f"""
        INSERT INTO "{schema}".facts (run, seq, epoch, token, at, body)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        *(erasure.run, erasure.seq + 1, epoch, erasure.token, erasure.at, erasure.last),
    )
    await connection.execute(f'DELETE FROM "{schema}".inbox WHERE run = $1', erasure.run)
    await connection.execute(
        f'UPDATE "{schema}".move SET cause = NULL, actor = NULL WHERE run = $1', erasure.run
    )
    return True
