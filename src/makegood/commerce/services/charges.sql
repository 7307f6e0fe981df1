-- What the payment service has written down.

CREATE TABLE service_charge (
    order_id        TEXT    NOT NULL PRIMARY KEY,
    customer_id     TEXT    NOT NULL,
    -- Nothing where it was void before it began.
    amount_minor    BIGINT,
    currency        TEXT,
    token           TEXT    NOT NULL,
    key             TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    looks           INTEGER NOT NULL,
    captured_minor  BIGINT  NOT NULL CHECK (captured_minor >= 0),
    refunded_minor  BIGINT  NOT NULL CHECK (refunded_minor BETWEEN 0 AND captured_minor)
);

-- The ledger: every movement of money is two entries that add up to nothing. Rows are only added.
CREATE TABLE service_ledger (
    order_id      TEXT   NOT NULL REFERENCES service_charge (order_id),
    movement      TEXT   NOT NULL CHECK (movement IN ('capture', 'refund')),
    account       TEXT   NOT NULL CHECK (account IN ('customer', 'gateway')),
    amount_minor  BIGINT NOT NULL,
    currency      TEXT   NOT NULL,
    PRIMARY KEY (order_id, movement, account)
);
