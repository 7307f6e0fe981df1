-- A run stands at a stage of its lifecycle, and its moves between them are remembered; and a key
-- may be a run's only until that ends.
ALTER TABLE run ADD COLUMN stage text COLLATE "C";
ALTER TABLE run ADD COLUMN stage_since bigint;

-- Whether the run has its key for ever (0), until it ends (1), or not any more (2).
ALTER TABLE run ADD COLUMN key_hold smallint NOT NULL DEFAULT 0;

DROP INDEX run_by_key;
CREATE UNIQUE INDEX run_by_key ON run (workflow, key) WHERE key IS NOT NULL AND key_hold < 2;
CREATE INDEX run_by_key_before ON run (workflow, key, id) WHERE key_hold = 2;

CREATE TABLE move (
    run          text   COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    workflow     text   COLLATE "C" NOT NULL,
    origin       text   COLLATE "C",
    destination  text   COLLATE "C" NOT NULL,
    cause        text,
    actor        text,
    at           bigint NOT NULL,
    PRIMARY KEY (run, version)
);

-- All that the counting of a period reads.
CREATE INDEX move_by_at ON move (at, workflow, origin, destination);

DROP FUNCTION make_runs;
DROP FUNCTION move_runs;
DROP FUNCTION post;

-- Write the appends that make runs; return the positions, from 1, of those that were not
-- written, because the id or the key is taken. A key that somebody's own open transaction takes is
-- not waited for long: others have appends in this batch.
CREATE FUNCTION make_runs(
    runs text[], workers text[], epochs bigint[], seqs bigint[], inbox_heads bigint[],
    inbox_takens bigint[], tokens bytea[], ats bigint[], statuses text[], causes text[],
    rollbacks text[], reasons text[], ended_ats bigint[], stages text[], stage_sinces bigint[],
    releases boolean[], wake_ats bigint[], bodies bytea[], workflows text[], keys text[],
    fingerprints text[], input_hashes text[], created_ats bigint[], subjects text[],
    ending_keys boolean[], lease_micros bigint
) RETURNS bigint[] LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_nestloop = off
SET lock_timeout = '250ms'
SET jit = off
AS $$
DECLARE
    lease_end CONSTANT bigint := server_now() + lease_micros;
    refused bigint[];
BEGIN
    IF cardinality(runs) = 0 THEN
        RETURN NULL;
    END IF;
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(
            runs, workers, epochs, seqs, inbox_heads, inbox_takens, tokens, ats, statuses, causes,
            rollbacks, reasons, ended_ats, stages, stage_sinces, releases, wake_ats, bodies,
            workflows, keys, fingerprints, input_hashes, created_ats, subjects, ending_keys
        ) WITH ORDINALITY AS given (
            run, worker, epoch, seq, inbox_head, inbox_taken, token, at, status, cause,
            rollback, reason, ended_at, stage, stage_since, release, wake_at, body,
            workflow, key, fingerprint, input_hash, created_at, subject, ending_key, n
        )
    ), made AS (
        INSERT INTO run (id, workflow, key, fingerprint, input_hash, status, cause, rollback,
               reason, seq, inbox_head, inbox_taken, epoch, claims, owner, wake_at, created_at,
               ended_at, token, subject, key_hold, stage, stage_since)
        SELECT run, workflow, key, fingerprint, input_hash, status, cause, rollback,
               reason, seq, inbox_head, inbox_taken, epoch, 0,
               CASE WHEN NOT release THEN worker END,
               CASE WHEN release THEN wake_at ELSE lease_end END, created_at, ended_at, token,
               subject, ending_key::int, stage, stage_since
          FROM given
            ON CONFLICT DO NOTHING
        RETURNING id
    ), recorded AS (
        -- A local step's facts are known only after its body has run and are inserted then.
        INSERT INTO facts (run, seq, epoch, token, at, body)
        SELECT run, seq, epoch, token, at, body
          FROM given JOIN made ON made.id = given.run
         WHERE body IS NOT NULL
    )
    SELECT array_agg(n ORDER BY n) INTO refused
      FROM given LEFT JOIN made ON made.id = given.run
     WHERE made.id IS NULL;
    IF true = ANY (ending_keys) THEN
        -- What ends with the append that makes it has taken its key all the same.
        UPDATE run SET key_hold = 2
         WHERE id = ANY (runs) AND token = ANY (tokens) AND ended_at IS NOT NULL AND key_hold = 1;
    END IF;
    RETURN refused;
