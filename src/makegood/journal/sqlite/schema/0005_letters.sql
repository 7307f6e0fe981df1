-- Messages that nobody waited for yet, and those that a run was given: by its id one is known that
-- is sent again.
CREATE TABLE makegood_letter (
    id       TEXT    NOT NULL PRIMARY KEY,
    message  TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    -- Empty once a run was given it.
    body     BLOB    NOT NULL,
    at       INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    taken_by TEXT
) WITHOUT ROWID;

CREATE INDEX makegood_letter_kept ON makegood_letter (message, key, at, id)
    WHERE taken_by IS NULL;
CREATE INDEX makegood_letter_by_until ON makegood_letter (until, id);
CREATE INDEX makegood_letter_by_at ON makegood_letter (at, id);

-- Which run waits for a message: one at most for each type and key.
CREATE TABLE makegood_waiter (
    message TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    run     TEXT    NOT NULL,
    node    TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    PRIMARY KEY (message, key)
) WITHOUT ROWID;
