-- Claims are dealt out fairly among workflows, and a run may be about a subject whose data can be
-- erased.
ALTER TABLE makegood_run ADD COLUMN subject TEXT;
CREATE INDEX makegood_run_by_subject ON makegood_run (subject, id) WHERE subject IS NOT NULL;

-- What is due is looked for workflow by workflow.
DROP INDEX makegood_run_by_wake;
CREATE INDEX makegood_run_by_wake ON makegood_run (fingerprint, wake_at)
    WHERE wake_at IS NOT NULL;

-- Facts change in one way only: the values of a run that is erased are taken out of them.
DROP TRIGGER makegood_facts_never_change;

CREATE TRIGGER makegood_facts_never_change BEFORE UPDATE ON makegood_facts
WHEN NOT EXISTS (SELECT 1 FROM makegood_run WHERE id = OLD.run AND status = 'erased')
  OR (NEW.run, NEW.seq, NEW.epoch, NEW.token, NEW.at)
     IS NOT (OLD.run, OLD.seq, OLD.epoch, OLD.token, OLD.at)
BEGIN
    SELECT RAISE(ABORT, 'facts never change');
END;

-- As it was, and with the subject.
DROP TRIGGER makegood_append_applies;

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
           token, subject)
    SELECT NEW.run, NEW.creation ->> 0, NEW.creation ->> 1, NEW.creation ->> 2,
           NEW.creation ->> 3, NEW.creation ->> 4, NEW.status, NEW.cause, NEW.rollback,
           NEW.reason, NEW.seq, NEW.inbox_head, NEW.epoch, 0,
           CASE WHEN NEW.release THEN NULL ELSE NEW.worker END, NEW.wake_at, NEW.ended_at,
           NEW.token, NEW.creation ->> 5
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
