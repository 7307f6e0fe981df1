"""What the server itself has seen: who took which run, and who wrote what of it, in which order.

Every worker has a user of its own at the server, and triggers note who that was. A run's row is
locked by whoever claims it and by whoever writes for it, so that the numbers of the notes of one
run are the order in which those things were done. Notes of what was rolled back are gone with it.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["NOTED", "SCRIPT", "Note", "problems_of_notes", "takeovers_of"]

SCRIPT = """
CREATE TABLE noted (
    n      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what   text NOT NULL,
    whose  text NOT NULL,
    epoch  bigint,
    owner  text,
    who    text NOT NULL DEFAULT session_user
);

CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO noted (what, whose, epoch, owner) VALUES ('claim', NEW.id, NEW.epoch, NEW.owner);
    RETURN NULL;
END $$;
CREATE TRIGGER note_claim AFTER UPDATE OF epoch ON run FOR EACH ROW
    WHEN (NEW.epoch <> OLD.epoch) EXECUTE FUNCTION note_claim();

CREATE FUNCTION note_facts() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO noted (what, whose, epoch) VALUES ('facts', NEW.run, NEW.epoch);
    RETURN NULL;
END $$;
CREATE TRIGGER note_facts AFTER INSERT ON facts FOR EACH ROW EXECUTE FUNCTION note_facts();

CREATE FUNCTION note_shop() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO noted (what, whose)
    SELECT TG_TABLE_NAME, id FROM run WHERE workflow = 'place_order' AND key = NEW.order_id;
    RETURN NULL;
END $$;
CREATE TRIGGER note_shop AFTER INSERT OR UPDATE ON shop_reservation
    FOR EACH ROW EXECUTE FUNCTION note_shop();
CREATE TRIGGER note_shop AFTER INSERT OR UPDATE ON shop_shipment
    FOR EACH ROW EXECUTE FUNCTION note_shop();
CREATE TRIGGER note_shop AFTER INSERT OR UPDATE ON shop_notification
    FOR EACH ROW EXECUTE FUNCTION note_shop();
"""
"""Makes the notes, in the schema that is searched first."""

NOTED = "SELECT what, whose, epoch, owner, who FROM noted ORDER BY whose, n"


class Note(NamedTuple):
    """One thing that was done to one run, or for it."""

    what: str
    """`claim`, `facts`, or the table of the shop that was changed for it."""
    run: str
    epoch: int | None
    owner: str | None
    """Who has claimed it."""
    user: str
    """Who has done it, by the server."""


def problems_of_notes(notes: Iterable[Note]) -> Iterator[str]:
    """Name everything that was written for a run by somebody who did not hold it then."""
    for run, story in groupby(notes, key=lambda note: note.run):
        held: Note | None = None
        for note in story:
            if note.what == "claim":
                held = note
            elif held is None or note.user != held.user:
                holder = "nobody" if held is None else held.user
                yield f"{note.user} wrote {note.what} of run {run}, which {holder} held"
            elif note.epoch is not None and note.epoch != held.epoch:
                yield (
                    f"{note.what} of run {run} were written under epoch {note.epoch} after it was "
                    f"claimed under {held.epoch}"
                )


def takeovers_of(notes: Iterable[Note]) -> Iterator[tuple[Note, Note]]:
    """Return the claims by which a run changed hands, each behind the claim before it."""
    before: Note | None = None
    for note in notes:
        if note.what == "claim":
            if before is not None and before.run == note.run and before.owner != note.owner:
                yield before, note
            before = note
