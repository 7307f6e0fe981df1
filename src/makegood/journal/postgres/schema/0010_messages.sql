-- What was published, kept as long as a second one of its name is known by it.
CREATE TABLE message (
    seq          bigint  NOT NULL PRIMARY KEY,
    tenant       text    COLLATE "C" NOT NULL,
    source       text    COLLATE "C" NOT NULL,
    id           text    COLLATE "C" NOT NULL,
    type         text    COLLATE "C" NOT NULL,
    version      bigint  NOT NULL,
    key          text    COLLATE "C",
    correlation  text    COLLATE "C" NOT NULL,
    causation    text    COLLATE "C",
    traceparent  text    COLLATE "C",
    subject      text    COLLATE "C",
    -- A JSON array of names and values.
    headers      text,
    at           bigint  NOT NULL,
    not_before   bigint,
    stored_at    bigint  NOT NULL,
    -- How many recipients it had when it was stored.
    heard        integer NOT NULL,
    erased_at    bigint,
    body         bytea   NOT NULL
);

CREATE UNIQUE INDEX message_named ON message (source, id, tenant);
CREATE INDEX message_by_correlation ON message (correlation, seq);
CREATE INDEX message_by_key ON message (key, tenant, seq) WHERE key IS NOT NULL;
CREATE INDEX message_by_subject ON message (subject, seq) WHERE subject IS NOT NULL;
CREATE INDEX message_unheard ON message (seq) WHERE heard = 0;

CREATE SEQUENCE message_seq;
CREATE SEQUENCE lane_epoch;

-- Who wants every message of a type.
CREATE TABLE subscription (
    type       text   COLLATE "C" NOT NULL,
    recipient  text   COLLATE "C" NOT NULL,
    since      bigint NOT NULL,
    seen_at    bigint NOT NULL,
    PRIMARY KEY (type, recipient)
);

-- One message for one recipient.
CREATE TABLE delivery (
    seq         bigint  NOT NULL,
    recipient   text    COLLATE "C" NOT NULL,
    lane        text    COLLATE "C" NOT NULL,
    state       text    COLLATE "C" NOT NULL,
    attempts    bigint  NOT NULL DEFAULT 0,
    -- How often a person has sent it again.
    sending     bigint  NOT NULL DEFAULT 0,
    due_at      bigint  NOT NULL,
    -- Under which lease it was handled last: what is sent again because its answer was lost is told
    -- by it.
    epoch       bigint,
    -- Whether its lane waits until a person has decided on it.
    blocks      boolean NOT NULL DEFAULT false,
    reason      text    COLLATE "C",
    error       text    NOT NULL DEFAULT '',
    fault       text    COLLATE "C" NOT NULL DEFAULT '',
    failed_at   bigint,
    done_at     bigint,
    actor       text,
    because     text,
    ordered_at  bigint,
    PRIMARY KEY (seq, recipient)
)
WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX delivery_due ON delivery (recipient, lane, seq) WHERE state = 'due';
CREATE INDEX delivery_later ON delivery (due_at) WHERE state = 'later';
CREATE INDEX delivery_dead ON delivery (seq, recipient) WHERE state = 'dead';
CREATE INDEX delivery_dead_of ON delivery (recipient, seq) WHERE state = 'dead';

-- What a recipient is to be given of one key: there while something of it is due, or while a dead
-- letter blocks it. This is what is leased. Whoever changes what is due in a lane holds its row
-- locked, in the order of recipients and lanes, and what is due in it is looked at by a later
-- statement: so nobody takes away a lane in which somebody else puts something.
CREATE TABLE lane (
    recipient   text   COLLATE "C" NOT NULL,
    lane        text   COLLATE "C" NOT NULL,
    -- When a worker that does not hold it may take it: while it is held the end of the lease, by
    -- the server's clock, and none while a dead letter blocks it.
    due_at      bigint,
    owner       text   COLLATE "C",
    -- Negative where the row is there only to be locked.
    epoch       bigint NOT NULL DEFAULT 0,
    claims      bigint NOT NULL DEFAULT 0,
    blocked_by  bigint,
    PRIMARY KEY (recipient, lane)
)
-- Rows leave soon after they came, and the one that is due is looked for again and again.
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

