"""Small sagas that have what an order has not: one for each kind of trouble."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Protocol

from makegood import (
    Abort,
    Call,
    Failure,
    FailureKind,
    IdempotencyKey,
    Proceed,
    Record,
    Retry,
    RetryFresh,
    RetryNow,
    Transaction,
    Undecided,
    Verdict,
    each,
    hold,
    injected,
    note,
    pure,
    query,
    repeat,
    send,
    sleep,
    step,
    switch,
    wait,
    workflow,
)
from makegood.extension import Command, Migration
from tests.simulation.crashing.outside import Desk, Look

__all__ = [
    "LABELS",
    "Way",
    "hand_in_claim",
    "move_in",
    "move_money",
    "ride_bike",
    "send_gift",
    "send_parcel",
    "tour",
    "travel",
    "write_to_oneself",
]

PATIENT = Retry(attempts=8, delay=timedelta(seconds=1))
"""More attempts than mishaps, so that every story can end well."""


class Body(Protocol):
    def __call__(
        self, about: str, *, desk: Desk = injected, key: IdempotencyKey = injected
    ) -> Awaitable[str]: ...


def does(operation: str) -> Body:
    """Return a step's body that has an operation done."""

    async def body(about: str, *, desk: Desk = injected, key: IdempotencyKey = injected) -> str:
        return await desk.do(operation, key)

    return body


def undoes(operation: str) -> Callable[[str], Awaitable[object]]:
    """Return an undo that has an operation taken back."""

    async def undo(receipt: str, *, desk: Desk = injected, key: IdempotencyKey = injected) -> str:
        assert receipt == f"receipt for {operation}"
        return await desk.do(f"undo {operation}", key)

    return undo


# Parallel branches, one of which may fail -----------------------------------------------------

hold_seat = step(does("seat"), name="seat", undo=undoes("seat"))
print_ticket = step(does("ticket"), name="ticket", undo=undoes("ticket"))
hold_room = step(does("room"), name="room", undo=undoes("room"))
confirm_room = step(does("voucher"), name="voucher", undo=undoes("voucher"))
charge = step(does("charge"), name="charge", undo=undoes("charge"))


@workflow
def travel(traveller: str) -> str:
    """Hold a seat and a room at the same time, and charge for both."""
    ticket = print_ticket(hold_seat(traveller))
    voucher = confirm_room(hold_room(traveller))
    return charge.after(ticket)(voucher)


# A pivot ----------------------------------------------------------------------------------------


