-- Whom a message is about that nobody waited for yet, so that it can be erased.
ALTER TABLE makegood_letter ADD COLUMN subject TEXT;

CREATE INDEX makegood_letter_by_subject ON makegood_letter (subject) WHERE subject IS NOT NULL;
