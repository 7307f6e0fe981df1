-- The shop's own tables, in the engine's database, changed only inside steps. Every store takes
-- this script as it is: SQLite has one kind of integer, and PostgreSQL needs the wide one.

CREATE TABLE shop_stock (
    sku      TEXT    NOT NULL PRIMARY KEY,
    on_hand  BIGINT  NOT NULL CHECK (on_hand >= 0),
    held     BIGINT  NOT NULL DEFAULT 0 CHECK (held BETWEEN 0 AND on_hand),
    -- A title that the warehouse will not ship, which the shop's window does not know.
    blocked  INTEGER NOT NULL DEFAULT 0 CHECK (blocked IN (0, 1))
);

-- What ever came into the stock.
CREATE TABLE shop_delivery (
    delivery  TEXT   NOT NULL,
    sku       TEXT   NOT NULL REFERENCES shop_stock (sku),
    quantity  BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (delivery, sku)
);

CREATE TABLE shop_reservation (
    id        TEXT NOT NULL PRIMARY KEY,
    order_id  TEXT NOT NULL UNIQUE,
    status    TEXT NOT NULL CHECK (status IN ('held', 'released', 'committed', 'returned'))
);

CREATE TABLE shop_reservation_line (
    reservation_id  TEXT   NOT NULL REFERENCES shop_reservation (id),
    sku             TEXT   NOT NULL REFERENCES shop_stock (sku),
    quantity        BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (reservation_id, sku)
);

CREATE TABLE shop_shipment (
    id              TEXT   NOT NULL PRIMARY KEY,
    order_id        TEXT   NOT NULL UNIQUE,
    reservation_id  TEXT   NOT NULL UNIQUE REFERENCES shop_reservation (id),
    value_minor     BIGINT NOT NULL CHECK (value_minor > 0),
    currency        TEXT   NOT NULL,
    status          TEXT   NOT NULL CHECK (status IN ('shipped', 'recalled'))
);

CREATE TABLE shop_notification (
    order_id     TEXT NOT NULL PRIMARY KEY,
    customer_id  TEXT NOT NULL,
    subject      TEXT NOT NULL
);
