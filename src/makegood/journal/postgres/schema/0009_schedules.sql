-- How far each schedule has come. What its times are is the program's to know.
CREATE TABLE schedule (
    name     text    COLLATE "C" PRIMARY KEY,
    version  bigint  NOT NULL,
    -- When somebody is to look at it.
    wake_at  bigint,
    body     bytea   NOT NULL
);
