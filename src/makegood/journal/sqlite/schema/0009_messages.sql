-- What was published, kept as long as a second one of its name is known by it.
CREATE TABLE makegood_message (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant       TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    key          TEXT,
    correlation  TEXT    NOT NULL,
    causation    TEXT,
    traceparent  TEXT,
    subject      TEXT,
    -- A JSON array of names and values.
    headers      TEXT,
    at           INTEGER NOT NULL,
    not_before   INTEGER,
    stored_at    INTEGER NOT NULL,
    -- How many recipients it had when it was stored.
    heard        INTEGER NOT NULL,
    erased_at    INTEGER,
    body         BLOB    NOT NULL
);

CREATE UNIQUE INDEX makegood_message_named ON makegood_message (source, id, tenant);
CREATE INDEX makegood_message_by_correlation ON makegood_message (correlation);
CREATE INDEX makegood_message_by_key ON makegood_message (key, tenant) WHERE key IS NOT NULL;
CREATE INDEX makegood_message_by_subject ON makegood_message (subject) WHERE subject IS NOT NULL;
CREATE INDEX makegood_message_unheard ON makegood_message (seq) WHERE heard = 0;

-- Who wants every message of a type.
CREATE TABLE makegood_subscription (
    type      TEXT    NOT NULL,
    recipient TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    seen_at   INTEGER NOT NULL,
    PRIMARY KEY (type, recipient)
) WITHOUT ROWID;

-- One message for one recipient.
CREATE TABLE makegood_delivery (
    seq        INTEGER NOT NULL,
    recipient  TEXT    NOT NULL,
    lane       TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    -- How often a person has sent it again.
    sending    INTEGER NOT NULL DEFAULT 0,
    due_at     INTEGER NOT NULL,
    -- Under which lease it was handled last: what is sent again because its answer was lost is told
    -- by it.
    epoch      INTEGER,
    -- Whether its lane waits until a person has decided on it.
    blocks     INTEGER NOT NULL DEFAULT 0,
    reason     TEXT,
    error      TEXT    NOT NULL DEFAULT '',
    fault      TEXT    NOT NULL DEFAULT '',
    failed_at  INTEGER,
    done_at    INTEGER,
    actor      TEXT,
    because    TEXT,
    ordered_at INTEGER,
    PRIMARY KEY (seq, recipient)
) WITHOUT ROWID;

CREATE INDEX makegood_delivery_due ON makegood_delivery (recipient, lane, seq)
    WHERE state = 'due';
CREATE INDEX makegood_delivery_later ON makegood_delivery (due_at) WHERE state = 'later';
CREATE INDEX makegood_delivery_dead ON makegood_delivery (seq, recipient) WHERE state = 'dead';
CREATE INDEX makegood_delivery_dead_of ON makegood_delivery (recipient, seq)
    WHERE state = 'dead';

-- What a recipient is to be given of one key: there while something of it is due, or while a dead
-- letter blocks it. This is what is leased.
CREATE TABLE makegood_lane (
    recipient  TEXT    NOT NULL,
    lane       TEXT    NOT NULL,
    -- When a worker that does not hold it may take it; a far-away constant while it is held (see
    -- `rows.HELD`), and none while a dead letter blocks it.
    due_at     INTEGER,
    owner      TEXT,
    epoch      INTEGER NOT NULL DEFAULT 0,
    claims     INTEGER NOT NULL DEFAULT 0,
    blocked_by INTEGER,
    PRIMARY KEY (recipient, lane)
) WITHOUT ROWID;

CREATE INDEX makegood_lane_due ON makegood_lane (recipient, due_at, lane)
    WHERE due_at IS NOT NULL;

-- What it is to publish: a row inserted here. A message that is known is left out. What is no
-- message has a recipient of its own, whose dead letter it is.
CREATE VIEW makegood_publish AS
SELECT 0 AS seq, '' AS tenant, '' AS source, '' AS id, '' AS type, 0 AS version, '' AS key,
       '' AS correlation, '' AS causation, '' AS traceparent, '' AS subject, '' AS headers,
       0 AS at, 0 AS not_before, 0 AS stored_at, '' AS lane, '' AS recipient, '' AS reason,
       '' AS error, x'' AS body;

