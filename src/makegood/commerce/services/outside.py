"""A carrier and a mail company that move nothing: they keep books in files, and fail by seed.

They stand for companies across the network, so each has a file of its own that no engine opens.
What they answered is in their books first: to kill a process loses nothing that they know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self, cast

import apsw

from makegood.commerce.notification import (
    AddressRefused,
    Email,
    MailerInDoubt,
    MailerUnavailable,
)
from makegood.commerce.services.carrier import (
    CarrierInDoubt,
    CarrierUnavailable,
    ParcelRefused,
)
from makegood.payments.gateways.sandbox_faults import Fault, Faults

__all__ = ["REFUSED_ADDRESS", "REFUSED_CUSTOMER", "PaperCarrier", "PaperMailer"]

REFUSED_ADDRESS = "nowhere"
"""No parcel is taken for an address that begins with it."""

REFUSED_CUSTOMER = "silent"
"""No letter is taken for a customer whose name begins with it."""

_CARRIER = """
CREATE TABLE IF NOT EXISTS paper_parcel (
    reference  TEXT NOT NULL PRIMARY KEY,
    tracking   TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('booked', 'gone', 'cancelled', 'closed'))
) STRICT;
"""

_MAILER = """
CREATE TABLE IF NOT EXISTS paper_letter (
    key       TEXT NOT NULL PRIMARY KEY,
    customer  TEXT NOT NULL,
    subject   TEXT NOT NULL
) STRICT;
"""

_ASKED = """
CREATE TABLE IF NOT EXISTS paper_asked (
    key    TEXT    NOT NULL PRIMARY KEY,
    asked  INTEGER NOT NULL
) STRICT;
"""


class _Paper:
    """A company's books, and how often it was asked what, by which its faults are drawn."""

    def __init__(self, path: Path, schema: str, faults: Faults) -> None:
        self._books = apsw.Connection(str(path))
        self._faults = faults
        # A process that is killed loses nothing without syncing; and nobody's goods are at stake.
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", _ASKED, schema):
            self.run(statement)

    def run(self, sql: str, *parameters: str) -> list[tuple[str, ...]]:
        # apsw's annotation of `execute` names a type that the typing of Python 3.11 lacks.
        rows = self._books.execute(sql, parameters)  # pyright: ignore[reportUnknownMemberType]
        return [cast("tuple[str, ...]", row) for row in rows]

    def fault(self, key: str) -> Fault | None:
        """Return how a request goes wrong."""
        asked = self.run(
            "INSERT INTO paper_asked (key, asked) VALUES (?, 1) "
            "ON CONFLICT (key) DO UPDATE SET asked = asked + 1 RETURNING asked",
            key,
        )
        return self._faults.draw(key, int(asked[0][0]))

    def chance(self, *what: str) -> bool:
        """Say of one thing for ever whether it goes wrong for good."""
        return self._faults.declines("\x1f".join(what))

    def close(self) -> None:
        self._books.close()


class PaperCarrier:
    """A `Carrier` that carries nothing: use it with `with`.

    Of the parcels that are to be stopped it has driven some away, by the seed of its faults.
    """

    def __init__(self, path: Path, *, faults: Faults) -> None:
        self._paper = _Paper(path, _CARRIER, faults)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._paper.close()

    async def book(self, reference: str, address: str) -> str:
        """Write a parcel down, once for each reference."""
        fault = self._paper.fault(f"book {reference}")
        if fault is Fault.UNAVAILABLE:
            message = "the carrier refused the connection"
            raise CarrierUnavailable(message)
        if address.startswith(REFUSED_ADDRESS):
            message = "the carrier does not go there"
            raise ParcelRefused(message)
        status = "gone" if self._paper.chance("gone", reference) else "booked"
        self._paper.run(
            "INSERT INTO paper_parcel (reference, tracking, status) VALUES (?, ?, ?) "
            "ON CONFLICT (reference) DO NOTHING",
            reference,
            f"track-{reference}",
            status,
        )
        if fault in {Fault.REPLY_LOST, Fault.ERROR_500}:
            message = "the carrier's reply was lost"
            raise CarrierInDoubt(message)
        tracking = self._followed(reference)
        if tracking is None:
            message = "the parcel was cancelled before it was booked"
            raise ParcelRefused(message)
        return tracking

    async def find(self, reference: str) -> str | None:
        """Look a parcel up."""
        if self._paper.fault(f"find {reference}") is Fault.UNAVAILABLE:
            message = "the carrier refused the connection"
            raise CarrierUnavailable(message)
        return self._followed(reference)

    async def cancel(self, reference: str) -> bool:
        """Stop a parcel that has not been driven away."""
        fault = self._paper.fault(f"cancel {reference}")
        if fault is Fault.UNAVAILABLE:
            message = "the carrier refused the connection"
            raise CarrierUnavailable(message)
        self._paper.run(
            "INSERT INTO paper_parcel (reference, tracking, status) VALUES (?, '', 'closed') "
            "ON CONFLICT (reference) DO UPDATE SET status = 'cancelled' WHERE status = 'booked'",
            reference,
        )
        if fault in {Fault.REPLY_LOST, Fault.ERROR_500}:
            message = "the carrier's reply was lost"
            raise CarrierInDoubt(message)
        return self._followed(reference) is None

    def _followed(self, reference: str) -> str | None:
        found = self._paper.run(
            "SELECT tracking FROM paper_parcel "
            "WHERE reference = ? AND status IN ('booked', 'gone')",
            reference,
        )
        return found[0][0] if found else None


class PaperMailer:
    """A `Mailer` that sends nothing: use it with `with`. It knows each key for ever."""

    def __init__(self, path: Path, *, faults: Faults) -> None:
        self._paper = _Paper(path, _MAILER, faults)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._paper.close()

    async def send(self, email: Email, *, key: str) -> None:
        """Write a letter down, once for each key."""
        if email.customer.startswith(REFUSED_CUSTOMER):
            message = f"customer {email.customer} takes no mail"
            raise AddressRefused(message)
        fault = self._paper.fault(key)
        if fault is Fault.UNAVAILABLE:
            message = "the mail company refused the connection"
            raise MailerUnavailable(message)
        self._paper.run(
            "INSERT INTO paper_letter (key, customer, subject) VALUES (?, ?, ?) "
            "ON CONFLICT (key) DO NOTHING",
            key,
            email.customer,
            email.subject,
        )
        if fault in {Fault.REPLY_LOST, Fault.ERROR_500}:
            message = "the mail company's reply was lost"
            raise MailerInDoubt(message)
