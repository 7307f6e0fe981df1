-- What nothing is begun of: the newest halt of every workflow, engine and service. It is kept
-- after it was lifted, so that it is known who did that, and why.
CREATE TABLE halt (
    kind            text    COLLATE "C" NOT NULL,
    name            text    COLLATE "C" NOT NULL,
    actor           text    NOT NULL,
    reason          text    NOT NULL,
    at              bigint  NOT NULL,
    -- When it ends by itself.
    until           bigint,
    lifted_by       text,
    lifted_because  text,
    lifted_at       bigint,
    PRIMARY KEY (kind, name)
);
