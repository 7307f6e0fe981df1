-- What runs have said to others and nobody was given yet, the oldest with the lowest number. The
-- body is an `Outgoing` of `journal/mail.py` as JSON.
CREATE TABLE makegood_outgoing (
    n      INTEGER PRIMARY KEY,
    sender TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    body   BLOB    NOT NULL
);

CREATE INDEX makegood_outgoing_by_sender ON makegood_outgoing (sender);