END $$;

-- Write the appends of runs that are there; return the positions, from 1, of those that were.
-- The rows are found by their ids, one by one and in the order given, whatever the planner knows
-- of the table: without statistics it would join the whole of it.
CREATE FUNCTION move_runs(
    runs text[], workers text[], epochs bigint[], seqs bigint[], inbox_heads bigint[],
    inbox_takens bigint[], tokens bytea[], ats bigint[], statuses text[], causes text[],
    rollbacks text[], reasons text[], ended_ats bigint[], stages text[], stage_sinces bigint[],
    releases boolean[], wake_ats bigint[], bodies bytea[], progresses boolean[]
) RETURNS bigint[] LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET enable_material = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
    written bigint[];
BEGIN
    IF cardinality(runs) = 0 THEN
        RETURN NULL;
    END IF;
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(
            runs, workers, epochs, seqs, inbox_heads, inbox_takens, tokens, ats, statuses, causes,
            rollbacks, reasons, ended_ats, stages, stage_sinces, releases, wake_ats, bodies,
            progresses
        ) WITH ORDINALITY AS given (
            id, worker, epoch, seq, inbox_head, inbox_taken, token, at, status, cause,
            rollback, reason, ended_at, stage, stage_since, release, wake_at, body, progress, n
        )
    ), moved AS (
        UPDATE run
           SET seq = given.seq, token = given.token, status = given.status, cause = given.cause,
               rollback = given.rollback, reason = given.reason, ended_at = given.ended_at,
               stage = given.stage, stage_since = given.stage_since,
               key_hold = CASE WHEN given.ended_at IS NOT NULL AND run.key_hold = 1
                               THEN 2 ELSE run.key_hold END,
               inbox_taken = greatest(run.inbox_taken, given.inbox_taken),
               claims = CASE WHEN given.progress THEN 0 ELSE run.claims END,
               owner = CASE WHEN NOT given.release THEN run.owner END,
               wake_at = CASE WHEN given.release THEN given.wake_at ELSE run.wake_at END
          FROM given
         WHERE run.id = given.id AND run.epoch = given.epoch AND run.owner = given.worker
           AND run.seq = given.seq - 1 AND run.inbox_head = given.inbox_head
        RETURNING given.n, run.id, given.seq, given.epoch, given.token, given.at, given.body,
               given.inbox_taken
    ), recorded AS (
        INSERT INTO facts (run, seq, epoch, token, at, body)
        SELECT id, seq, epoch, token, at, body FROM moved WHERE body IS NOT NULL
    ), taken AS (
        DELETE FROM inbox USING moved
         WHERE moved.inbox_taken > 0 AND inbox.run = moved.id AND inbox.n <= moved.inbox_taken
    )
    SELECT array_agg(n) INTO written FROM moved;
    RETURN written;
END $$;

-- Remember moves between stages, each only where the append that it came with, which is named by
-- its token, is the newest of its run. It is called once that is known.
CREATE FUNCTION remember_moves(
    runs text[], tokens bytea[], versions bigint[], workflows text[], origins text[],
    destinations text[], causes text[], actors text[], ats bigint[], refused bigint[],
    written bigint[]
) RETURNS void LANGUAGE sql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
    INSERT INTO move (run, version, workflow, origin, destination, cause, actor, at)
    SELECT given.run, version, given.workflow, origin, destination, given.cause, actor, at
      FROM unnest(
               runs, tokens, versions, workflows, origins, destinations, causes, actors, ats
           ) AS given (run, token, version, workflow, origin, destination, cause, actor, at)
      JOIN run ON run.id = given.run AND run.token = given.token AND run.pruned_at IS NULL
        ON CONFLICT DO NOTHING