CREATE INDEX lane_due ON lane (recipient, due_at, lane) WHERE due_at IS NOT NULL;

-- Write what was finished and what was published, in one round trip.
--
-- Of what was finished there is one row a lane, and in arrays of their own what was handled and what
-- is sent on; `handled_of` and `message_of` say by its number, from 1, to which it belongs. What is
-- simply published belongs to 0. `fitting` names what was finished under a lease that holds; of all
-- others nothing is written. `seqs` has the number of every message in the order given, `fresh` says
-- which of them was stored now, and the last two arrays who subscribes to the types that there are.
CREATE FUNCTION work_messages(
    recipients text[], lanes text[], workers text[], epochs bigint[], ats bigint[],
    releases boolean[], blocking bigint[],
    handled_of bigint[], handled_recipients text[], handled_lanes text[], handled_seqs bigint[],
    states text[], attempts bigint[], due_ats bigint[], reasons text[], errors text[],
    faults text[], blocks boolean[],
    message_of bigint[], tenants text[], sources text[], ids text[], types text[],
    versions bigint[], keys text[], correlations text[], causations text[], traceparents text[],
    subjects text[], headers text[], message_ats bigint[], not_befores bigint[],
    stored_ats bigint[], message_lanes text[], letter_recipients text[], letter_reasons text[],
    letter_errors text[], bodies bytea[],
    OUT fitting bigint[], OUT seqs bigint[], OUT fresh boolean[], OUT heard_types text[],
    OUT heard_by text[]
) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET enable_material = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    known bigint[];
    unfit bigint[];
    stored bigint[];
    is_guarded boolean := false;
