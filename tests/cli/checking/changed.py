"""The shop of the command line's tests, as it might be changed, and an engine that serves it."""

from makegood import Engine, injected, query, step, workflow
from makegood.testing import TurnableClock
from tests.cli.shop import held, paid, ship

sent = step(ship, irreversible="a parcel cannot be called back")


async def ask(fate: str) -> bool:
    """Ask somebody first."""
    return bool(fate)


@workflow
def place_order(fate: str) -> str:
    """Take an order from the shelf to the door, once somebody was asked."""
    hold = held.after(query(ask)(fate))(fate)
    payment = paid.after(hold)(fate)
    return sent(hold, payment)


engine = Engine("memory://", services={TurnableClock: injected})
engine.serve(place_order)
