"""The table of the payment worker, which the engine makes when it is entered."""

from makegood.extension import Command, HttpRoute, Migration

__all__ = ["PaymentTables"]


class PaymentTables:
    """The table of the payments, which the engine makes when it is entered."""

    name = "payment_worker"
    commands: tuple[Command, ...] = ()
    routes: tuple[HttpRoute, ...] = ()
    migrations = (
        Migration(
            owner="payment_worker",
            number=1,
            sql="""
            CREATE TABLE payments (
                payment_id TEXT PRIMARY KEY,
                order_id TEXT NOT NULL UNIQUE,
                transaction_id TEXT,
                minor INTEGER NOT NULL,
                currency TEXT NOT NULL,
                status TEXT NOT NULL,
                is_cancelled INTEGER NOT NULL DEFAULT 0,
                refusal TEXT
            );
            CREATE INDEX payments_by_status ON payments (status);
            """,
        ),
    )
