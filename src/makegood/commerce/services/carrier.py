"""Whoever carries parcels: what is asked of them, and what they may answer.

A booking goes by our reference, so one that is asked for again is the same parcel.
"""

from __future__ import annotations

from typing import Protocol

from makegood import Declined, OutcomeUnknown, Unavailable

__all__ = ["Carrier", "CarrierInDoubt", "CarrierUnavailable", "ParcelRefused"]


class ParcelRefused(Declined):
    """The carrier does not take the parcel."""


class CarrierUnavailable(Unavailable):
    """The carrier was not reached: nothing happened."""


class CarrierInDoubt(OutcomeUnknown):
    """The carrier may or may not have the parcel."""


class Carrier(Protocol):
    """A company that carries parcels."""

    async def book(self, reference: str, address: str) -> str:
        """Book a parcel, once for each reference, and return what it is followed by.

        Raises `ParcelRefused`, `CarrierUnavailable` or `CarrierInDoubt`.
        """
        ...

    async def find(self, reference: str) -> str | None:
        """Return what a parcel is followed by, or None; raises `CarrierUnavailable`."""
        ...

    async def cancel(self, reference: str) -> bool:
        """Stop a parcel, and refuse every later booking under its reference.

        False: it is too late. Raises `CarrierUnavailable` or `CarrierInDoubt`.
        """
        ...