BEGIN
    fitting := '{}';
    IF cardinality(message_of) > 0 THEN
        SELECT array_agg((SELECT message.seq FROM message
                           WHERE message.source = given.source AND message.id = given.id
                             AND message.tenant = given.tenant) ORDER BY given.n)
          INTO known
          FROM unnest(sources, ids, tenants) WITH ORDINALITY AS given (source, id, tenant, n);
        SELECT coalesce(array_agg(type), '{}'), coalesce(array_agg(recipient), '{}')
          INTO heard_types, heard_by
          FROM (SELECT subscription.type, subscription.recipient
                  FROM (SELECT DISTINCT unnest(types)) AS named (type)
                  JOIN subscription ON subscription.type = named.type
                 ORDER BY 1, 2) AS heard;
    END IF;

    -- Every lane that is finished or that gets something, locked in one order. A row that is there
    -- only because another one was gone between looking and locking is taken away at the end.
    WITH wanted AS MATERIALIZED (
        SELECT recipient, lane, NULL::bigint AS due_at
          FROM unnest(recipients, lanes) AS finished (recipient, lane)
         WHERE EXISTS (SELECT FROM lane AS there WHERE there.recipient = finished.recipient
                                                   AND there.lane = finished.lane)
         UNION ALL
        SELECT subscription.recipient, given.lane, given.stored_at
          FROM unnest(types, message_lanes, stored_ats, not_befores, known)
               AS given (type, lane, stored_at, not_before, known)
          JOIN subscription ON subscription.type = given.type
         WHERE given.known IS NULL AND coalesce(given.not_before <= given.stored_at, true)
    )
    INSERT INTO lane (recipient, lane, due_at, epoch)
    SELECT recipient, lane, min(due_at), CASE WHEN min(due_at) IS NULL THEN -1 ELSE 0 END
      FROM wanted GROUP BY recipient, lane ORDER BY recipient, lane
        ON CONFLICT (recipient, lane) DO UPDATE SET due_at = lane.due_at WHERE false;

    IF cardinality(recipients) > 0 THEN
        SELECT array_agg(DISTINCT given.of) INTO unfit
          FROM unnest(handled_of, handled_recipients, handled_lanes, handled_seqs)
               AS given (of, recipient, lane, seq)
         WHERE NOT EXISTS (SELECT FROM delivery
                            WHERE delivery.seq = given.seq
                              AND delivery.recipient = given.recipient
                              AND delivery.lane = given.lane AND delivery.state = 'due');
        SELECT coalesce(array_agg(given.n), '{}') INTO fitting
          FROM unnest(recipients, lanes, workers, epochs) WITH ORDINALITY
               AS given (recipient, lane, worker, epoch, n)
          JOIN lane ON lane.recipient = given.recipient AND lane.lane = given.lane
         WHERE lane.owner = given.worker AND lane.epoch = given.epoch
           AND (unfit IS NULL OR given.n <> ALL (unfit));
        UPDATE delivery
           SET state = given.state, attempts = delivery.attempts + given.attempts,
               due_at = coalesce(given.due_at, delivery.due_at),
               reason = coalesce(given.reason, delivery.reason),
               error = coalesce(given.error, delivery.error),
               fault = coalesce(given.fault, delivery.fault),
               blocks = given.blocks,
               failed_at = CASE WHEN given.state = 'done' THEN delivery.failed_at ELSE given.at END,
               done_at = CASE WHEN given.state = 'done' THEN given.at END,
               epoch = given.epoch
          FROM (SELECT handled.*, ats[handled.of] AS at, epochs[handled.of] AS epoch
                  FROM unnest(handled_of, handled_recipients, handled_seqs, states, attempts,
                              due_ats, reasons, errors, faults, blocks)
                       AS handled (of, recipient, seq, state, attempts, due_at, reason, error,
                                   fault, blocks)
                 WHERE handled.of = ANY (fitting)) AS given
         WHERE delivery.seq = given.seq AND delivery.recipient = given.recipient;
    END IF;

    IF cardinality(message_of) > 0 THEN
        -- Numbers are given in the order of the messages, and names taken in that of the names, so
        -- that two who publish the same ones wait for each other only one way round.
        SELECT array_agg(CASE WHEN given.known IS NULL AND (of = 0 OR of = ANY (fitting))
                              THEN nextval('message_seq') END ORDER BY n)
          INTO seqs
          FROM (SELECT * FROM unnest(message_of, known) WITH ORDINALITY AS each (of, known, n)
                 ORDER BY n) AS given;
        WITH taken AS (
            INSERT INTO message (seq, tenant, source, id, type, version, key, correlation,
                   causation, traceparent, subject, headers, at, not_before, stored_at, heard,
                   body)
            SELECT given.*
              FROM (SELECT seq, tenant, source, id, type, version, key, correlation, causation,
                           traceparent, subject, header, at, not_before, stored_at,
                           (letter_recipient IS NOT NULL)::int
                           + (SELECT count(*) FROM subscription
                               WHERE subscription.type = each.type), body
                      FROM unnest(seqs, tenants, sources, ids, types, versions, keys,
                                  correlations, causations, traceparents, subjects, headers,
                                  message_ats, not_befores, stored_ats, letter_recipients, bodies)
                           AS each (seq, tenant, source, id, type, version, key, correlation,
                                    causation, traceparent, subject, header, at, not_before,
                                    stored_at, letter_recipient, body)
                     WHERE seq IS NOT NULL ORDER BY source, id, tenant, seq) AS given
                ON CONFLICT (source, id, tenant) DO NOTHING
            RETURNING seq
        )
        SELECT coalesce(array_agg(seq), '{}') INTO stored FROM taken;
        INSERT INTO delivery (seq, recipient, lane, state, due_at, reason, error, failed_at)
        SELECT given.seq, subscription.recipient, given.lane,
               CASE WHEN given.not_before > given.stored_at THEN 'later' ELSE 'due' END,
               greatest(given.not_before, given.stored_at), NULL, '', NULL
          FROM unnest(seqs, types, message_lanes, not_befores, stored_ats)
               AS given (seq, type, lane, not_before, stored_at)
          JOIN subscription ON subscription.type = given.type
         WHERE given.seq = ANY (stored)
         UNION ALL
        SELECT seq, recipient, lane, 'dead', stored_at, reason, error, stored_at
          FROM unnest(seqs, letter_recipients, message_lanes, stored_ats, letter_reasons,
                      letter_errors) AS given (seq, recipient, lane, stored_at, reason, error)
         WHERE recipient IS NOT NULL AND seq = ANY (stored);
        SELECT array_agg(coalesce(seq = ANY (stored), false) ORDER BY n) INTO fresh
          FROM unnest(seqs) WITH ORDINALITY AS given (seq, n);
        IF false = ANY (fresh) THEN
            SELECT array_agg(CASE WHEN is_fresh THEN seq ELSE coalesce(given.known, (
                       SELECT message.seq FROM message
                        WHERE message.source = given.source AND message.id = given.id
                          AND message.tenant = given.tenant)) END ORDER BY n)
              INTO seqs
              FROM unnest(seqs, fresh, known, sources, ids, tenants) WITH ORDINALITY
                   AS given (seq, is_fresh, known, source, id, tenant, n);
            -- Where a standby is waited for, what was known is there too before anybody is told.
            PERFORM FROM message
              WHERE seq = ANY (seqs) AND seq <> ALL (stored)
                AND current_setting('synchronous_standby_names') <> ''
              ORDER BY seq FOR KEY SHARE;
            is_guarded := true;
        END IF;
    END IF;

    IF cardinality(recipients) > 0 THEN
        DELETE FROM lane
         USING unnest(recipients, lanes, releases, blocking) WITH ORDINALITY
               AS given (recipient, lane, release, blocking, n)
         WHERE lane.recipient = given.recipient AND lane.lane = given.lane
           AND lane.blocked_by IS NULL
           AND (lane.epoch < 0
                OR given.release AND given.blocking IS NULL AND given.n = ANY (fitting))
           AND NOT EXISTS (SELECT FROM delivery
                            WHERE delivery.recipient = given.recipient
                              AND delivery.lane = given.lane AND delivery.state = 'due');
        -- A lane in which something is left stands behind all that are due now.
        UPDATE lane
           SET owner = CASE WHEN NOT given.release THEN lane.owner END,
               claims = CASE WHEN given.n = ANY (handled_of) THEN 0 ELSE lane.claims END,
               blocked_by = coalesce(given.blocking, lane.blocked_by),
               due_at = CASE WHEN NOT given.release THEN lane.due_at
                             WHEN coalesce(given.blocking, lane.blocked_by) IS NULL
                             THEN greatest(given.at, (SELECT delivery.due_at FROM delivery
                                                       WHERE delivery.recipient = given.recipient
                                                         AND delivery.lane = given.lane
                                                         AND delivery.state = 'due'
                                                       ORDER BY delivery.seq LIMIT 1)) END
          FROM unnest(recipients, lanes, ats, releases, blocking) WITH ORDINALITY
               AS given (recipient, lane, at, release, blocking, n)
         WHERE given.n = ANY (fitting)
           AND lane.recipient = given.recipient AND lane.lane = given.lane;
        is_guarded := is_guarded OR cardinality(fitting) < cardinality(recipients);
    END IF;

    IF is_guarded THEN
        -- Lanes were locked for messages that were known, or that belong to what does not fit.
        DELETE FROM lane
         USING (SELECT DISTINCT subscription.recipient, given.lane
                  FROM unnest(types, message_lanes) AS given (type, lane)
                  JOIN subscription ON subscription.type = given.type) AS given
         WHERE lane.recipient = given.recipient AND lane.lane = given.lane
           AND lane.blocked_by IS NULL AND lane.owner IS NULL
           AND NOT EXISTS (SELECT FROM delivery
                            WHERE delivery.recipient = given.recipient
                              AND delivery.lane = given.lane AND delivery.state = 'due');
    END IF;
