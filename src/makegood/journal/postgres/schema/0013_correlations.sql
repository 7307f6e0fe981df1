-- What a run belongs to, and what has started it; most runs were started from outside, and have
-- neither.
ALTER TABLE run ADD COLUMN correlation text COLLATE "C";
ALTER TABLE run ADD COLUMN causation text COLLATE "C";

CREATE INDEX run_by_correlation ON run (correlation, id) WHERE correlation IS NOT NULL;
