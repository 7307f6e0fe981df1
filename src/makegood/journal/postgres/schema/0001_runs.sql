-- The row of a run is the one truth about it; ids are version 7 UUIDs, so rows sort by age.
-- Every statement here is run with the engine's schema first in the search path.
CREATE TABLE run (
    id           text    COLLATE "C" NOT NULL PRIMARY KEY,
    workflow     text    COLLATE "C" NOT NULL,
    key          text    COLLATE "C",
    fingerprint  text    COLLATE "C" NOT NULL,
    input_hash   text    NOT NULL,
    status       text    COLLATE "C" NOT NULL,
    cause        text    COLLATE "C",
    rollback     text    COLLATE "C",
    reason       text    COLLATE "C",
    seq          bigint  NOT NULL,
    inbox_head   bigint  NOT NULL,
    -- Posts up to this number have left the inbox; the inbox is empty when it is the head.
    inbox_taken  bigint  NOT NULL,
    epoch        bigint  NOT NULL,
    claims       bigint  NOT NULL,
    owner        text    COLLATE "C",
    -- When a worker that does not hold the run may take it. While it is held this is the end of
    -- the lease, by the server's clock, and appends leave it as it is: no index is touched.
    wake_at      bigint,
    created_at   bigint  NOT NULL,
    ended_at     bigint,
    pruned_at    bigint,
    -- The token of the newest append: the same append sent again is told from another one.
    token        bytea,
    -- The tokens of the newest posts, for the same; see the function `post`.
    post_tokens  bytea[]
)
-- A run in motion leaves its old rows on the page of the new one, where they are reused.
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02);

CREATE UNIQUE INDEX run_by_key ON run (workflow, key) WHERE key IS NOT NULL;
CREATE INDEX run_by_wake ON run (wake_at, fingerprint) WHERE wake_at IS NOT NULL;
CREATE INDEX run_rung ON run (owner) WHERE owner IS NOT NULL AND inbox_taken < inbox_head;
CREATE INDEX run_unfinished ON run (id) WHERE ended_at IS NULL;
CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL AND pruned_at IS NULL;
CREATE INDEX run_troubled ON run (status, id) WHERE status IN ('parked', 'failed');

-- One row per append: a JSON array of facts, the lease it was written under, and its token.
CREATE TABLE facts (
    run    text   COLLATE "C" NOT NULL,
    seq    bigint NOT NULL,
    epoch  bigint NOT NULL,
    token  bytea  NOT NULL,
    at     bigint NOT NULL,
    body   bytea  NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'facts never change' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER facts_never_change BEFORE UPDATE OR TRUNCATE ON facts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_unless_pruned() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM run WHERE id = OLD.run AND pruned_at IS NOT NULL) THEN
        RAISE EXCEPTION 'facts stay until their run is pruned'
              USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER facts_stay BEFORE DELETE ON facts
    FOR EACH ROW EXECUTE FUNCTION refuse_unless_pruned();

-- What was posted to a run and has not been taken by its holder.
CREATE TABLE inbox (
    run   text   COLLATE "C" NOT NULL,
    n     bigint NOT NULL,
    at    bigint NOT NULL,
    body  bytea  NOT NULL,
    PRIMARY KEY (run, n)
);

CREATE TABLE plan (
    fingerprint  text COLLATE "C" NOT NULL PRIMARY KEY,
    workflow     text NOT NULL,
    json         text NOT NULL
);

-- Workers whose lease ran out while they held a run: they died, or were cut off.
CREATE TABLE lost_worker (
    id  text COLLATE "C" NOT NULL PRIMARY KEY
);

-- Which migrations of the application's own tables were applied.
CREATE TABLE migration (
    owner   text   NOT NULL,
    number  bigint NOT NULL,
    PRIMARY KEY (owner, number)
);
