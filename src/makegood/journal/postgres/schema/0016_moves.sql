-- As it was, and planned once for a session: a function in the language `sql` was planned again for
-- each batch, which cost a single run two fifths of its append.
CREATE OR REPLACE FUNCTION remember_moves(
    runs text[], tokens bytea[], versions bigint[], workflows text[], origins text[],
    destinations text[], causes text[], actors text[], ats bigint[], refused bigint[],
    written bigint[]
) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO move (run, version, workflow, origin, destination, cause, actor, at)
    SELECT given.run, given.version, given.workflow, given.origin, given.destination,
           given.cause, given.actor, given.at
      FROM unnest(
               runs, tokens, versions, workflows, origins, destinations, causes, actors, ats
           ) AS given (run, token, version, workflow, origin, destination, cause, actor, at)
      JOIN run ON run.id = given.run AND run.token = given.token AND run.pruned_at IS NULL
        ON CONFLICT DO NOTHING;
END $$;
