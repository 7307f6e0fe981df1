-- What the engine asks of its schema in one round trip each. The settings of a function hold
-- while it runs, also behind a pooler that hands sessions around, and its plans are kept.

-- The server's clock, in microseconds since 1970: it alone says how long a lease lasts.
CREATE FUNCTION server_now() RETURNS bigint LANGUAGE sql VOLATILE
RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- Write the appends that make runs; return the positions, from 1, of those that were not
-- written, because the id or the key is taken.
CREATE FUNCTION make_runs(
    runs text[], workers text[], epochs bigint[], seqs bigint[], inbox_heads bigint[],
    inbox_takens bigint[], tokens bytea[], ats bigint[], statuses text[], causes text[],
    rollbacks text[], reasons text[], ended_ats bigint[], releases boolean[], wake_ats bigint[],
    bodies bytea[], workflows text[], keys text[], fingerprints text[], input_hashes text[],
    created_ats bigint[], lease_micros bigint
) RETURNS bigint[] LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_nestloop = off
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
            rollbacks, reasons, ended_ats, releases, wake_ats, bodies, workflows, keys,
            fingerprints, input_hashes, created_ats
        ) WITH ORDINALITY AS given (
            run, worker, epoch, seq, inbox_head, inbox_taken, token, at, status, cause,
            rollback, reason, ended_at, release, wake_at, body, workflow, key,
            fingerprint, input_hash, created_at, n
        )
    ), made AS (
        INSERT INTO run (id, workflow, key, fingerprint, input_hash, status, cause, rollback,
               reason, seq, inbox_head, inbox_taken, epoch, claims, owner, wake_at, created_at,
               ended_at, token)
        SELECT run, workflow, key, fingerprint, input_hash, status, cause, rollback,
               reason, seq, inbox_head, inbox_taken, epoch, 0,
               CASE WHEN NOT release THEN worker END,
               CASE WHEN release THEN wake_at ELSE lease_end END, created_at, ended_at, token
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
    RETURN refused;
END $$;

-- Write the appends of runs that are there; return the positions, from 1, of those that were.
-- The rows are found by their ids, one by one and in the order given, whatever the planner knows
-- of the table: without statistics it would join the whole of it.
CREATE FUNCTION move_runs(
    runs text[], workers text[], epochs bigint[], seqs bigint[], inbox_heads bigint[],
    inbox_takens bigint[], tokens bytea[], ats bigint[], statuses text[], causes text[],
    rollbacks text[], reasons text[], ended_ats bigint[], releases boolean[], wake_ats bigint[],
    bodies bytea[], progresses boolean[]
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
            rollbacks, reasons, ended_ats, releases, wake_ats, bodies, progresses
        ) WITH ORDINALITY AS given (
            id, worker, epoch, seq, inbox_head, inbox_taken, token, at, status, cause,
            rollback, reason, ended_at, release, wake_at, body, progress, n
        )
    ), moved AS (
        UPDATE run
           SET seq = given.seq, token = given.token, status = given.status, cause = given.cause,
               rollback = given.rollback, reason = given.reason, ended_at = given.ended_at,
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

-- Put posts into inboxes, in the order given; a post with a workflow makes its run first.
-- `n` is the number that it has, `other` the run that has its id or its key already; a run that
-- is not there is answered by neither. A post that is sent again because its answer was lost is
-- told by its token from another one, as long as no eight more have come since.
CREATE FUNCTION post(
    runs text[], bodies bytea[], ats bigint[], tokens bytea[], statuses text[], workflows text[],
    keys text[], fingerprints text[], input_hashes text[], created_ats bigint[]
) RETURNS TABLE (n bigint, other text, other_hash text) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    found_run run;
BEGIN
    FOR i IN 1 .. cardinality(runs) LOOP
        n := NULL;
        other := NULL;
        other_hash := NULL;
        IF workflows[i] IS NOT NULL THEN
            INSERT INTO run (id, workflow, key, fingerprint, input_hash, status, seq, inbox_head,
                   inbox_taken, epoch, claims, wake_at, created_at)
            VALUES (runs[i], workflows[i], keys[i], fingerprints[i], input_hashes[i],
                    statuses[i], 0, 0, 0, 0, 0, ats[i], created_ats[i])
                ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                found_run := NULL;
                SELECT * INTO found_run FROM run
                 WHERE run.workflow = workflows[i] AND run.key = keys[i];
                IF found_run.id IS NULL THEN
                    SELECT * INTO found_run FROM run WHERE run.id = runs[i];
                END IF;
                other := found_run.id;
                other_hash := found_run.input_hash;
            END IF;
        END IF;
        IF other IS NULL OR other = runs[i] THEN
            SELECT * INTO found_run FROM run
             WHERE run.id = runs[i] AND run.pruned_at IS NULL FOR UPDATE;
            IF FOUND AND tokens[i] = ANY (found_run.post_tokens) THEN
                n := found_run.inbox_head - cardinality(found_run.post_tokens)
                     + array_position(found_run.post_tokens, tokens[i]);
                other := NULL;
                other_hash := NULL;
            ELSIF FOUND AND other IS NULL THEN
                n := found_run.inbox_head + 1;
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

-- Renew what a worker holds, name what was posted to of it, and claim what is due. The kind is
-- 'renewed', 'rung' or 'claimed'. A run that was claimed `together_max` times without progress
-- may have killed those who took it; it is claimed alone, in its turn. What a transaction of
-- somebody else holds locked is left for the next time: nobody waits here.
CREATE FUNCTION lease(
    worker text, held text[], plans text[], runs_max bigint, caller_now bigint,
    lease_micros bigint, together_max bigint
) RETURNS TABLE (kind text, run_id text, run_epoch bigint, run_plan text, run_claims bigint)
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    present CONSTANT bigint := server_now();
BEGIN
    IF cardinality(held) > 0 THEN
        RETURN QUERY
        WITH mine AS MATERIALIZED (
            SELECT id FROM run WHERE id = ANY (held) AND owner = worker
             ORDER BY id FOR UPDATE SKIP LOCKED
        )
        UPDATE run SET wake_at = present + lease_micros FROM mine WHERE run.id = mine.id
        RETURNING 'renewed', run.id, run.epoch, run.fingerprint, run.claims;
    END IF;
    RETURN QUERY
    SELECT 'rung', id, epoch, fingerprint, claims FROM run
     WHERE owner = worker AND owner IS NOT NULL AND inbox_taken < inbox_head ORDER BY id;
    IF runs_max > 0 AND cardinality(plans) > 0 THEN
        RETURN QUERY
        -- A LIMIT that is evaluated twice would lock more rows than were asked for.
        WITH due AS MATERIALIZED (
            SELECT id, owner, wake_at, claims FROM run
             WHERE wake_at IS NOT NULL AND wake_at <= greatest(caller_now, present)
               AND wake_at <= CASE WHEN owner IS NULL THEN caller_now ELSE present END
               AND fingerprint = ANY (plans)
             ORDER BY wake_at, id LIMIT runs_max
               FOR UPDATE SKIP LOCKED
        ), placed AS (
            SELECT id, owner, claims, row_number() OVER (ORDER BY wake_at, id) AS place FROM due
        ), taken AS MATERIALIZED (
            SELECT id, owner FROM placed
             WHERE place <= greatest(1, coalesce(
                       (SELECT min(place) - 1 FROM placed WHERE claims >= together_max), runs_max))
        ), lost AS (
            INSERT INTO lost_worker (id)
            SELECT DISTINCT owner FROM taken WHERE owner IS NOT NULL AND owner <> worker
                ON CONFLICT DO NOTHING
        )
        UPDATE run
           SET epoch = run.epoch + 1, claims = run.claims + 1, owner = worker,
               wake_at = present + lease_micros
          FROM taken WHERE run.id = taken.id
        RETURNING 'claimed', run.id, run.epoch, run.fingerprint, run.claims;
    END IF;
END $$;

-- Give back held runs, due at once, as if they had not been claimed.
CREATE FUNCTION release(worker text, held text[], caller_now bigint) RETURNS void
LANGUAGE sql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
    WITH mine AS MATERIALIZED (
        SELECT id FROM run WHERE id = ANY (held) AND owner = worker ORDER BY id FOR UPDATE
    )
    UPDATE run SET owner = NULL, wake_at = caller_now, claims = greatest(claims - 1, 0)
      FROM mine WHERE run.id = mine.id
$$;

-- Remove the history of ended runs that nobody holds and nothing wakes; return how many.
CREATE FUNCTION prune(before bigint, runs_max bigint, caller_now bigint) RETURNS bigint
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
           AND wake_at IS NULL
         ORDER BY ended_at, id LIMIT runs_max FOR UPDATE SKIP LOCKED
    ), marked AS (
        UPDATE run SET pruned_at = caller_now, inbox_taken = inbox_head, post_tokens = NULL
          FROM ended WHERE run.id = ended.id
        RETURNING run.id
    )
    SELECT coalesce(array_agg(id), '{}') INTO pruned FROM marked;
    DELETE FROM facts WHERE run = ANY (pruned);
    DELETE FROM inbox WHERE run = ANY (pruned);
    DELETE FROM run WHERE id = ANY (pruned) AND key IS NULL;
    RETURN cardinality(pruned);
END $$;

-- Add the facts of a local step, which are known only after its body has run, to the append that
-- was written before it. Its lease begins anew, for the row was locked while the body ran.
CREATE FUNCTION record_local(
    run_id text, run_seq bigint, run_epoch bigint, token bytea, at bigint, body bytea,
    lease_micros bigint
) RETURNS void LANGUAGE sql
SET search_path FROM CURRENT
SET enable_seqscan = off
AS $$
    INSERT INTO facts (run, seq, epoch, token, at, body)
    VALUES (run_id, run_seq, run_epoch, record_local.token, record_local.at, record_local.body);
    UPDATE run SET wake_at = server_now() + lease_micros WHERE id = run_id AND owner IS NOT NULL
$$;
