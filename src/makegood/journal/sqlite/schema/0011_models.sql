-- Editions of read models: each is one building of its rows, and a recipient of its own.
CREATE TABLE makegood_edition (
    model       TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    recipient   TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    -- A JSON array of the names of messages.
    types       TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    -- The number of the last message that was stored before it began, and up to which it was given
    -- those.
    until       INTEGER NOT NULL,
    filled      INTEGER NOT NULL,
    begun_at    INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    because     TEXT    NOT NULL,
    PRIMARY KEY (model, number)
) WITHOUT ROWID;

-- What stands in a row, as JSON; nothing where it was removed, or never came to anything.
CREATE TABLE makegood_model_row (
    recipient TEXT    NOT NULL,
    tenant    TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    body      BLOB,
    -- The last message that was folded into it.
    seq       INTEGER NOT NULL,
    revision  INTEGER NOT NULL,
    PRIMARY KEY (recipient, tenant, key)
) WITHOUT ROWID;

CREATE INDEX makegood_model_row_of_key ON makegood_model_row (key, tenant);

-- Only editions of read models are found by what they were given.
CREATE INDEX makegood_delivery_of_model ON makegood_delivery (recipient, seq)
    WHERE recipient >= 'model:' AND recipient < 'model;';