CREATE TRIGGER makegood_publish_stores INSTEAD OF INSERT ON makegood_publish
BEGIN
    INSERT INTO makegood_message (seq, tenant, source, id, type, version, key, correlation,
           causation, traceparent, subject, headers, at, not_before, stored_at, heard, body)
    SELECT NEW.seq, NEW.tenant, NEW.source, NEW.id, NEW.type, NEW.version, NEW.key,
           NEW.correlation, NEW.causation, NEW.traceparent, NEW.subject, NEW.headers, NEW.at,
           NEW.not_before, NEW.stored_at,
           (NEW.recipient IS NOT NULL)
           + (SELECT count(*) FROM makegood_subscription WHERE type = NEW.type), NEW.body
     WHERE true
        ON CONFLICT (source, id, tenant) DO NOTHING;

    -- What is known already has not been given this number.
    INSERT INTO makegood_delivery (seq, recipient, lane, state, due_at)
    SELECT NEW.seq, recipient, NEW.lane,
           CASE WHEN NEW.not_before > NEW.stored_at THEN 'later' ELSE 'due' END,
           CASE WHEN NEW.not_before > NEW.stored_at THEN NEW.not_before ELSE NEW.stored_at END
      FROM makegood_subscription
     WHERE type = NEW.type AND EXISTS (SELECT 1 FROM makegood_message WHERE seq = NEW.seq);

    -- Behind what stands there already, so that nothing changes for a lane that is there.
    INSERT INTO makegood_lane (recipient, lane, due_at)
    SELECT recipient, NEW.lane, NEW.stored_at FROM makegood_subscription
     WHERE type = NEW.type AND NOT ifnull(NEW.not_before > NEW.stored_at, 0)
       AND EXISTS (SELECT 1 FROM makegood_message WHERE seq = NEW.seq)
        ON CONFLICT DO NOTHING;

    INSERT INTO makegood_delivery (seq, recipient, lane, state, due_at, reason, error, failed_at)
    SELECT NEW.seq, NEW.recipient, NEW.lane, 'dead', NEW.stored_at, NEW.reason, NEW.error,
           NEW.stored_at
     WHERE NEW.recipient IS NOT NULL
       AND EXISTS (SELECT 1 FROM makegood_message WHERE seq = NEW.seq);
END;

-- What it is to finish: a row inserted here, which raises when its worker does not hold the lane
-- or when something in it is not due any more. What was handled is a JSON array of arrays.
CREATE VIEW makegood_finish AS
SELECT '' AS recipient, '' AS lane, '' AS worker, 0 AS epoch, 0 AS at, 0 AS release,
       0 AS blocked_by, '' AS handled;

CREATE TRIGGER makegood_finish_applies INSTEAD OF INSERT ON makegood_finish
BEGIN
    SELECT RAISE(ABORT, 'the lane has moved')
     WHERE NOT EXISTS (SELECT 1 FROM makegood_lane
                        WHERE recipient = NEW.recipient AND lane = NEW.lane
                          AND owner = NEW.worker AND epoch = NEW.epoch)
        OR EXISTS (SELECT 1 FROM json_each(NEW.handled) AS handled
                    WHERE NOT EXISTS (SELECT 1 FROM makegood_delivery AS delivery
                                       WHERE delivery.seq = handled.value ->> 0
                                         AND delivery.recipient = NEW.recipient
                                         AND delivery.lane = NEW.lane
                                         AND delivery.state = 'due'));

    UPDATE makegood_delivery
       SET state = handled.value ->> 1,
           attempts = attempts + (handled.value ->> 2),
           due_at = ifnull(handled.value ->> 3, due_at),
           reason = ifnull(handled.value ->> 4, reason),
           error = ifnull(handled.value ->> 5, error),
           fault = ifnull(handled.value ->> 6, fault),
           blocks = handled.value ->> 7,
           failed_at = CASE WHEN handled.value ->> 1 = 'done' THEN failed_at ELSE NEW.at END,
           done_at = CASE WHEN handled.value ->> 1 = 'done' THEN NEW.at END,
           epoch = NEW.epoch
      FROM json_each(NEW.handled) AS handled
     WHERE makegood_delivery.seq = handled.value ->> 0
       AND makegood_delivery.recipient = NEW.recipient;

    DELETE FROM makegood_lane
     WHERE NEW.release AND NEW.blocked_by IS NULL
       AND recipient = NEW.recipient AND lane = NEW.lane AND blocked_by IS NULL
       AND NOT EXISTS (SELECT 1 FROM makegood_delivery AS delivery
                        WHERE delivery.recipient = NEW.recipient AND delivery.lane = NEW.lane
                          AND delivery.state = 'due');

    -- A lane in which something is left stands behind all that are due now.
    UPDATE makegood_lane
       SET owner = NULL,
           claims = CASE WHEN json_array_length(NEW.handled) > 0 THEN 0 ELSE claims END,
           blocked_by = ifnull(NEW.blocked_by, blocked_by),
           due_at = CASE WHEN NEW.blocked_by IS NULL AND blocked_by IS NULL
                         THEN max(NEW.at, (SELECT delivery.due_at
                                             FROM makegood_delivery AS delivery
                                            WHERE delivery.recipient = NEW.recipient
                                              AND delivery.lane = NEW.lane
                                              AND delivery.state = 'due'
                                            ORDER BY delivery.seq LIMIT 1)) END
     WHERE NEW.release AND recipient = NEW.recipient AND lane = NEW.lane;

    UPDATE makegood_lane SET claims = 0
     WHERE NOT NEW.release AND json_array_length(NEW.handled) > 0
       AND recipient = NEW.recipient AND lane = NEW.lane;
END;