$$;

-- Put posts into inboxes, in the order given; a post with a workflow makes its run first.
-- `n` is the number that it has and `holder` who holds its run, `other` the run that has its id or
-- its key already; a run that is not there is answered by none of them. A post that is sent again
-- because its answer was lost is told by its token from another one, as long as no eight more have
-- come since.
CREATE FUNCTION post(
    runs text[], bodies bytea[], ats bigint[], tokens bytea[], statuses text[], workflows text[],
    keys text[], fingerprints text[], input_hashes text[], created_ats bigint[], subjects text[],
    ending_keys boolean[]
) RETURNS TABLE (n bigint, other text, other_hash text, holder text) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    found_run run;
    tries int;
BEGIN
    FOR i IN 1 .. cardinality(runs) LOOP
        n := NULL;
        other := NULL;
        other_hash := NULL;
        holder := NULL;
        tries := 0;
        WHILE workflows[i] IS NOT NULL LOOP
            INSERT INTO run (id, workflow, key, fingerprint, input_hash, status, seq, inbox_head,
                   inbox_taken, epoch, claims, wake_at, created_at, subject, key_hold)
            VALUES (runs[i], workflows[i], keys[i], fingerprints[i], input_hashes[i],
                    statuses[i], 0, 0, 0, 0, 0, ats[i], created_ats[i], subjects[i],
                    coalesce(ending_keys[i], false)::int)
                ON CONFLICT DO NOTHING;
            EXIT WHEN FOUND;
            -- What this very post has made may have let go of its key again.
            SELECT * INTO found_run FROM run
             WHERE run.id = runs[i] AND tokens[i] = ANY (run.post_tokens);
            IF NOT FOUND THEN
                SELECT * INTO found_run FROM run
                 WHERE run.workflow = workflows[i] AND run.key = keys[i] AND run.key_hold < 2;
            END IF;
            IF NOT FOUND THEN
                SELECT * INTO found_run FROM run WHERE run.id = runs[i];
            END IF;
            other := found_run.id;
            other_hash := found_run.input_hash;
            EXIT WHEN other IS NOT NULL;
            -- The run that had the key has ended between the two looks.
            tries := tries + 1;
            IF tries = 10 THEN
                RAISE EXCEPTION 'a key changes hands again and again'
                      USING ERRCODE = 'serialization_failure';
            END IF;
        END LOOP;
        IF other IS NULL OR other = runs[i] THEN
            SELECT * INTO found_run FROM run
             WHERE run.id = runs[i] AND run.pruned_at IS NULL FOR UPDATE;
            IF FOUND AND tokens[i] = ANY (found_run.post_tokens) THEN
                n := found_run.inbox_head - cardinality(found_run.post_tokens)
                     + array_position(found_run.post_tokens, tokens[i]);
                other := NULL;
                other_hash := NULL;
                holder := found_run.owner;
            ELSIF FOUND AND other IS NULL THEN
                n := found_run.inbox_head + 1;
                holder := found_run.owner;
                UPDATE run
                   SET inbox_head = run.inbox_head + 1,
                       wake_at = CASE WHEN run.owner IS NULL
                                      THEN least(run.wake_at, ats[i]) ELSE run.wake_at END,
                       post_tokens = (run.post_tokens || tokens[i])
                                     [greatest(1, coalesce(cardinality(run.post_tokens), 0) - 6):]
                 WHERE run.id = runs[i];
                INSERT INTO inbox (run, n, at, body) VALUES (runs[i], found_run.inbox_head + 1,
                       ats[i], bodies[i]);
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

-- As it was, with the moves, and with nothing left of a run whose key is free again.
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
    DELETE FROM move WHERE run = ANY (pruned);
    DELETE FROM run WHERE id = ANY (pruned) AND (key IS NULL OR key_hold = 2);
    RETURN cardinality(pruned);
END $$;
