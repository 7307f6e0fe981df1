"""A payment collection for an order that is paid already: create it, authorize a session, link it.

What the customer paid is noted on the order in any case: that a collection cannot be made is no
reason to lose an order. The session is made by two requests, so what an undo needs is recorded
between them, and not only returned.
"""

import asyncio
from dataclasses import dataclass, field

from makegood import Abort, Declined, Engine, Failure, Proceed, Record, injected, step, workflow


@dataclass(frozen=True)
class Paid:
    """What the company told of a payment."""

    order_id: str
    reference: str
    amount: int


@dataclass
class Books:
    """Stands for the payment module, its links to orders, and the provider, with their books."""

    collections: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)


async def note_payment(paid: Paid, *, books: Books = injected) -> None:
    """Note on the order what was paid, so that it is known whatever becomes of the rest."""
    books.notes[paid.order_id] = paid.reference


async def create_collection(paid: Paid, *, books: Books = injected) -> str:
    """Make a collection, once for each order."""
    collection = f"collection of {paid.order_id}"
    books.collections[collection] = paid.amount
    return collection


async def delete_collection(collection: str, *, books: Books = injected) -> None:
    """Delete a collection; one that is gone already is fine."""
    books.collections.pop(collection, None)


async def authorize_session(
    collection: str, paid: Paid, *, books: Books = injected, record: Record[str] = injected
) -> str:
    """Make a session of a collection, and have the provider authorize it; return its status."""
    session = f"session of {collection}"
    await record(session)
    books.sessions[session] = "pending"
    if paid.reference in books.refused:
        raise Declined(f"the provider does not know {paid.reference}")
    books.sessions[session] = "authorized"
    return "authorized"


async def delete_session(
    _status: str, *, books: Books = injected, recorded: str | None = injected
) -> None:
    """Delete the session that was recorded: its status, the result, would not say which it is."""
    books.sessions.pop(recorded or "", None)


async def settle_session(
    _failure: Failure, *, books: Books = injected, recorded: str | None = injected
) -> Proceed[str] | Abort:
    """Say whether it was authorized after all; if not, delete what is left behind."""
    if books.sessions.get(recorded or "") == "authorized":
        return Proceed("authorized")
    books.sessions.pop(recorded or "", None)
    return Abort()


async def link_order(collection: str, order_id: str, *, books: Books = injected) -> str:
    """Link a collection to its order."""
    books.links[order_id] = collection
    return order_id


async def unlink_order(order_id: str, *, books: Books = injected) -> None:
    """Take the link away."""
    books.links.pop(order_id, None)


note = step(note_payment, irreversible="that somebody has paid stays true")
create = step(create_collection, undo=delete_collection)
authorize = step(authorize_session, undo=delete_session, compensate=settle_session)
link = step(link_order, undo=unlink_order)


@workflow(strict=True)
def collect_payment(paid: Paid) -> str:
    """Note a payment on its order, and keep a collection with a session for it."""
    noted = note(paid)
    collection = create.after(noted)(paid)
    authorized = authorize(collection, paid)
    return link.after(authorized)(collection, paid.order_id)


async def main() -> None:
    """Collect a payment, and one that the provider does not know."""
    books = Books(refused={"T-2"})
    async with Engine("sqlite:///collections.journal", services={Books: books}) as engine:
        engine.serve(collect_payment)
        for paid in (Paid("order-1", "T-1", 10_000), Paid("order-2", "T-2", 900)):
            run = await engine.start(collect_payment(paid), key=paid.reference)
            outcome = await run.outcome()
            print(paid.order_id, outcome.status, books.links.get(paid.order_id, "no link"))


if __name__ == "__main__":
    asyncio.run(main())
