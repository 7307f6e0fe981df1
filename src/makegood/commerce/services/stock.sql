-- What the stock service has written down.

CREATE TABLE service_stock (
    sku        TEXT   NOT NULL PRIMARY KEY,
    -- What nobody has a hold on. It is changed by what is added or taken, never set to a total.
    available  BIGINT NOT NULL CHECK (available >= 0),
    delivered  BIGINT NOT NULL
);

CREATE TABLE service_reservation (
    order_id  TEXT    NOT NULL PRIMARY KEY,
    status    TEXT    NOT NULL
              CHECK (status IN ('held', 'firm', 'refused', 'expired', 'released', 'shipped')),
    -- How often something was held for the order: what ends a hold names which one it ends.
    holds     INTEGER NOT NULL
);

CREATE TABLE service_reservation_line (
    order_id  TEXT   NOT NULL REFERENCES service_reservation (order_id),
    sku       TEXT   NOT NULL,
    quantity  BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, sku)
);
