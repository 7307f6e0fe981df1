-- Whom a message is about that nobody waited for yet, so that it can be erased.
ALTER TABLE letter ADD COLUMN subject text COLLATE "C";

CREATE INDEX letter_by_subject ON letter (subject) WHERE subject IS NOT NULL;
