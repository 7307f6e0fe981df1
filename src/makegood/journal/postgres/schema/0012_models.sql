-- Editions of read models: each is one building of its rows, and a recipient of its own.
CREATE TABLE edition (
    model       text    COLLATE "C" NOT NULL,
    number      bigint  NOT NULL,
    fingerprint text    COLLATE "C" NOT NULL,
    types       text[]  NOT NULL,
    state       text    COLLATE "C" NOT NULL,
    -- The number of the last message that was stored before it began, and up to which it was given
    -- those.
    until       bigint  NOT NULL,
    filled      bigint  NOT NULL,
    begun_at    bigint  NOT NULL,
    seen_at     bigint  NOT NULL,
    actor       text    NOT NULL,
    because     text    NOT NULL,
    PRIMARY KEY (model, number)
);

-- What stands in a row, as JSON; nothing where it was removed, or never came to anything.
CREATE TABLE model_row (
    recipient   text    COLLATE "C" NOT NULL,
    tenant      text    COLLATE "C" NOT NULL,
    key         text    COLLATE "C" NOT NULL,
    body        bytea,
    -- The last message that was folded into it.
    seq         bigint  NOT NULL,
    revision    bigint  NOT NULL,
    PRIMARY KEY (recipient, tenant, key)
)
WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX model_row_of_key ON model_row (key, tenant);

-- Only editions of read models are found by what they were given.
CREATE INDEX delivery_of_model ON delivery (recipient, seq)
    WHERE recipient >= 'model:' AND recipient < 'model;';

-- Write rows of an edition over the revisions that were read; return how many had these. Rows are
-- locked in one order, so that two who write the same ones wait for each other only one way round.
CREATE FUNCTION fold_rows(
    edition_recipient text, tenants text[], keys text[], bodies bytea[], seqs bigint[],
    revisions bigint[], OUT written bigint
) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
    changed bigint;
BEGIN
    PERFORM FROM model_row
       JOIN unnest(tenants, keys) AS given (tenant, key)
         ON model_row.tenant = given.tenant AND model_row.key = given.key
      WHERE model_row.recipient = edition_recipient
      ORDER BY model_row.tenant, model_row.key FOR UPDATE OF model_row;
    UPDATE model_row SET body = given.body, seq = given.seq, revision = model_row.revision + 1
      FROM unnest(tenants, keys, bodies, seqs, revisions)
           AS given (tenant, key, body, seq, revision)
     WHERE model_row.recipient = edition_recipient AND model_row.tenant = given.tenant
       AND model_row.key = given.key AND model_row.revision = given.revision;
    GET DIAGNOSTICS written = ROW_COUNT;
    INSERT INTO model_row (recipient, tenant, key, body, seq, revision)
    SELECT edition_recipient, given.tenant, given.key, given.body, given.seq, 1
      FROM unnest(tenants, keys, bodies, seqs, revisions)
           AS given (tenant, key, body, seq, revision)
     WHERE given.revision = 0 ORDER BY given.tenant, given.key
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS changed = ROW_COUNT;
    written := written + changed;
END $$;

-- As before, but that a message is kept which a read model was made of.
CREATE OR REPLACE FUNCTION prune_messages(
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
                               OR recipient >= 'model:' AND recipient < 'model;'
                               OR state = 'dead' AND (blocks OR failed_at >= dead_before)));
    -- What somebody sends again at this moment stays.
    DELETE FROM delivery
     WHERE seq = ANY (over) AND state NOT IN ('due', 'later')
       AND NOT (recipient >= 'model:' AND recipient < 'model;');
    DELETE FROM message
     WHERE seq = ANY (over) AND NOT EXISTS (SELECT FROM delivery WHERE delivery.seq = message.seq);
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    next := CASE WHEN looked_at = looked_at_max AND cardinality(old) > 0 THEN last_one END;
END $$;

-- As before, and the rows of read models that have the keys of what is erased are emptied too.
CREATE OR REPLACE FUNCTION erase_messages(seqs bigint[], actor text, because text, at bigint) RETURNS bigint
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
    UPDATE model_row SET body = NULL, revision = model_row.revision + 1
      FROM message
     WHERE message.seq = ANY (seqs) AND message.erased_at IS NOT NULL
       AND model_row.key = message.key AND model_row.tenant = message.tenant;
    UPDATE delivery SET error = ''
      FROM message
     WHERE delivery.seq = ANY (seqs) AND message.seq = delivery.seq
       AND message.erased_at IS NOT NULL;
    RETURN erased;
END $$;
