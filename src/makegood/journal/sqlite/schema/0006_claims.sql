-- Who holds a key, and who waits for one: `n` is the order in which they came. A program of those
-- days made this without giving the schema its number, so it may be there.
CREATE TABLE IF NOT EXISTS makegood_claim (
    n         INTEGER NOT NULL PRIMARY KEY,
    key       TEXT    NOT NULL,
    run       TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    -- The run with which the tree of `run` began: within it a key is held together.
    root      TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    is_holder INTEGER NOT NULL,
    -- What is posted to the run once it holds the key; empty from then on.
    body      BLOB    NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS makegood_claim_named ON makegood_claim (key, run, id);
