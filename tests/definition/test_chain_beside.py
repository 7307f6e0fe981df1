"""Links of a chain that happen at the same time."""

from __future__ import annotations

from dataclasses import dataclass

from makegood import Declined, chain, step, testing, workflow
from tests.definition.conftest import Declare


@dataclass(frozen=True)
class Trip:
    guest: str
    cents: int


async def hold_seat(guest: str) -> str:
    return f"seat of {guest}"


async def free_seat(seat: str) -> None: ...


async def hold_room(guest: str, *, nights: int = 1) -> str:
    return f"room of {guest} for {nights}"


async def free_room(room: str) -> None: ...


async def charge(cents: int, what: str) -> str:
    return f"{cents} for {what}"


async def refund(payment: str) -> None: ...


async def tell(seat: str, room: str, payment: str) -> None: ...


async def tick() -> None: ...


seat = step(hold_seat, undo=free_seat)
room = step(hold_room, undo=free_room)
paid = step(charge, undo=refund)
told = step(tell, irreversible="it is read")
ticked = step(tick, irreversible="it has ticked")

GROWN = (
    chain("travel", seat, takes=Trip, using=lambda trip: trip.guest)
    .beside(room, using=lambda trip, _: trip.guest)
    .then(paid, using=lambda trip, done: (trip.cents, done[seat]))
    .beside(paid.named("deposit"), using=lambda trip, done: (trip.cents, done[room]))
    .beside(ticked)
    .then(told, using=lambda _, done: (done[seat], done[room], done["deposit"]))
)
travel = GROWN.workflow(returning=lambda _, done: (done[paid], done["deposit"]))


def test_links_beside_each_other_have_the_plan_of_the_body_that_says_the_same() -> None:
    @workflow
    def travel(input: Trip) -> tuple[str, str]:
        its_seat = seat(input.guest)
        its_room = room(input.guest)
        payment = paid.after(its_seat, its_room)(input.cents, its_seat)
        deposit = paid.named("deposit").after(its_seat, its_room)(input.cents, its_room)
        tock = ticked.after(its_seat, its_room)()
        told.after(payment, deposit, tock)(its_seat, its_room, deposit)
        return payment, deposit

    assert GROWN.workflow(returning=lambda _, done: (done[paid], done["deposit"])).plan == (
        travel.plan
    )


def test_a_chain_shows_what_happens_together() -> None:
    assert repr(GROWN) == (
        "<chain travel(Trip): hold_seat + hold_room → charge + deposit + tick → tell>"
    )


async def test_links_beside_each_other_are_undone_like_any_others() -> None:
    outcome = await testing.run(travel(Trip("Ann", 90)), fail={"tell": Declined("no address")})

    assert outcome.status == "failed"
    assert sorted(outcome.undone[:2]) == ["charge", "deposit"]
    assert sorted(outcome.undone[2:]) == ["hold_room", "hold_seat"]


async def test_what_follows_waits_for_all_of_them() -> None:
    outcome = await testing.run(travel(Trip("Ann", 90)))

    assert outcome.value == ("90 for seat of Ann", "90 for room of Ann for 1")


def test_what_happens_at_the_same_time_is_not_done_before(declare: Declare) -> None:
    (sentence,) = declare.refused(
        "from makegood.definition.chain import chain\n"
        "chain('x', find).then(hold, using=lambda i, done: done[find]).beside(\n"
        "    write, using=lambda i, done: done[hold]  # wrong\n"
        ")\n"
    )

    assert sentence.startswith("`hold_money` is not done before this; done are `find_order`")


def test_a_link_beside_the_first_one_sees_nothing_done(declare: Declare) -> None:
    (sentence,) = declare.refused(
        "from makegood.definition.chain import chain\n"
        "chain('x', find).beside(big, using=lambda i, done: done[find])  # wrong\n"
    )

    assert sentence == "`find_order` is not done before this; done are nothing"
