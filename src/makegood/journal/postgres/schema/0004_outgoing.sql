-- What runs have said to others and nobody was given yet, the oldest with the lowest number. The
-- body is an `Outgoing` of `journal/mail.py` as JSON.
CREATE TABLE outgoing (
    n      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sender text   COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    body   bytea  NOT NULL
)
-- Rows leave soon after they came, and the oldest is looked for again and again.
WITH (autovacuum_vacuum_scale_factor = 0.01);

CREATE INDEX outgoing_by_sender ON outgoing (sender);

-- As it was, and not of a run that has said something which nobody was given yet.
CREATE OR REPLACE FUNCTION prune(before bigint, runs_max bigint, caller_now bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    pruned text[];
BEGIN
    WITH ended AS MATERIALIZED (
        SELECT id FROM run
         WHERE ended_at IS NOT NULL AND pruned_at IS NULL AND ended_at < before
           AND wake_at IS NULL AND NOT EXISTS (SELECT FROM outgoing WHERE sender = run.id)
         ORDER BY ended_at, id LIMIT runs_max FOR UPDATE SKIP LOCKED
    ), marked AS (
        UPDATE run SET pruned_at = caller_now, subject = NULL, inbox_taken = inbox_head,
               post_tokens = NULL
          FROM ended WHERE run.id = ended.id
        RETURNING run.id
    )
    SELECT coalesce(array_agg(id), '{}') INTO pruned FROM marked;
    DELETE FROM facts WHERE run = ANY (pruned);
    DELETE FROM inbox WHERE run = ANY (pruned);
    DELETE FROM run WHERE id = ANY (pruned) AND key IS NULL;
    RETURN cardinality(pruned);
END $$;
