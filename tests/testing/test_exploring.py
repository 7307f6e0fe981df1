"""Steps that are really called under every fault, and what the user's services hold in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood import (
    Abort,
    Failure,
    IdempotencyKey,
    Proceed,
    Verdict,
    injected,
    step,
    testing,
    workflow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from makegood.testing import Exploration, Explored


class Bank:
    """Charges under keys, each once."""

    def __init__(self) -> None:
        self.charged: dict[str, int] = {}
        self.refunded: dict[str, int] = {}


class Depot:
    def __init__(self) -> None:
        self.sent: set[str] = set()


async def charge(cents: int, *, bank: Bank = injected, key: IdempotencyKey = injected) -> str:
    bank.charged[key] = cents
    return key


async def refund(payment: str, *, bank: Bank = injected) -> None:
    bank.refunded[payment] = bank.charged[payment]


async def forget(payment: str) -> None:
    """Give nothing back: an undo that is none."""


async def find_charge(
    _failure: Failure, *, bank: Bank = injected, key: IdempotencyKey = injected
) -> Verdict[str]:
    return Proceed(key) if key in bank.charged else Abort("the bank knows nothing of it")


async def send(payment: str, *, depot: Depot = injected) -> str:
    depot.sent.add(payment)
    return payment


charged = step(charge, undo=refund, compensate=find_charge)
sent = step(send, irreversible="a parcel cannot be recalled")


@workflow
def sell(cents: int) -> str:
    """Take the money, then send the goods."""
    return sent(charged(cents))


@workflow
def sell_and_forget(cents: int) -> str:
    """Take the money, then send the goods; what gives it back does not."""
    return sent(step(charge, undo=forget, compensate=find_charge)(cents))


def services() -> Mapping[type, object]:
    return {Bank: Bank(), Depot: Depot()}


def paid_and_not_sent(world: Explored) -> list[str]:
    """Say when somebody has paid for nothing, and nobody will ever look at it."""
    bank, depot = world.services[Bank], world.services[Depot]
    assert isinstance(bank, Bank)
    assert isinstance(depot, Depot)
    held = set(bank.charged) - set(bank.refunded)
    is_wrong = held and not depot.sent and world.status != "parked"
    return ["paid for, and not sent"] if is_wrong else []


async def explored(*, pairs: bool = False) -> Exploration:
    return await testing.explore_for_real(
        sell(999), services=services, pairs=pairs, invariants=[paid_and_not_sent]
    )


async def test_a_workflow_with_its_real_steps_leaves_what_it_must_and_breaks_nothing() -> None:
    found = await explored(pairs=True)
    assert found.broken == ()
    assert {(each.node, each.what) for each in found.left} == {
        ("charge", "is in doubt"),
        ("charge", "still stands: its undo gave up"),
        ("send", "is in doubt"),
    }


async def test_a_lost_reply_of_a_real_step_is_found_by_its_real_compensate() -> None:
    found = await explored()
    [doubt] = [each for each in found.left if (each.node, each.what) == ("charge", "is in doubt")]
    # Asked in vain, so it is told that nobody can say; its own compensate else knows.
    assert doubt.cause[-1] == "the compensate of charge definitely fails"
    assert found.ends["completed"] > 5


async def test_an_undo_that_takes_nothing_back_is_found_by_an_invariant() -> None:
    found = await testing.explore_for_real(
        sell_and_forget(999), services=services, invariants=[paid_and_not_sent]
    )
    [broken] = found.broken
    assert broken.what == "paid for, and not sent"
    assert broken.cause == ("send definitely fails",)
    assert broken.story == ("Undone: charge.", "The run is failed: Declined: a definite no.")


def test_an_exploration_is_written_as_the_command_line_does() -> None:
    assert str(testing.explore(sell)).startswith("sell: ")
