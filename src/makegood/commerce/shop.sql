-- The shop's own tables, in the engine's database, changed only inside steps.

CREATE TABLE shop_stock (
    sku      TEXT    PRIMARY KEY,
    on_hand  INTEGER NOT NULL CHECK (on_hand >= 0),
    held     INTEGER NOT NULL DEFAULT 0 CHECK (held BETWEEN 0 AND on_hand),
    -- A title that the warehouse will not ship, which the shop's window does not know.
    blocked  INTEGER NOT NULL DEFAULT 0 CHECK (blocked IN (0, 1))
) WITHOUT ROWID;

-- What ever came into the stock.
CREATE TABLE shop_delivery (
    delivery  TEXT    NOT NULL,
    sku       TEXT    NOT NULL REFERENCES shop_stock (sku),
    quantity  INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (delivery, sku)
) WITHOUT ROWID;

CREATE TABLE shop_reservation (
    id        TEXT PRIMARY KEY,
    order_id  TEXT NOT NULL UNIQUE,
    status    TEXT NOT NULL CHECK (status IN ('held', 'released', 'committed', 'returned'))
) WITHOUT ROWID;

CREATE TABLE shop_reservation_line (
    reservation_id  TEXT    NOT NULL REFERENCES shop_reservation (id),
    sku             TEXT    NOT NULL REFERENCES shop_stock (sku),
    quantity        INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (reservation_id, sku)
) WITHOUT ROWID;

CREATE TABLE shop_shipment (
    id              TEXT    PRIMARY KEY,
    order_id        TEXT    NOT NULL UNIQUE,
    reservation_id  TEXT    NOT NULL UNIQUE REFERENCES shop_reservation (id),
    value_minor     INTEGER NOT NULL CHECK (value_minor > 0),
    currency        TEXT    NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('shipped', 'recalled'))
) WITHOUT ROWID;

CREATE TABLE shop_notification (
    order_id     TEXT PRIMARY KEY,
    customer_id  TEXT NOT NULL,
    subject      TEXT NOT NULL
) WITHOUT ROWID;
