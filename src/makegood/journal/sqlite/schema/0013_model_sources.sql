-- To which row a message went that was folded, where that is not the row of its own key.
CREATE TABLE makegood_model_source (
    recipient TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    key       TEXT    NOT NULL,
    PRIMARY KEY (recipient, seq)
) WITHOUT ROWID;

-- Something that went to the row was erased, and it waits to be folded again from what is left.
ALTER TABLE makegood_model_row ADD COLUMN torn INTEGER NOT NULL DEFAULT 0;

CREATE INDEX makegood_model_row_torn ON makegood_model_row (recipient, tenant, key) WHERE torn;
