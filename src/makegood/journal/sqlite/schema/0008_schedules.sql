-- How far each schedule has come. What its times are is the program's to know.
CREATE TABLE makegood_schedule (
    name    TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    -- When somebody is to look at it.
    wake_at INTEGER,
    body    BLOB    NOT NULL
) WITHOUT ROWID;
