-- Messages that nobody waited for yet, and those that a run was given: by its id one is known that
-- is sent again.
CREATE TABLE letter (
    id       text   COLLATE "C" NOT NULL PRIMARY KEY,
    message  text   COLLATE "C" NOT NULL,
    key      text   COLLATE "C" NOT NULL,
    -- Empty once a run was given it.
    body     bytea  NOT NULL,
    at       bigint NOT NULL,
    until    bigint NOT NULL,
    taken_by text   COLLATE "C"
);

CREATE INDEX letter_kept ON letter (message, key, at, id) WHERE taken_by IS NULL;
CREATE INDEX letter_by_until ON letter (until, id);
CREATE INDEX letter_by_at ON letter (at, id);

-- Which run waits for a message: one at most for each type and key.
CREATE TABLE waiter (
    message text   COLLATE "C" NOT NULL,
    key     text   COLLATE "C" NOT NULL,
    run     text   COLLATE "C" NOT NULL,
    node    text   COLLATE "C" NOT NULL,
    since   bigint NOT NULL,
    PRIMARY KEY (message, key)
)
WITH (autovacuum_vacuum_scale_factor = 0.01);