END $$;

-- Say of what does not fit whether it was written before: then every delivery of it knows the lease.
-- Where a standby is waited for, to lock those rows is to wait until they are there too.
CREATE FUNCTION were_written(
    handled_of bigint[], handled_recipients text[], handled_seqs bigint[], handled_epochs bigint[]
) RETURNS SETOF bigint LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM FROM delivery
       JOIN unnest(handled_recipients, handled_seqs) AS given (recipient, seq)
         ON delivery.seq = given.seq AND delivery.recipient = given.recipient
      WHERE current_setting('synchronous_standby_names') <> ''
      ORDER BY delivery.seq, delivery.recipient FOR KEY SHARE OF delivery;
    RETURN QUERY
    SELECT given.of
      FROM unnest(handled_of, handled_recipients, handled_seqs, handled_epochs)
           AS given (of, recipient, seq, epoch)
      LEFT JOIN delivery ON delivery.seq = given.seq AND delivery.recipient = given.recipient
     GROUP BY given.of HAVING bool_and(coalesce(delivery.epoch = given.epoch, false));
END $$;

-- Give deliveries whose time has come their places in their lanes.
CREATE FUNCTION promote(caller_now bigint, deliveries_max bigint) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    come_seqs bigint[];
    come_recipients text[];
    come_lanes text[];
    come_due_ats bigint[];
