-- What a run belongs to, and what has started it; most runs were started from outside, and have
-- neither.
ALTER TABLE makegood_run ADD COLUMN correlation TEXT;
ALTER TABLE makegood_run ADD COLUMN causation TEXT;

CREATE INDEX makegood_run_by_correlation ON makegood_run (correlation, id)
    WHERE correlation IS NOT NULL;
