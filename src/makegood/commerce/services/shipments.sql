-- What the shipping service has written down.

CREATE TABLE service_shipment (
    order_id     TEXT    NOT NULL PRIMARY KEY,
    customer_id  TEXT    NOT NULL,
    address      TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    tracking     TEXT    NOT NULL,
    -- Whether the others know that it was booked.
    is_told      INTEGER NOT NULL CHECK (is_told IN (0, 1)),
    looks        INTEGER NOT NULL
);