BEGIN
    SELECT array_agg(seq), array_agg(recipient), array_agg(lane), array_agg(due_at)
      INTO come_seqs, come_recipients, come_lanes, come_due_ats
      FROM (SELECT seq, recipient, lane, due_at FROM delivery
             WHERE state = 'later' AND due_at <= caller_now
             ORDER BY due_at LIMIT deliveries_max FOR UPDATE SKIP LOCKED) AS come;
    IF come_seqs IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO lane (recipient, lane, due_at)
    SELECT recipient, lane, min(due_at)
      FROM unnest(come_recipients, come_lanes, come_due_ats) AS come (recipient, lane, due_at)
     GROUP BY recipient, lane ORDER BY recipient, lane
        ON CONFLICT (recipient, lane) DO UPDATE SET due_at = lane.due_at WHERE false;
    UPDATE delivery SET state = 'due'
      FROM unnest(come_seqs, come_recipients) AS come (seq, recipient)
     WHERE delivery.seq = come.seq AND delivery.recipient = come.recipient;
    UPDATE lane SET due_at = least(lane.due_at, come.due_at)
      FROM unnest(come_seqs, come_recipients, come_lanes, come_due_ats)
           AS come (seq, recipient, lane, due_at)
     WHERE lane.recipient = come.recipient AND lane.lane = come.lane
       AND lane.owner IS NULL AND lane.due_at IS NOT NULL
       AND come.seq = (SELECT delivery.seq FROM delivery
                        WHERE delivery.recipient = come.recipient AND delivery.lane = come.lane
                          AND delivery.state = 'due' ORDER BY delivery.seq LIMIT 1);
END $$;

-- Lease lanes that are due, dealt out among recipients as the function `lease` deals runs out among
-- plans, and return the oldest of what is due in each, with its message.
CREATE FUNCTION take_lanes(
    worker text, recipients text[], rooms bigint[], lanes_max bigint, per_lane bigint,
    caller_now bigint, lease_micros bigint, together_max bigint, promoted_max bigint
) RETURNS TABLE (
    taken_recipient text, taken_lane text, taken_epoch bigint, taken_claims bigint, due_at bigint,
    seq bigint, attempts bigint, sending bigint, id text, source text, type text, version bigint,
    key text, tenant text, subject text, correlation text, causation text, traceparent text,
    headers text, at bigint, not_before bigint, body bytea
) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET enable_material = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    present CONSTANT bigint := server_now();
    remaining bigint := lanes_max;
    hungry bigint[] := ARRAY(
        SELECT n FROM unnest(rooms) WITH ORDINALITY AS given (room, n) WHERE room > 0 ORDER BY n
    );
    still_hungry bigint[];
    i bigint;
    share bigint;
    wanted bigint;
    dealt text[];
    suspect bigint;
    found bigint;
    new_epoch bigint;
    held_recipients text[] := '{}';
    held_lanes text[] := '{}';
