-- Claims are dealt out fairly among workflows, posts tell who holds the run, a run may be about a
-- subject whose data can be erased, and the store has a name of its own.
ALTER TABLE run ADD COLUMN subject text COLLATE "C";
CREATE INDEX run_by_subject ON run (subject, id) WHERE subject IS NOT NULL;

-- What is due is looked for workflow by workflow.
DROP INDEX run_by_wake;
CREATE INDEX run_by_wake ON run (fingerprint, wake_at, id) WHERE wake_at IS NOT NULL;

-- A random number: whoever starts a run in a transaction of its own shows that it means this store.
INSERT INTO meta (name, value) VALUES ('store', (random() * 9007199254740991)::bigint);

-- Facts change in one way only: the values of a run that is erased are taken out of them.
DROP TRIGGER facts_never_change ON facts;

CREATE FUNCTION refuse_unless_erased() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM run WHERE id = OLD.run AND status = 'erased')
       OR (NEW.run, NEW.seq, NEW.epoch, NEW.token, NEW.at)
          IS DISTINCT FROM (OLD.run, OLD.seq, OLD.epoch, OLD.token, OLD.at) THEN
        RAISE EXCEPTION 'facts never change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER facts_never_change BEFORE UPDATE ON facts
    FOR EACH ROW EXECUTE FUNCTION refuse_unless_erased();

CREATE TRIGGER facts_are_never_emptied BEFORE TRUNCATE ON facts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DROP FUNCTION make_runs;
DROP FUNCTION post;
DROP FUNCTION lease;

