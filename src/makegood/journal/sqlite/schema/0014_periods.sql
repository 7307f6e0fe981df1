-- How long the runs of a workflow are kept once they have ended, where that is declared. What is
-- to be pruned is looked for workflow by workflow, so that those that are kept are not read.
CREATE TABLE makegood_period (
    workflow TEXT    NOT NULL PRIMARY KEY,
    micros   INTEGER NOT NULL
) WITHOUT ROWID;

DROP INDEX makegood_run_ended;
CREATE INDEX makegood_run_ended ON makegood_run (workflow, ended_at)
    WHERE ended_at IS NOT NULL AND pruned_at IS NULL;