BEGIN
    IF EXISTS (SELECT FROM delivery WHERE state = 'later' AND delivery.due_at <= caller_now) THEN
        PERFORM promote(caller_now, promoted_max);
    END IF;
    WHILE remaining > 0 AND cardinality(hungry) > 0 LOOP
        share := greatest(1, remaining / cardinality(hungry));
        still_hungry := '{}';
        FOREACH i IN ARRAY hungry LOOP
            wanted := least(share, rooms[i], remaining);
            EXIT WHEN wanted = 0;
            -- What was taken in an earlier round is not due any more.
            WITH due AS MATERIALIZED (
                SELECT lane.lane, lane.claims, lane.due_at FROM lane
                 WHERE lane.recipient = recipients[i] AND lane.due_at IS NOT NULL
                   AND lane.due_at <= greatest(caller_now, present)
                   AND lane.due_at <= CASE WHEN lane.owner IS NULL THEN caller_now
                                           ELSE present END
                   AND lane.epoch >= 0
                 ORDER BY lane.due_at, lane.lane LIMIT wanted
                   FOR UPDATE SKIP LOCKED
            ), placed AS (
                SELECT lane, claims, row_number() OVER (ORDER BY due_at, lane) AS place FROM due
            )
            SELECT coalesce(array_agg(lane ORDER BY place), '{}'),
                   min(place) FILTER (WHERE claims >= together_max)
              INTO dealt, suspect FROM placed;
            found := cardinality(dealt);
            IF suspect IS NOT NULL THEN
                IF suspect > 1 OR remaining < lanes_max THEN
                    dealt := dealt[:suspect - 1];
                ELSE
                    dealt := dealt[:1];
                END IF;
            END IF;
            IF cardinality(dealt) > 0 THEN
                new_epoch := coalesce(new_epoch, nextval('lane_epoch'));
                INSERT INTO lost_worker (id)
                SELECT DISTINCT lane.owner FROM lane
                 WHERE lane.recipient = recipients[i] AND lane.lane = ANY (dealt)
                   AND lane.owner IS NOT NULL AND lane.owner <> worker
                    ON CONFLICT DO NOTHING;
                UPDATE lane
                   SET epoch = new_epoch, claims = lane.claims + 1, owner = worker,
                       due_at = present + lease_micros
                 WHERE lane.recipient = recipients[i] AND lane.lane = ANY (dealt);
                held_recipients := held_recipients
                                   || array_fill(recipients[i], ARRAY[cardinality(dealt)]);
                held_lanes := held_lanes || dealt;
            END IF;
            IF suspect IS NOT NULL THEN
                still_hungry := '{}';
                remaining := 0;
                EXIT;
            END IF;
            remaining := remaining - found;
            rooms[i] := rooms[i] - found;
            IF found = wanted AND rooms[i] > 0 THEN
                still_hungry := still_hungry || i;
            END IF;
        END LOOP;
        hungry := still_hungry;
    END LOOP;
    RETURN QUERY
    SELECT held.recipient, held.lane, lane.epoch, lane.claims, oldest.due_at, oldest.seq,
           oldest.attempts, oldest.sending, message.id, message.source, message.type,
           message.version, message.key, message.tenant, message.subject, message.correlation,
           message.causation, message.traceparent, message.headers, message.at,
           message.not_before, message.body
      FROM unnest(held_recipients, held_lanes) WITH ORDINALITY AS held (recipient, lane, n)
      JOIN lane ON lane.recipient = held.recipient AND lane.lane = held.lane
      LEFT JOIN LATERAL (
               SELECT delivery.seq, delivery.due_at, delivery.attempts, delivery.sending
                 FROM delivery
                WHERE delivery.recipient = held.recipient AND delivery.lane = held.lane
                  AND delivery.state = 'due'
                ORDER BY delivery.seq LIMIT per_lane) AS oldest ON true
      LEFT JOIN message ON message.seq = oldest.seq
     ORDER BY held.n, oldest.seq;
END $$;