-- Write the appends that make runs; return the positions, from 1, of those that were not
-- written, because the id or the key is taken. A key that somebody's own open transaction takes is
-- not waited for long: others have appends in this batch.
CREATE FUNCTION make_runs(
    runs text[], workers text[], epochs bigint[], seqs bigint[], inbox_heads bigint[],
    inbox_takens bigint[], tokens bytea[], ats bigint[], statuses text[], causes text[],
    rollbacks text[], reasons text[], ended_ats bigint[], releases boolean[], wake_ats bigint[],
    bodies bytea[], workflows text[], keys text[], fingerprints text[], input_hashes text[],
    created_ats bigint[], subjects text[], lease_micros bigint
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
            rollbacks, reasons, ended_ats, releases, wake_ats, bodies, workflows, keys,
            fingerprints, input_hashes, created_ats, subjects
        ) WITH ORDINALITY AS given (
            run, worker, epoch, seq, inbox_head, inbox_taken, token, at, status, cause,
            rollback, reason, ended_at, release, wake_at, body, workflow, key,
            fingerprint, input_hash, created_at, subject, n
        )
    ), made AS (
        INSERT INTO run (id, workflow, key, fingerprint, input_hash, status, cause, rollback,
               reason, seq, inbox_head, inbox_taken, epoch, claims, owner, wake_at, created_at,
               ended_at, token, subject)
        SELECT run, workflow, key, fingerprint, input_hash, status, cause, rollback,
               reason, seq, inbox_head, inbox_taken, epoch, 0,
               CASE WHEN NOT release THEN worker END,
               CASE WHEN release THEN wake_at ELSE lease_end END, created_at, ended_at, token,
               subject
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

-- Put posts into inboxes, in the order given; a post with a workflow makes its run first.
-- `n` is the number that it has and `holder` who holds its run, `other` the run that has its id or
-- its key already; a run that is not there is answered by none of them. A post that is sent again
-- because its answer was lost is told by its token from another one, as long as no eight more have
-- come since.
CREATE FUNCTION post(
    runs text[], bodies bytea[], ats bigint[], tokens bytea[], statuses text[], workflows text[],
    keys text[], fingerprints text[], input_hashes text[], created_ats bigint[], subjects text[]
) RETURNS TABLE (n bigint, other text, other_hash text, holder text) LANGUAGE plpgsql
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
        holder := NULL;
        IF workflows[i] IS NOT NULL THEN
            INSERT INTO run (id, workflow, key, fingerprint, input_hash, status, seq, inbox_head,
                   inbox_taken, epoch, claims, wake_at, created_at, subject)
            VALUES (runs[i], workflows[i], keys[i], fingerprints[i], input_hashes[i],
                    statuses[i], 0, 0, 0, 0, 0, ats[i], created_ats[i], subjects[i])
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

-- Extend the leases of runs that a worker holds; return those that were extended. What a
-- transaction of somebody else holds locked is left for the next time: nobody waits here.
CREATE FUNCTION renew(worker text, held text[], lease_micros bigint) RETURNS SETOF text
LANGUAGE sql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
    WITH mine AS MATERIALIZED (
        SELECT id FROM run WHERE id = ANY (held) AND owner = worker
         ORDER BY id FOR UPDATE SKIP LOCKED
    )
    UPDATE run SET wake_at = server_now() + lease_micros FROM mine WHERE run.id = mine.id
    RETURNING run.id
$$;

-- Name what was posted to of a worker's runs, and claim what is due. The kind is 'rung' or
-- 'claimed'. Claims are dealt out as the function `deal` in `journal/claiming.py` says: of each
-- plan in turn its share, up to its room, the longest due first. A run that was claimed
-- `together_max` times without progress may have killed those who took it; it is claimed alone, in
-- its turn. What a transaction of somebody else holds locked is left for the next time.
CREATE FUNCTION lease(
    worker text, plans text[], rooms bigint[], runs_max bigint, caller_now bigint,
    lease_micros bigint, together_max bigint
) RETURNS TABLE (kind text, run_id text, run_epoch bigint, run_plan text, run_claims bigint)
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
    present CONSTANT bigint := server_now();
    remaining bigint := runs_max;
    hungry bigint[] := ARRAY(
        SELECT n FROM unnest(rooms) WITH ORDINALITY AS given (room, n) WHERE room > 0 ORDER BY n
    );
    still_hungry bigint[];
    i bigint;
    share bigint;
    wanted bigint;
    dealt text[];
    suspect bigint;
    taken bigint;
BEGIN
    RETURN QUERY
    SELECT 'rung', id, epoch, fingerprint, claims FROM run
     WHERE owner = worker AND owner IS NOT NULL AND inbox_taken < inbox_head ORDER BY id;
    WHILE remaining > 0 AND cardinality(hungry) > 0 LOOP
        share := greatest(1, remaining / cardinality(hungry));
        still_hungry := '{}';
        FOREACH i IN ARRAY hungry LOOP
            wanted := least(share, rooms[i], remaining);
            EXIT WHEN wanted = 0;
            -- A LIMIT that is evaluated twice would lock more rows than were asked for.
            WITH due AS MATERIALIZED (
                SELECT id, claims, wake_at FROM run
                 WHERE fingerprint = plans[i] AND wake_at IS NOT NULL
                   AND wake_at <= greatest(caller_now, present)
                   AND wake_at <= CASE WHEN owner IS NULL THEN caller_now ELSE present END
                 ORDER BY wake_at, id LIMIT wanted
                   FOR UPDATE SKIP LOCKED
            ), placed AS (
                SELECT id, claims, row_number() OVER (ORDER BY wake_at, id) AS place FROM due
            )
            SELECT coalesce(array_agg(id ORDER BY place), '{}'),
                   min(place) FILTER (WHERE claims >= together_max)
              INTO dealt, suspect FROM placed;
            taken := cardinality(dealt);
            IF suspect IS NOT NULL THEN
                IF suspect > 1 OR remaining < runs_max THEN
                    dealt := dealt[:suspect - 1];
                ELSE
                    dealt := dealt[:1];
                END IF;
            END IF;
            RETURN QUERY
            WITH held_before AS MATERIALIZED (
                SELECT id, owner FROM run WHERE id = ANY (dealt)
            ), lost AS (
                INSERT INTO lost_worker (id)
                SELECT DISTINCT owner FROM held_before WHERE owner IS NOT NULL AND owner <> worker
                    ON CONFLICT DO NOTHING
            )
            UPDATE run
               SET epoch = run.epoch + 1, claims = run.claims + 1, owner = worker,
                   wake_at = present + lease_micros
              FROM held_before WHERE run.id = held_before.id
            RETURNING 'claimed', run.id, run.epoch, run.fingerprint, run.claims;
            IF suspect IS NOT NULL THEN
                RETURN;
            END IF;
            remaining := remaining - taken;
            rooms[i] := rooms[i] - taken;
            IF taken = wanted AND rooms[i] > 0 THEN
                still_hungry := still_hungry || i;
            END IF;
        END LOOP;
        hungry := still_hungry;
    END LOOP;
END $$;

-- Say which of these runs move no more by themselves: they ended, are parked, or are not there.
CREATE FUNCTION settled(asked text[]) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
    SELECT given.id FROM unnest(asked) AS given (id) LEFT JOIN run ON run.id = given.id
     WHERE run.id IS NULL OR run.ended_at IS NOT NULL OR run.status = 'parked'
$$;

-- Remove the history of ended runs that nobody holds and nothing wakes; return how many. What is
-- left of a run with a key tells nothing of its subject.
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
           AND wake_at IS NULL
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
