-- How long the runs of a workflow are kept once they have ended, where that is declared. What is
-- to be pruned is looked for workflow by workflow, so that those that are kept are not read.
CREATE TABLE period (
    workflow text   COLLATE "C" NOT NULL PRIMARY KEY,
    micros   bigint NOT NULL
);

DROP INDEX run_ended;
CREATE INDEX run_ended ON run (workflow, ended_at)
    WHERE ended_at IS NOT NULL AND pruned_at IS NULL;

-- As it was, but workflow by workflow, each by its own period where it has one.
CREATE OR REPLACE FUNCTION prune(before bigint, runs_max bigint, caller_now bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    each_workflow text;
    ended_first bigint;
    taken text[];
    pruned text[] := '{}';
BEGIN
    SELECT min(workflow) INTO each_workflow FROM run WHERE ended_at IS NOT NULL AND pruned_at IS NULL;
    WHILE each_workflow IS NOT NULL AND cardinality(pruned) < runs_max LOOP
        SELECT caller_now - micros INTO ended_first FROM period WHERE workflow = each_workflow;
        WITH ended AS MATERIALIZED (
            SELECT id FROM run
             WHERE workflow = each_workflow AND ended_at IS NOT NULL AND pruned_at IS NULL
               AND ended_at < coalesce(ended_first, before)
               AND wake_at IS NULL AND NOT EXISTS (SELECT FROM outgoing WHERE sender = run.id)
             ORDER BY ended_at, id LIMIT runs_max - cardinality(pruned) FOR UPDATE SKIP LOCKED
        ), marked AS (
            UPDATE run SET pruned_at = caller_now, subject = NULL, inbox_taken = inbox_head,
                   post_tokens = NULL
              FROM ended WHERE run.id = ended.id
            RETURNING run.id
        )
        SELECT coalesce(array_agg(id), '{}') INTO taken FROM marked;
        pruned := pruned || taken;
        SELECT min(workflow) INTO each_workflow FROM run
         WHERE ended_at IS NOT NULL AND pruned_at IS NULL AND workflow > each_workflow;
    END LOOP;
    DELETE FROM facts WHERE run = ANY (pruned);
    DELETE FROM inbox WHERE run = ANY (pruned);
    DELETE FROM move WHERE run = ANY (pruned);
    DELETE FROM run WHERE id = ANY (pruned) AND (key IS NULL OR key_hold = 2);
    RETURN cardinality(pruned);
END $$;
