-- A run stands at a stage of its lifecycle, and its moves between them are remembered; and a key
-- may be a run's only until that ends.
ALTER TABLE makegood_run ADD COLUMN stage TEXT;
ALTER TABLE makegood_run ADD COLUMN stage_since INTEGER;

-- Whether the run has its key for ever (0), until it ends (1), or not any more (2).
ALTER TABLE makegood_run ADD COLUMN key_hold INTEGER NOT NULL DEFAULT 0;

DROP INDEX makegood_run_by_key;
CREATE UNIQUE INDEX makegood_run_by_key ON makegood_run (workflow, key)
    WHERE key IS NOT NULL AND key_hold < 2;
CREATE INDEX makegood_run_by_key_before ON makegood_run (workflow, key, id) WHERE key_hold = 2;

CREATE TABLE makegood_move (
    run         TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    workflow    TEXT    NOT NULL,
    origin      TEXT,
    destination TEXT    NOT NULL,
    cause       TEXT,
    actor       TEXT,
    at          INTEGER NOT NULL,
    PRIMARY KEY (run, version)
) WITHOUT ROWID;

-- All that the counting of a period reads.
CREATE INDEX makegood_move_by_at ON makegood_move (at, workflow, origin, destination);

-- As they were, and with the stage, the moves and the key's end.
DROP TRIGGER makegood_append_applies;
DROP VIEW makegood_append;

CREATE VIEW makegood_append AS
SELECT '' AS run, '' AS worker, 0 AS epoch, 0 AS seq, 0 AS inbox_head, 0 AS inbox_taken,
       x'' AS token, 0 AS at, '' AS status, '' AS cause, '' AS rollback, '' AS reason,
       0 AS ended_at, 0 AS progress, 0 AS release, 0 AS wake_at, '' AS stage, 0 AS stage_since,
       '' AS moves, '' AS creation, x'' AS facts;

CREATE TRIGGER makegood_append_applies INSTEAD OF INSERT ON makegood_append
BEGIN
    -- A run in motion: nothing that an index holds is named, so no index is touched.
    UPDATE makegood_run
       SET seq = NEW.seq, token = NEW.token, status = NEW.status, cause = NEW.cause,
           rollback = NEW.rollback, reason = NEW.reason, stage = NEW.stage,
           stage_since = NEW.stage_since,
           claims = CASE WHEN NEW.progress THEN 0 ELSE claims END
     WHERE NEW.creation IS NULL AND NOT NEW.release AND NEW.ended_at IS NULL
       AND id = NEW.run AND epoch = NEW.epoch AND owner = NEW.worker
       AND seq = NEW.seq - 1 AND inbox_head = NEW.inbox_head AND ended_at IS NULL;

    -- A run that ends, begins again after its end, or is given back. It finds nothing when the
    -- statement before it has moved the sequence on.
    UPDATE makegood_run
       SET seq = NEW.seq, token = NEW.token, status = NEW.status, cause = NEW.cause,
           rollback = NEW.rollback, reason = NEW.reason, stage = NEW.stage,
           stage_since = NEW.stage_since,
           claims = CASE WHEN NEW.progress THEN 0 ELSE claims END,
           ended_at = NEW.ended_at,
           owner = CASE WHEN NEW.release THEN NULL ELSE owner END,
           wake_at = CASE WHEN NEW.release THEN NEW.wake_at ELSE wake_at END
     WHERE NEW.creation IS NULL
       AND id = NEW.run AND epoch = NEW.epoch AND owner = NEW.worker
       AND seq = NEW.seq - 1 AND inbox_head = NEW.inbox_head;

    INSERT INTO makegood_run (id, workflow, key, fingerprint, input_hash, created_at, status,
           cause, rollback, reason, seq, inbox_head, epoch, claims, owner, wake_at, ended_at,
           token, subject, key_hold, stage, stage_since)
    SELECT NEW.run, NEW.creation ->> 0, NEW.creation ->> 1, NEW.creation ->> 2,
           NEW.creation ->> 3, NEW.creation ->> 4, NEW.status, NEW.cause, NEW.rollback,
           NEW.reason, NEW.seq, NEW.inbox_head, NEW.epoch, 0,
           CASE WHEN NEW.release THEN NULL ELSE NEW.worker END, NEW.wake_at, NEW.ended_at,
           NEW.token, NEW.creation ->> 5, NEW.creation ->> 6, NEW.stage, NEW.stage_since
     WHERE NEW.creation IS NOT NULL;

    -- An append that was applied before is found here too; the key of its facts refuses it, and
    -- the last condition does so where they were pruned.
    SELECT RAISE(ABORT, 'the run has moved')
     WHERE NOT EXISTS (SELECT 1 FROM makegood_run
                        WHERE id = NEW.run AND seq = NEW.seq AND token = NEW.token
                          AND pruned_at IS NULL);

    -- A statement of its own, so that the index by key is touched for such a key alone.
    UPDATE makegood_run SET key_hold = 2
     WHERE NEW.ended_at IS NOT NULL AND id = NEW.run AND key_hold = 1;

    INSERT OR IGNORE INTO makegood_move (run, version, workflow, origin, destination, cause, actor,
           at)
    SELECT NEW.run, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
           value ->> 6
      FROM json_each(NEW.moves)
     WHERE NEW.moves IS NOT NULL;

    -- A local step's facts are known only after its body has run and are inserted then.
    INSERT INTO makegood_facts (run, seq, epoch, token, at, body)
    SELECT NEW.run, NEW.seq, NEW.epoch, NEW.token, NEW.at, NEW.facts
     WHERE length(NEW.facts) > 0;

    DELETE FROM makegood_inbox
     WHERE NEW.inbox_taken > 0 AND run = NEW.run AND n <= NEW.inbox_taken;
END;
