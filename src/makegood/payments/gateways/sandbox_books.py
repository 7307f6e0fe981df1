"""What the sandbox remembers and what it does about a request: its books, in its own SQLite file.

Nothing here is asynchronous or goes wrong on purpose; one thread at a time owns a `Books`, and any
number of processes have one each on the same file. It knows nothing of the engine or the shop.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from importlib import resources
from typing import TYPE_CHECKING, assert_never, cast

import apsw
import msgspec

from makegood.payments import outcome
from makegood.payments.errors import GatewayUnavailable
from makegood.payments.gateway import OperationKind
from makegood.payments.money import Money
from makegood.payments.outcome import GatewayRef, Outcome, Snapshot, Status

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

__all__ = ["ACCOUNT", "DECLINED_TOKEN", "Books", "Cancel", "Capture", "Hold", "Refund", "Request"]

ACCOUNT = "sandbox"
"""The only account there is."""

DECLINED_TOKEN = "tok_declined"  # noqa: S105 - it is what a test gives for a card, no secret
"""A token whose authorization is always declined."""

BUSY_MILLISECONDS_MAX = 5_000
"""How long to wait for another process that writes into the books, in milliseconds."""

BEGINNERS_MAX = 100
"""How many others may be in the way, one after the other, of who opens new books."""


class Hold(msgspec.Struct, frozen=True, tag="authorize"):
    """Hold an amount on a card."""

    amount: Money
    token: str
    reference: str


class Capture(msgspec.Struct, frozen=True, tag="capture"):
    """Take an amount that is held."""

    payment: str
    amount: Money
    final: bool


class Cancel(msgspec.Struct, frozen=True, tag="void"):
    """Let go of what is held."""

    payment: str


class Refund(msgspec.Struct, frozen=True, tag="refund"):
    """Give back an amount that was taken."""

    payment: str
    amount: Money


Request = Hold | Capture | Cancel | Refund

Cell = str | int | float | bytes | None


class Row(msgspec.Struct, frozen=True):
    """One payment as it stands in the books."""

    id: str
    currency: str
    authorized: int
    captured: int
    voided: int
    refunded: int
    created_at: int

    @property
    def capturable(self) -> int:
        """What is still held."""
        return self.authorized - self.voided - self.captured

    @property
    def refundable(self) -> int:
        """What was taken and not given back."""
        return self.captured - self.refunded

    @property
    def status(self) -> Status:
        """Where the payment stands, from its amounts alone."""
        if self.authorized == 0:
            return Status.DECLINED
        if self.captured == 0:
            return Status.AUTHORIZED if self.capturable else Status.VOIDED
        if self.refunded:
            return Status.PARTIALLY_REFUNDED if self.refundable else Status.REFUNDED
        return Status.PARTIALLY_CAPTURED if self.capturable else Status.CAPTURED


_answer_type = msgspec.json.Decoder(cast("type[Outcome]", Outcome))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Books:
    """The gateway's own record of keys, payments and what was done to them."""

    def __init__(self, path: Path, *, busy_milliseconds_max: int = BUSY_MILLISECONDS_MAX) -> None:
        """Open the books, or start them; the schema is made on the first opening."""
        self._connection = apsw.Connection(str(path))
        self._connection.set_busy_timeout(busy_milliseconds_max)
        schema = resources.files("makegood.payments.gateways").joinpath("sandbox.sql")
        self._keep_log()
        # A process that is killed loses nothing at NORMAL, because the system has the pages. Only
        # a power cut could, and a sandbox holds nobody's real money.
        self._run("PRAGMA synchronous = NORMAL")
        self._run("PRAGMA foreign_keys = ON")
        with self.together():
            self._run(schema.read_text(encoding="utf-8"))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def together(self) -> Generator[None]:
        """Make everything inside one transaction, which no other process writes between.

        Raises `GatewayUnavailable`, with nothing done, when others write for too long.
        """
        try:
            # Whoever reads a key in order to write it must not be overtaken in between. The
            # connection's own `with` would keep all threads standing while it waits.
            self._run("BEGIN IMMEDIATE")
        except apsw.BusyError as error:
            message = "other processes keep the sandbox's books busy; try again later"
            raise GatewayUnavailable(message) from error
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            # SQLite has ended the transaction by itself for some errors, and not for others.
            if self._connection.in_transaction:
                self._run("ROLLBACK")
            raise

    def count_ask(self, key: str) -> int:
        """Count that a key is asked, and return how often it has been by now."""
        sql = (
            "INSERT INTO sandbox_asked (key, asked) VALUES (?, 1) "
            "ON CONFLICT (key) DO UPDATE SET asked = asked + 1 RETURNING asked"
        )
        [(asked,)] = self._run(sql, key)
        return cast("int", asked)

    def apply(self, key: str, request: Request, *, declined: bool, now: datetime) -> Outcome:
        """Do what is asked, once for each key, and return the answer that the key then has."""
        request_hash = blake2b(msgspec.json.encode(request), digest_size=16).digest()
        sql = "SELECT request_hash, answer FROM sandbox_key WHERE key = ?"
        for stored_hash, answer in self._run(sql, key):
            if stored_hash != request_hash:
                return outcome.Rejected("idempotency_error", "the key was used for another request")
            return _answer_type.decode(cast("bytes", answer))
        answered = self._do(key, request, declined=declined, now=now)
        # A wrong request leaves the key free for the right one, as the great gateways do.
        if not isinstance(answered, outcome.Rejected):
            self._run(
                "INSERT INTO sandbox_key (key, request_hash, answer) VALUES (?, ?, ?)",
                key,
                request_hash,
                msgspec.json.encode(answered),
            )
        return answered

    def fetch(self, payment: str) -> Snapshot | None:
        """Return a payment as it stands, or None."""
        row = self._row(payment)
        return None if row is None else self._snapshot(row)

    def find(self, op_id: str) -> Sequence[Snapshot]:
        """Return the payments to which an operation was done."""
        sql = "SELECT payment_id FROM sandbox_entry WHERE op_id = ?"
        found = [self.fetch(cast("str", row[0])) for row in self._run(sql, op_id)]
        return [snapshot for snapshot in found if snapshot is not None]

    def _do(self, op_id: str, request: Request, *, declined: bool, now: datetime) -> Outcome:
        match request:
            case Hold():
                is_declined = declined or request.token == DECLINED_TOKEN
                return self._hold(op_id, request, now, is_declined=is_declined)
            case Capture():
                return self._capture(op_id, request)
            case Cancel():
                return self._cancel(op_id, request)
            case Refund():
                return self._refund(op_id, request)
            case _:
                assert_never(request)

    def _hold(self, op_id: str, request: Hold, now: datetime, *, is_declined: bool) -> Outcome:
        amount = request.amount
        if amount.minor <= 0:
            return _wrong_amount(f"{amount} cannot be held")
        payment = "pay_" + blake2b(op_id.encode(), digest_size=10).hexdigest()
        self._run(
            "INSERT INTO sandbox_payment (id, reference, currency, authorized, created_at) "
            "VALUES (?, ?, ?, ?, ?)",
            payment,
            request.reference,
            amount.currency,
            0 if is_declined else amount.minor,
            (now - _EPOCH) // _MICROSECOND,
        )
        if is_declined:
            self._enter(payment, op_id, "decline", amount.minor)
            text = "Your card was declined."
            return outcome.Declined("hard", "card_declined", text, self.fetch(payment))
        self._enter(payment, op_id, OperationKind.AUTHORIZE, amount.minor)
        return self._success(payment)

    def _capture(self, op_id: str, request: Capture) -> Outcome:
        row = self._row(request.payment)
        if row is None:
            return _no_such_payment(request.payment)
        if row.capturable == 0:
            return self._conflict(row)
        amount = request.amount
        if not 0 < amount.minor <= row.capturable or amount.currency != row.currency:
            return _wrong_amount(f"{amount} of {row.capturable} {row.currency} cannot be captured")
        released = row.capturable - amount.minor if request.final else 0
        self._run(
            "UPDATE sandbox_payment SET captured = captured + ?, voided = voided + ? WHERE id = ?",
            amount.minor,
            released,
            row.id,
        )
        self._enter(row.id, op_id, OperationKind.CAPTURE, amount.minor)
        return self._success(row.id)

    def _cancel(self, op_id: str, request: Cancel) -> Outcome:
        row = self._row(request.payment)
        if row is None:
            return _no_such_payment(request.payment)
        if row.captured:
            return self._conflict(row)
        if row.capturable == 0:
            return outcome.Already(self._snapshot(row))
        self._run("UPDATE sandbox_payment SET voided = authorized WHERE id = ?", row.id)
        self._enter(row.id, op_id, OperationKind.VOID, row.capturable)
        return self._success(row.id)

    def _refund(self, op_id: str, request: Refund) -> Outcome:
        row = self._row(request.payment)
        if row is None:
            return _no_such_payment(request.payment)
        amount = request.amount
        if not 0 < amount.minor <= row.refundable or amount.currency != row.currency:
            return _wrong_amount(f"{amount} of {row.refundable} {row.currency} cannot be refunded")
        self._run(
            "UPDATE sandbox_payment SET refunded = refunded + ? WHERE id = ?",
            amount.minor,
            row.id,
        )
        self._enter(row.id, op_id, OperationKind.REFUND, amount.minor)
        return self._success(row.id)

    def _enter(self, payment: str, op_id: str, kind: str, amount: int) -> None:
        self._run(
            "INSERT INTO sandbox_entry (payment_id, op_id, kind, amount) VALUES (?, ?, ?, ?)",
            payment,
            op_id,
            kind,
            amount,
        )

    def _row(self, payment: str) -> Row | None:
        sql = (
            "SELECT id, currency, authorized, captured, voided, refunded, created_at "
            "FROM sandbox_payment WHERE id = ?"
        )
        for values in self._run(sql, payment):
            return Row(*cast("tuple[str, str, int, int, int, int, int]", values))
        return None

    def _success(self, payment: str) -> Outcome:
        row = self._row(payment)
        assert row is not None, "what was written in this transaction can be read in it"
        return outcome.Succeeded(self._snapshot(row))

    def _conflict(self, row: Row) -> Outcome:
        code = "captured" if row.captured else row.status.value
        return outcome.Conflict(code, self._snapshot(row))

    def _snapshot(self, row: Row) -> Snapshot:
        sql = "SELECT op_id FROM sandbox_entry WHERE payment_id = ?"
        op_ids = [cast("str", entry[0]) for entry in self._run(sql, row.id)]
        return Snapshot(
            ref=GatewayRef(gateway="sandbox", account=ACCOUNT, type="payment", id=row.id),
            status=row.status,
            authorized=Money(row.authorized, row.currency) if row.authorized else None,
            captured=Money(row.captured, row.currency),
            refunded=Money(row.refunded, row.currency),
            op_ids=frozenset(op_ids),
            created_at=_EPOCH + row.created_at * _MICROSECOND,
            livemode=False,
        )

    def _keep_log(self) -> None:
        """Have changes written to a log, so that those who read do not wait for those who write.

        That is decided once for a file, and SQLite does not wait for others who are about to.
        """
        for _ in range(BEGINNERS_MAX):
            with suppress(apsw.BusyError):
                self._run("PRAGMA journal_mode = WAL")
                return
            # A transaction waits until whoever is in the way has written.
            with self.together():
                continue
        message = "too many processes open the sandbox's books at once; try again later"
        raise GatewayUnavailable(message)

    def _run(self, sql: str, *parameters: str | int | bytes) -> list[tuple[Cell, ...]]:
        """Run a statement to its end and return its rows."""
        # apsw's annotation of `execute` names a type that the typing of Python 3.11 lacks.
        rows = self._connection.execute(sql, parameters)  # pyright: ignore[reportUnknownMemberType]
        return [cast("tuple[Cell, ...]", row) for row in rows]


def _wrong_amount(detail: str) -> Outcome:
    return outcome.Rejected("wrong_amount", detail)


def _no_such_payment(payment: str) -> Outcome:
    return outcome.Rejected("no_such_payment", payment)