-- Extend the leases of lanes that a worker holds; return those that were extended. What a
-- transaction of somebody else holds locked is left for the next time: nobody waits here.
CREATE FUNCTION renew_lanes(worker text, recipients text[], lanes text[], lease_micros bigint)
RETURNS TABLE (recipient text, lane text) LANGUAGE sql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
    WITH mine AS MATERIALIZED (
        SELECT held.recipient, held.lane FROM lane AS held
          JOIN unnest(recipients, lanes) AS given (recipient, lane)
            ON held.recipient = given.recipient AND held.lane = given.lane
         WHERE held.owner = worker
         ORDER BY 1, 2 FOR UPDATE OF held SKIP LOCKED
    )
    UPDATE lane AS held SET due_at = server_now() + lease_micros FROM mine
     WHERE held.recipient = mine.recipient AND held.lane = mine.lane
    RETURNING held.recipient, held.lane
$$;

-- Give held lanes back, due as soon as what stands first in them, as if they had not been taken.
CREATE FUNCTION release_lanes(worker text, recipients text[], lanes text[], caller_now bigint)
RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM lane JOIN unnest(recipients, lanes) AS given (recipient, lane)
              ON lane.recipient = given.recipient AND lane.lane = given.lane
      WHERE lane.owner = worker ORDER BY lane.recipient, lane.lane FOR UPDATE OF lane;
    UPDATE lane
       SET owner = NULL, claims = greatest(lane.claims - 1, 0),
           due_at = greatest(caller_now, (SELECT delivery.due_at FROM delivery
                                           WHERE delivery.recipient = given.recipient
                                             AND delivery.lane = given.lane
                                             AND delivery.state = 'due'
                                           ORDER BY delivery.seq LIMIT 1))
      FROM unnest(recipients, lanes) AS given (recipient, lane)
     WHERE lane.recipient = given.recipient AND lane.lane = given.lane AND lane.owner = worker;
END $$;

-- Make dead letters due again where their numbers place them, or put them away; return how many.
CREATE FUNCTION move_letters(
    seqs bigint[], recipients text[], again boolean, actor text, because text, at bigint
) RETURNS TABLE (seq bigint, recipient text) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    named_lanes text[];
    moved_seqs bigint[];
    moved_recipients text[];
    moved_lanes text[];
BEGIN
    SELECT array_agg(delivery.lane ORDER BY given.n) INTO named_lanes
      FROM unnest(seqs, recipients) WITH ORDINALITY AS given (seq, recipient, n)
      LEFT JOIN delivery ON delivery.seq = given.seq AND delivery.recipient = given.recipient;
    -- A row that is there only to be locked is taken away at the end.
    INSERT INTO lane (recipient, lane, due_at)
    SELECT DISTINCT given.recipient, given.lane, move_letters.at
      FROM unnest(recipients, named_lanes) AS given (recipient, lane)
     WHERE given.lane IS NOT NULL ORDER BY 1, 2
        ON CONFLICT (recipient, lane) DO UPDATE SET due_at = lane.due_at WHERE false;
    WITH moved AS (
        UPDATE delivery
           SET state = CASE WHEN again THEN 'due' ELSE 'discarded' END,
               attempts = CASE WHEN again THEN 0 ELSE delivery.attempts END,
               sending = delivery.sending + again::int,
               due_at = CASE WHEN again THEN move_letters.at ELSE delivery.due_at END,
               blocks = false, actor = move_letters.actor, because = move_letters.because,
               ordered_at = move_letters.at
          FROM unnest(seqs, recipients) AS given (seq, recipient)
         WHERE delivery.seq = given.seq AND delivery.recipient = given.recipient
           AND delivery.state = 'dead'
        RETURNING delivery.seq, delivery.recipient, delivery.lane
    )
    SELECT coalesce(array_agg(moved.seq ORDER BY moved.seq, moved.recipient), '{}'),
           coalesce(array_agg(moved.recipient ORDER BY moved.seq, moved.recipient), '{}'),
           coalesce(array_agg(moved.lane ORDER BY moved.seq, moved.recipient), '{}')
      INTO moved_seqs, moved_recipients, moved_lanes FROM moved;
    UPDATE lane
       SET due_at = CASE WHEN lane.blocked_by = ANY (moved.seqs)
                         THEN greatest(move_letters.at, first.due_at)
                         WHEN again AND first.seq = ANY (moved.seqs)
                         THEN least(lane.due_at, move_letters.at)
                         ELSE lane.due_at END,
           blocked_by = CASE WHEN lane.blocked_by <> ALL (moved.seqs) THEN lane.blocked_by END
      FROM (SELECT recipient, lane, array_agg(seq) AS seqs
              FROM unnest(moved_seqs, moved_recipients, moved_lanes)
                   AS each (seq, recipient, lane)
             GROUP BY recipient, lane) AS moved
      LEFT JOIN LATERAL (
               SELECT delivery.seq, delivery.due_at FROM delivery
                WHERE delivery.recipient = moved.recipient AND delivery.lane = moved.lane
                  AND delivery.state = 'due' ORDER BY delivery.seq LIMIT 1) AS first ON true
     WHERE lane.recipient = moved.recipient AND lane.lane = moved.lane AND lane.owner IS NULL
       AND (lane.blocked_by IS NULL OR lane.blocked_by = ANY (moved.seqs));
    DELETE FROM lane USING unnest(recipients, named_lanes) AS given (recipient, lane)
     WHERE lane.recipient = given.recipient AND lane.lane = given.lane
       AND lane.owner IS NULL AND lane.blocked_by IS NULL
       AND NOT EXISTS (SELECT FROM delivery
                        WHERE delivery.recipient = given.recipient
                          AND delivery.lane = given.lane AND delivery.state = 'due');
    RETURN QUERY SELECT * FROM unnest(moved_seqs, moved_recipients);
