-- Who holds a key, and who waits for one: `n` is the order in which they came.
CREATE TABLE claim (
    n         bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key       text    COLLATE "C" NOT NULL,
    run       text    COLLATE "C" NOT NULL,
    id        text    COLLATE "C" NOT NULL,
    -- The run with which the tree of `run` began: within it a key is held together.
    root      text    COLLATE "C" NOT NULL,
    since     bigint  NOT NULL,
    is_holder boolean NOT NULL,
    -- What is posted to the run once it holds the key; empty from then on.
    body      bytea   NOT NULL
)
WITH (autovacuum_vacuum_scale_factor = 0.01);

CREATE UNIQUE INDEX claim_named ON claim (key, run, id);
