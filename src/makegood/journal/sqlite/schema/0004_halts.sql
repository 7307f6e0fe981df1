-- What nothing is begun of: the newest halt of every workflow, engine and service. It is kept
-- after it was lifted, so that it is known who did that, and why.
CREATE TABLE makegood_halt (
    kind           TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    actor          TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    at             INTEGER NOT NULL,
    -- When it ends by itself.
    until          INTEGER,
    lifted_by      TEXT,
    lifted_because TEXT,
    lifted_at      INTEGER,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
