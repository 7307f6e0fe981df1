-- What the order service has written down. Every store takes these scripts as they are.

CREATE TABLE service_price (
    sku          TEXT   NOT NULL PRIMARY KEY,
    price_minor  BIGINT NOT NULL,
    currency     TEXT   NOT NULL
);

CREATE TABLE service_order (
    id              TEXT   NOT NULL PRIMARY KEY,
    customer_id     TEXT   NOT NULL,
    status          TEXT   NOT NULL,
    total_minor     BIGINT NOT NULL,
    currency        TEXT   NOT NULL,
    -- What the gateway gave for the card, never its number.
    token           TEXT   NOT NULL,
    address         TEXT   NOT NULL,
    -- Whose answers a cancellation waits for.
    waits           TEXT   NOT NULL,
    captured_minor  BIGINT NOT NULL CHECK (captured_minor >= 0),
    refunded_minor  BIGINT NOT NULL CHECK (refunded_minor BETWEEN 0 AND captured_minor),
    reason          TEXT   NOT NULL
);

CREATE TABLE service_order_line (
    order_id  TEXT    NOT NULL REFERENCES service_order (id),
    line      INTEGER NOT NULL,
    sku       TEXT    NOT NULL,
    quantity  BIGINT  NOT NULL,
    PRIMARY KEY (order_id, line)
);

-- How each order came to stand where it does. Rows are only added.
CREATE TABLE service_order_history (
    order_id     TEXT    NOT NULL REFERENCES service_order (id),
    step         INTEGER NOT NULL,
    from_status  TEXT    NOT NULL,
    to_status    TEXT    NOT NULL,
    cause        TEXT    NOT NULL,
    message      TEXT    NOT NULL,
    PRIMARY KEY (order_id, step)
);