END $$;

-- Forget old messages that nobody is to be given, among those behind a number. Return how many, and
-- where to go on.
CREATE FUNCTION prune_messages(
    before bigint, dead_before bigint, looked_at_max bigint, behind bigint,
    OUT forgotten bigint, OUT next bigint
) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    old bigint[];
    looked_at bigint;
    last_one bigint;
    over bigint[];
BEGIN
    SELECT coalesce(array_agg(seq) FILTER (WHERE stored_at < before), '{}'), count(*), max(seq)
      INTO old, looked_at, last_one
      FROM (SELECT seq, stored_at FROM message WHERE seq > behind
             ORDER BY seq LIMIT looked_at_max) AS each;
    SELECT coalesce(array_agg(given.seq), '{}') INTO over
      FROM unnest(old) AS given (seq)
     WHERE NOT EXISTS (SELECT FROM delivery
                        WHERE delivery.seq = given.seq
                          AND (state IN ('due', 'later')
                               OR state = 'dead' AND (blocks OR failed_at >= dead_before)));
    -- What somebody sends again at this moment stays.
    DELETE FROM delivery WHERE seq = ANY (over) AND state NOT IN ('due', 'later');
    DELETE FROM message
     WHERE seq = ANY (over) AND NOT EXISTS (SELECT FROM delivery WHERE delivery.seq = message.seq);
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    next := CASE WHEN looked_at = looked_at_max AND cardinality(old) > 0 THEN last_one END;
END $$;

-- Take what was written into these messages out of them; dead letters of theirs are put away.
-- Return how many were still to be handled by nobody, and so were erased.
CREATE FUNCTION erase_messages(seqs bigint[], actor text, because text, at bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    dead_seqs bigint[];
    dead_recipients text[];
    erased bigint;
BEGIN
    SELECT array_agg(delivery.seq), array_agg(delivery.recipient)
      INTO dead_seqs, dead_recipients
      FROM delivery WHERE delivery.seq = ANY (seqs) AND delivery.state = 'dead';
    IF dead_seqs IS NOT NULL THEN
        PERFORM move_letters(dead_seqs, dead_recipients, false, actor, because, at);
    END IF;
    UPDATE message SET body = '', headers = NULL, subject = NULL, erased_at = erase_messages.at
     WHERE message.seq = ANY (seqs)
       AND NOT EXISTS (SELECT FROM delivery
                        WHERE delivery.seq = message.seq AND delivery.state IN ('due', 'later'));
    GET DIAGNOSTICS erased = ROW_COUNT;
    UPDATE delivery SET error = ''
      FROM message
     WHERE delivery.seq = ANY (seqs) AND message.seq = delivery.seq
       AND message.erased_at IS NOT NULL;
    RETURN erased;
END $$;
