-- The row of a run is the one truth about it; ids are version 7 UUIDs, so rows sort by age.
CREATE TABLE makegood_run (
    id          TEXT    NOT NULL PRIMARY KEY,
    workflow    TEXT    NOT NULL,
    key         TEXT,
    fingerprint TEXT    NOT NULL,
    input_hash  TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    cause       TEXT,
    rollback    TEXT,
    reason      TEXT,
    seq         INTEGER NOT NULL,
    inbox_head  INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    claims      INTEGER NOT NULL,
    owner       TEXT,
    -- When a worker that does not hold the run may take it. A far-away constant while it is held
    -- (see `rows.HELD`), so that the appends of a run in motion move nothing in an index.
    wake_at     INTEGER,
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    pruned_at   INTEGER,
    -- The token of the newest append: the same append sent again is told from another one.
    token       BLOB    NOT NULL DEFAULT x''
) WITHOUT ROWID;

CREATE UNIQUE INDEX makegood_run_by_key ON makegood_run (workflow, key) WHERE key IS NOT NULL;
CREATE INDEX makegood_run_by_wake ON makegood_run (wake_at, fingerprint)
    WHERE wake_at IS NOT NULL;
CREATE INDEX makegood_run_unfinished ON makegood_run (id) WHERE ended_at IS NULL;
CREATE INDEX makegood_run_ended ON makegood_run (ended_at)
    WHERE ended_at IS NOT NULL AND pruned_at IS NULL;
CREATE INDEX makegood_run_troubled ON makegood_run (status, id)
    WHERE status IN ('parked', 'failed');

-- One row per append: a JSON array of facts, the lease it was written under, and its token.
CREATE TABLE makegood_facts (
    run   TEXT    NOT NULL,
    seq   INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    token BLOB    NOT NULL,
    at    INTEGER NOT NULL,
    body  BLOB    NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE TRIGGER makegood_facts_never_change BEFORE UPDATE ON makegood_facts
BEGIN
    SELECT RAISE(ABORT, 'facts never change');
END;

CREATE TRIGGER makegood_facts_stay BEFORE DELETE ON makegood_facts
WHEN NOT EXISTS (SELECT 1 FROM makegood_run WHERE id = OLD.run AND pruned_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'facts stay until their run is pruned');
END;

-- What was posted to a run and has not been taken by its holder.
CREATE TABLE makegood_inbox (
    run  TEXT    NOT NULL,
    n    INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    body BLOB    NOT NULL,
    PRIMARY KEY (run, n)
) WITHOUT ROWID;

CREATE TABLE makegood_plan (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    workflow    TEXT NOT NULL,
    json        TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE makegood_meta (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- What an append is: a row inserted here. The trigger compares, writes, and raises when the
-- comparison fails, so that one statement applies a whole batch or nothing of it, commit
-- included. A batch is refused rarely; its appends are then applied one by one and told apart.
CREATE VIEW makegood_append AS
SELECT '' AS run, '' AS worker, 0 AS epoch, 0 AS seq, 0 AS inbox_head, 0 AS inbox_taken,
       x'' AS token, 0 AS at, '' AS status, '' AS cause, '' AS rollback, '' AS reason,
       0 AS ended_at, 0 AS progress, 0 AS release, 0 AS wake_at, '' AS creation, x'' AS facts;

CREATE TRIGGER makegood_append_applies INSTEAD OF INSERT ON makegood_append
BEGIN
    -- A run in motion: nothing that an index holds is named, so no index is touched.
    UPDATE makegood_run
       SET seq = NEW.seq, token = NEW.token, status = NEW.status, cause = NEW.cause,
           rollback = NEW.rollback, reason = NEW.reason,
           claims = CASE WHEN NEW.progress THEN 0 ELSE claims END
     WHERE NEW.creation IS NULL AND NOT NEW.release AND NEW.ended_at IS NULL
       AND id = NEW.run AND epoch = NEW.epoch AND owner = NEW.worker
       AND seq = NEW.seq - 1 AND inbox_head = NEW.inbox_head AND ended_at IS NULL;

    -- A run that ends, begins again after its end, or is given back. It finds nothing when the
    -- statement before it has moved the sequence on.
    UPDATE makegood_run
       SET seq = NEW.seq, token = NEW.token, status = NEW.status, cause = NEW.cause,
           rollback = NEW.rollback, reason = NEW.reason,
           claims = CASE WHEN NEW.progress THEN 0 ELSE claims END,
           ended_at = NEW.ended_at,
           owner = CASE WHEN NEW.release THEN NULL ELSE owner END,
           wake_at = CASE WHEN NEW.release THEN NEW.wake_at ELSE wake_at END
     WHERE NEW.creation IS NULL
       AND id = NEW.run AND epoch = NEW.epoch AND owner = NEW.worker
       AND seq = NEW.seq - 1 AND inbox_head = NEW.inbox_head;

    INSERT INTO makegood_run (id, workflow, key, fingerprint, input_hash, created_at, status,
           cause, rollback, reason, seq, inbox_head, epoch, claims, owner, wake_at, ended_at,
           token)
    SELECT NEW.run, NEW.creation ->> 0, NEW.creation ->> 1, NEW.creation ->> 2,
           NEW.creation ->> 3, NEW.creation ->> 4, NEW.status, NEW.cause, NEW.rollback,
           NEW.reason, NEW.seq, NEW.inbox_head, NEW.epoch, 0,
           CASE WHEN NEW.release THEN NULL ELSE NEW.worker END, NEW.wake_at, NEW.ended_at,
           NEW.token
     WHERE NEW.creation IS NOT NULL;

    -- An append that was applied before is found here too; the key of its facts refuses it, and
    -- the last condition does so where they were pruned.
    SELECT RAISE(ABORT, 'the run has moved')
     WHERE NOT EXISTS (SELECT 1 FROM makegood_run
                        WHERE id = NEW.run AND seq = NEW.seq AND token = NEW.token
                          AND pruned_at IS NULL);

    -- A local step's facts are known only after its body has run and are inserted then.
    INSERT INTO makegood_facts (run, seq, epoch, token, at, body)
    SELECT NEW.run, NEW.seq, NEW.epoch, NEW.token, NEW.at, NEW.facts
     WHERE length(NEW.facts) > 0;

    DELETE FROM makegood_inbox
     WHERE NEW.inbox_taken > 0 AND run = NEW.run AND n <= NEW.inbox_taken;
END;