async def find_transfer(
    failure: Failure, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> Verdict[str]:
    """Ask whether the money has moved."""
    if await desk.look_up("transfer", key) is Look.FOUND:
        return Proceed("receipt for transfer")
    if failure.kind is not FailureKind.IN_DOUBT:
        return Abort("the bank said no")
    return RetryNow()


freeze = step(does("freeze"), name="freeze", undo=undoes("freeze"))
transfer = step(
    does("transfer"),
    name="transfer",
    pivot=True,
    irreversible="the money is another's now",
    compensate=find_transfer,
    retry=PATIENT,
)
book = step(does("entry"), name="entry", irreversible="books are only added to", retry=PATIENT)
tell = step(does("letter"), name="letter", irreversible="it cannot be unsent", retry=PATIENT)


@workflow
def move_money(account: str) -> str:
    """Freeze an amount, move it, and only then book it and tell of it."""
    moved = transfer(freeze(account))
    entry = book(moved)
    tell(moved)
    return entry


# Every verdict of a compensate --------------------------------------------------------------------


def finds(operation: str, nothing: RetryNow | RetryFresh) -> Callable[..., Awaitable[Verdict[str]]]:
    """Return a compensate that looks an operation up."""

    async def compensate(
        failure: Failure, *, desk: Desk = injected, key: IdempotencyKey = injected
    ) -> Verdict[str]:
        match await desk.look_up(operation, key):
            case Look.FOUND:
                return Proceed(f"receipt for {operation}")
            case Look.REFUSED:
                return Abort("it was refused")
            case Look.CLOSED:
                return Undecided(after=timedelta(seconds=2))
            case _:
                return nothing

    return compensate


FRESH = RetryFresh("the office will not take the old key any more")
register = step(
    does("register"),
    name="register",
    undo=undoes("register"),
    compensate=finds("register", RetryNow()),
    retry=PATIENT,
)
deposit = step(
    does("deposit"),
    name="deposit",
    undo=undoes("deposit"),
    compensate=finds("deposit", FRESH),
    retry=PATIENT,
)
post = step(
    does("post"),
    name="post",
    undo=undoes("post"),
    compensate=finds("post", RetryNow(after=timedelta(seconds=1))),
    retry=PATIENT,
)
certify = step(
    does("certify"),
    name="certify",
    undo=undoes("certify"),
    compensate=finds("certify", RetryNow()),
    retry=PATIENT,
)


@workflow
def hand_in_claim(claim: str) -> str:
    """Hand a claim in at offices that lose their answers."""
    return certify(post(deposit(register(claim))))


# Local steps, a query, a pure value, a guard, undos that need patience ----------------------------


async def ask_rate(parcel: str, *, desk: Desk = injected) -> int:
    """Ask what a parcel costs."""
    return len(await desk.look_up("rate", parcel))


def price_of(rate: int) -> int:
    """Compute the price from the rate."""
    return rate * 100


async def write_label(parcel: str, price: int, *, transaction: Transaction = injected) -> str:
    """Write a label into a table of our own."""
    await transaction.execute(
        "INSERT INTO parcel_label (parcel, price, status) VALUES (?, ?, 'written')", parcel, price
    )
    return parcel


async def void_label(label: str, *, transaction: Transaction = injected) -> None:
    """Void the label; one that is void already is left as it is."""
    await transaction.execute("UPDATE parcel_label SET status = 'void' WHERE parcel = ?", label)


label = step(write_label, undo=void_label)
pay = step(
    does("postage"), name="postage", undo=undoes("postage"), undo_retry=PATIENT, retry=PATIENT
)
insure = step(does("insurance"), name="insurance", undo=undoes("insurance"), undo_retry=PATIENT)
hand_over = step(does("parcel"), name="parcel", irreversible="it is on its way", retry=PATIENT)


@workflow
def send_parcel(parcel: str, insured: bool) -> str:  # noqa: FBT001 - a workflow's input
    """Label, pay, perhaps insure, and hand over a parcel."""
    price = pure(price_of)(query(ask_rate)(parcel))
    labelled = label(parcel, price)
    paid = pay(labelled)
    insurance = insure.when(insured)(paid)
    return hand_over.after(insurance)(paid)


# Rounds, a branch and a sleep -------------------------------------------------------------------


class Way(Enum):
    TRAIN = "train"
    ROAD = "road"


async def visit_stop(stop: str, *, desk: Desk = injected, key: IdempotencyKey = injected) -> str:
    return await desk.do(f"visit-{stop}", key)


async def stamp_passport(
    passport: str, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> str:
    """Add a stamp to those that are there."""
    await desk.do(f"stamp-{passport.count('*')}", key)
    return f"{passport}*"


async def void_stamp(
    passport: str, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> None:
    await desk.do(f"undo stamp-{passport.count('*') - 1}", key)


async def take_back(receipt: str, *, desk: Desk = injected, key: IdempotencyKey = injected) -> str:
    return await desk.do(f"undo {receipt.removeprefix('receipt for ')}", key)


visit = step(visit_stop, undo=take_back)
ride = step(does("ride"), name="ride", undo=undoes("ride"))
drive = step(does("drive"), name="drive", undo=undoes("drive"))
stamp = step(stamp_passport, undo=void_stamp)


@workflow
def tour(stops: list[str], way: Way) -> str:
    """Visit the stops, two at a time, rest, go home, and have the passport stamped twice."""
    visited = each(stops, visit, at_once=2)
    rested = sleep.after(visited)(timedelta(seconds=3))

    def by_train() -> str:
        return ride.after(rested)("home")

    home = switch(way, {Way.TRAIN: by_train, Way.ROAD: lambda: drive.after(rested)("home")})
    return repeat(stamp, home, times_max=2)


# Messages, of which one comes before it is waited for --------------------------------------------


@dataclass(frozen=True)
class Card:
    """A card that somebody writes to himself."""

    text: str


@dataclass(frozen=True)
class Reply:
    """What he answers."""

    text: str


def card_of(text: str) -> Card:
    return Card(text)


def reply_of(card: Card) -> Reply:
    return Reply(f"answer to {card.text}")


stamp_card = step(does("card"), name="card", undo=undoes("card"), undo_retry=PATIENT, retry=PATIENT)
post_card = step(does("mailing"), name="mailing", undo=undoes("mailing"), retry=PATIENT)
file_reply = step(does("filing"), name="filing", undo=undoes("filing"), retry=PATIENT)


@workflow
def write_to_oneself(name: str) -> str:
    """Alone, send a card before it is waited for, and wait for an answer before it is sent."""
    held = hold(name, within=timedelta(hours=1))
    reply = wait.named("answer")(Reply, key=name, forever=True)
    card = pure(card_of)(stamp_card.after(held)(name))
    note("what", card)
    sent = send(card, key=name)
    posted = post_card.after(sent)(name)
    came = wait.after(posted)(Card, key=name, within=timedelta(hours=1))
    send.named("send_answer")(pure(reply_of)(came), key=name)
    return file_reply(reply.text)


# What is recorded in the middle of a step -------------------------------------------------------

Papers = list[str]


async def sign_lease(
    flat: str,
    *,
    desk: Desk = injected,
    key: IdempotencyKey = injected,
    record: Record[Papers] = injected,
) -> str:
    """Record what is about to be asked for, and then what was given."""
    await record([f"asked for {flat}"])
    receipt = await desk.do("lease", key)
    await record([f"asked for {flat}", receipt])
    return receipt


async def find_lease(
    failure: Failure,
    *,
    desk: Desk = injected,
    key: IdempotencyKey = injected,
    recorded: Papers | None = injected,
) -> Verdict[str]:
    if await desk.look_up("lease", key) is not Look.FOUND:
        return RetryNow()
    assert recorded is not None, "it was done, and is not on record"
    return Proceed("receipt for lease")


async def end_lease(
    receipt: str,
    *,
    desk: Desk = injected,
    key: IdempotencyKey = injected,
    record: Record[Papers] = injected,
    recorded: Papers = injected,
) -> None:
    """End the lease that was asked for, however far its papers have come."""
    assert recorded[0] == "asked for flat-1"
    await record([*recorded, "ending"])
    await desk.do("undo lease", key)


lease = step(sign_lease, undo=end_lease, undo_retry=PATIENT, compensate=find_lease, retry=PATIENT)
fetch_keys = step(does("keys"), name="keys", undo=undoes("keys"))


@workflow
def move_in(flat: str) -> str:
    """Sign a lease, and fetch the keys."""
    return fetch_keys(lease(flat))


# Runs that are called ---------------------------------------------------------------------------

wrap_paper = step(does("paper"), name="paper", undo=undoes("paper"), retry=PATIENT)
go_by_bike = step(does("bike"), name="bike", undo=undoes("bike"), retry=PATIENT)


@workflow
def wrap_gift(gift: str) -> str:
    """Wrap a gift."""
    return wrap_paper(gift)


@workflow
def ride_bike(gift: str) -> str:
    """Bring a gift by bike."""
    return go_by_bike(gift)


async def choose_courier(
    gift: str, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> Call[str]:
    """Ask who is there, and let him bring it."""
    await desk.do("choice", key)
    return ride_bike(gift)


async def take_choice_back(
    _receipt: str, *, desk: Desk = injected, key: IdempotencyKey = injected
) -> None:
    await desk.do("undo choice", key)


choose = step(choose_courier, undo=take_choice_back, retry=PATIENT)
write_card = step(does("card"), name="card", undo=undoes("card"), retry=PATIENT)


@workflow
def send_gift(gift: str) -> str:
    """Let a gift be wrapped, and brought by whoever is there, with a card."""
    wrapped = step(wrap_gift)(gift)
    note("wrapped", wrapped)
    return write_card(choose(wrapped))


class Labels:
    """The parcel's own table."""

    name = "labels"
    migrations: Sequence[Migration] = (
        Migration(
            owner="labels",
            number=1,
            sql="CREATE TABLE parcel_label (parcel TEXT PRIMARY KEY, price INTEGER, status TEXT)",
        ),
    )
    commands: Sequence[Command] = ()


LABELS = Labels()
