"""Whom the shop works with, in memory: a carrier, which knows parcels by our references."""

from dataclasses import dataclass

from order_companies import State

from makegood import Declined

__all__ = ["Carrier", "Parcel"]


@dataclass(frozen=True)
class Parcel:
    """What the carrier says of a parcel."""

    state: State
    tracking: str = ""


class Carrier:
    """Sends parcels, and can call one back as long as it has not left."""

    def __init__(self) -> None:
        self.parcels: dict[str, Parcel] = {}
        self.called_back: set[str] = set()

    async def send(self, reference: str, address: str) -> None:
        """Ask for a parcel to be sent; whether it is accepted shows later."""
        if reference not in self.parcels:
            state = State.REFUSED if address == "Atlantis" else State.DONE
            self.parcels[reference] = Parcel(state, f"TRACK-{len(self.parcels) + 1}")

    async def find(self, reference: str) -> Parcel | None:
        """Return what has become of a parcel; None: nothing of it has come here, but may yet."""
        return self.parcels.get(reference)

    async def call_back(self, reference: str) -> None:
        """Have a parcel not sent, now or ever; `Declined` says that it is on its way."""
        parcel = self.parcels.get(reference)
        if parcel is not None and parcel.state is State.DONE:
            raise Declined(f"{parcel.tracking} has left")
        self.parcels[reference] = Parcel(State.REFUSED)
