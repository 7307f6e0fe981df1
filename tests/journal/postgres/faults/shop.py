"""Workflows that change the shop's own tables, and a witness outside that sees every call."""

from __future__ import annotations

from dataclasses import dataclass

from makegood import (
    Declined,
    IdempotencyKey,
    Transaction,
    Writes,
    injected,
    step,
    workflow,
)
from makegood.extension import Migration
from tests.runtime.outside import Outside

__all__ = ["Shop", "drink", "drop", "order", "serve"]


@dataclass(frozen=True)
class Shop:
    """Tables in which a change that is made twice shows as two rows."""

    name: str = "shop"
    migrations: tuple[Migration, ...] = (
        Migration(
            owner="shop",
            number=1,
            sql="CREATE TABLE taken (trip TEXT); CREATE TABLE returned (trip TEXT); "
            "CREATE TABLE sold (trip TEXT)",
        ),
    )
    commands: tuple[()] = ()


async def take_cup(trip: str, *, transaction: Transaction = injected) -> str:
    assert await transaction.fetch("SELECT trip FROM taken WHERE trip = ?", trip) == []
    await transaction.execute("INSERT INTO taken VALUES (?)", trip)
    return trip


async def return_cup(taken: str, *, transaction: Transaction = injected) -> None:
    await transaction.execute("INSERT INTO returned VALUES (?)", taken)


async def sell_cup(
    trip: str,
    *,
    writes: Writes = injected,
    outside: Outside = injected,
    key: IdempotencyKey = injected,
) -> str:
    writes.execute("INSERT INTO sold VALUES (?)", trip, expect_rows=1)
    return await outside.do("sell", key)


async def break_cup(taken: str) -> str:
    message = "it slipped"
    raise Declined(message)


take = step(take_cup, undo=return_cup)
sell = step(sell_cup, irreversible="a cup that is sold is gone")
slip = step(break_cup, irreversible="it is in pieces")


@workflow
def drink(trip: str) -> str:
    """Take a cup: one local step."""
    return take(trip)


@workflow
def order(trip: str) -> str:
    """Sell a cup: a call to the outside, and a row in its append."""
    return sell(trip)


@workflow
def drop(trip: str) -> str:
    """Take a cup, drop it, and return it: a local step that is undone."""
    return slip(take(trip))


@workflow
def serve(trip: str) -> str:
    """Take a cup and sell it."""
    return sell(take(trip))
