-- The sandbox's books. They are the gateway's and nobody else's: no engine, no shop writes here.

CREATE TABLE IF NOT EXISTS sandbox_payment (
    id          TEXT    PRIMARY KEY,
    reference   TEXT    NOT NULL,
    currency    TEXT    NOT NULL,
    -- Nothing, when the card was declined: that is on record too.
    authorized  INTEGER NOT NULL CHECK (authorized >= 0),
    captured    INTEGER NOT NULL DEFAULT 0 CHECK (captured >= 0),
    voided      INTEGER NOT NULL DEFAULT 0 CHECK (voided >= 0),
    refunded    INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND captured),
    created_at  INTEGER NOT NULL,
    CHECK (captured + voided <= authorized)
) STRICT, WITHOUT ROWID;

-- What was done to each payment, in order. Rows are only added.
CREATE TABLE IF NOT EXISTS sandbox_entry (
    n           INTEGER PRIMARY KEY,
    payment_id  TEXT    NOT NULL REFERENCES sandbox_payment (id),
    op_id       TEXT    NOT NULL UNIQUE,
    kind        TEXT    NOT NULL
                CHECK (kind IN ('authorize', 'decline', 'capture', 'void', 'refund')),
    amount      INTEGER NOT NULL CHECK (amount > 0)
) STRICT;

CREATE INDEX IF NOT EXISTS sandbox_entry_payment ON sandbox_entry (payment_id);

-- The first answer under each idempotency key, and the request that it answered.
CREATE TABLE IF NOT EXISTS sandbox_key (
    key           TEXT PRIMARY KEY,
    request_hash  BLOB NOT NULL,
    answer        BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- How often each key was asked, which is what faults are drawn by.
CREATE TABLE IF NOT EXISTS sandbox_asked (
    key    TEXT    PRIMARY KEY,
    asked  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
