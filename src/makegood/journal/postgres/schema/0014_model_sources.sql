-- To which row a message went that was folded, where that is not the row of its own key.
CREATE TABLE model_source (
    recipient   text    COLLATE "C" NOT NULL,
    seq         bigint  NOT NULL,
    key         text    COLLATE "C" NOT NULL,
    PRIMARY KEY (recipient, seq)
);

-- Something that went to the row was erased, and it waits to be folded again from what is left.
ALTER TABLE model_row ADD COLUMN torn boolean NOT NULL DEFAULT false;

CREATE INDEX model_row_torn ON model_row (recipient, tenant, key) WHERE torn;

-- As before, and what is written waits no more to be folded again.
CREATE OR REPLACE FUNCTION fold_rows(
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
    UPDATE model_row
       SET body = given.body, seq = given.seq, revision = model_row.revision + 1, torn = false
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

-- As before, and so are the rows to which what is erased went by another key. They are locked in
-- one order, as by whoever folds.
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
    recipients text[];
    tenants text[];
    keys text[];
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
    SELECT array_agg(each.recipient), array_agg(each.tenant), array_agg(each.key)
      INTO recipients, tenants, keys
      FROM (SELECT model_row.recipient, model_row.tenant, model_row.key
              FROM message
              JOIN model_row ON model_row.key = message.key AND model_row.tenant = message.tenant
             WHERE message.seq = ANY (seqs) AND message.erased_at IS NOT NULL
             UNION
            SELECT source.recipient, message.tenant, source.key
              FROM message
             CROSS JOIN edition
              JOIN model_source AS source
                ON source.recipient = 'model:' || edition.model || '@' || edition.number
               AND source.seq = message.seq
             WHERE message.seq = ANY (seqs) AND message.erased_at IS NOT NULL) AS each;
    PERFORM FROM model_row
       JOIN unnest(recipients, tenants, keys) AS given (recipient, tenant, key)
         ON model_row.recipient = given.recipient AND model_row.tenant = given.tenant
        AND model_row.key = given.key
      ORDER BY model_row.recipient, model_row.tenant, model_row.key FOR UPDATE OF model_row;
    UPDATE model_row SET body = NULL, revision = model_row.revision + 1, torn = true
      FROM unnest(recipients, tenants, keys) AS given (recipient, tenant, key)
     WHERE model_row.recipient = given.recipient AND model_row.tenant = given.tenant
       AND model_row.key = given.key;
    UPDATE delivery SET error = ''
      FROM message
     WHERE delivery.seq = ANY (seqs) AND message.seq = delivery.seq
       AND message.erased_at IS NOT NULL;
    RETURN erased;
END $$;
