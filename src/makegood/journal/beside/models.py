"""What is kept of read models: their rows, and how far each edition of one has been built.

An *edition* of a read model is one building of its rows from messages. It is a recipient of its
own, so that it is given every message that it wants, lane by lane, as a receptor is; a new one is
built beside the one that serves, out of the messages that are stored, and takes its place when it
has caught up. The journal knows neither how a row comes of messages nor what stands in it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.lanes.shown import Order

    # What has them imports this module, and they are never read from text.
    from makegood.journal.messages import Due, Finished  # noqa: TC004

__all__ = [
    "MODEL_PREFIX",
    "Edition",
    "EditionState",
    "Folded",
    "KeepsModels",
    "NewEdition",
    "RowKept",
    "RowKey",
    "RowSource",
    "RowWrite",
    "Rows",
    "TornRow",
    "Verdict",
    "recipient_of",
]

MODEL_PREFIX = "model:"
"""What the names of recipients begin with that are editions of read models."""


def recipient_of(model: str, number: int) -> str:
    """Return to whom the deliveries of an edition belong."""
    return f"{MODEL_PREFIX}{model}@{number}"


class EditionState(StrEnum):
    """How far an edition is."""

    FILLING = "filling"
    """It is being given the messages that were stored before it began; nobody folds it yet."""
    CATCHING_UP = "catching up"
    """It was given all of them, and has not folded all of them."""
    SERVING = "serving"
    """It is read."""
    RETIRED = "retired"
    """Another one is read in its place; its rows are removed."""


class NewEdition(msgspec.Struct, frozen=True, kw_only=True):
    """What an edition is made of."""

    model: str
    fingerprint: str
    """Of how it is declared: whoever declares it otherwise builds an edition of their own."""
    types: tuple[str, ...]
    """The names of the messages that it wants, sorted."""
    actor: str
    because: str


class Edition(msgspec.Struct, frozen=True, kw_only=True):
    """One edition of a read model, as it is kept."""

    model: str
    number: int
    """Editions of a model count from 1."""
    fingerprint: str
    types: tuple[str, ...]
    state: EditionState
    until: int
    """The number of the last message that was stored before it began."""
    filled: int
    """Up to which number it was given the messages before."""
    begun_at: Instant
    seen_at: Instant
    """When somebody who serves it has said so last."""
    actor: str
    because: str

    @property
    def recipient(self) -> str:
        """To whom its deliveries belong."""
        return recipient_of(self.model, self.number)


class RowKey(msgspec.Struct, frozen=True, gc=False, order=True):
    """Which row of an edition."""

    tenant: str
    key: str


class RowKept(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of an edition, as it is kept."""

    at: RowKey
    body: bytes | None
    """What stands in it, as JSON; None: it was removed, or never came to anything."""
    seq: int
    """The number of the last message that was folded into it: its cursor."""
    revision: int
    """How often it was written."""
    is_torn: bool = False
    """Something that went to it was erased: it is empty, until it is folded again from the rest."""


class RowWrite(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row that is written over the revision that was read; 0 where there was none."""

    at: RowKey
    body: bytes | None
    seq: int
    revision: int


class RowSource(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """That a message went to a row of its tenant whose key is not its own."""

    seq: int
    key: str
    """The row's."""


class Folded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came of folding deliveries of some lanes of one edition: all is written, or nothing."""

    recipient: str
    finished: tuple[Finished, ...]
    """One a lane; none with statements, a local part, messages or starts."""
    rows: tuple[RowWrite, ...]
    """One a row."""
    sources: tuple[RowSource, ...] = ()
    """Of what goes to a row of another key, where it goes: by this it is found to be erased."""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """One page of rows, and behind which the next one begins; None when this is the last."""

    rows: tuple[RowKept, ...]
    next: str | None


class TornRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row that is to be folded again, and whose it is."""

    recipient: str
    row: RowKept


class Verdict(StrEnum):
    """What became of what was folded."""

    WRITTEN = "written"
    FENCED = "fenced"
    """One of its lanes is held by somebody else, or one of its deliveries is not due any more."""
    STALE = "stale"
    """One of its rows was written by somebody else since it was read."""


class KeepsModels(Protocol):
    """What every store of messages also keeps: read models.

    1. `begin` begins an edition, unless there is one of the same model and fingerprint that is not
       retired; with `anew` in any case. From then on it is given every message of its types that
       is stored, and by `fill` each one that was stored before: all of them, once.
    2. `fill` looks at the next `limit` of these, gives them to an edition, and says whether there
       are more; when there are none it is catching up. What was erased is left out. Nothing of an
       edition is taken while it is filling.
    3. `fold` compares worker and epoch of every lane, and the revision of every row, in the
       transaction that writes. All of it is durable before it is `WRITTEN`; otherwise nothing is.
    4. `rows` gives rows by their keys, those that were removed too; `page` those of a tenant that
       are there, sorted by key.
    5. `history` gives what an edition has folded, in the order in which it was stored: of one key
       of messages, or of all. What was erased is left out. A page never repeats or skips.
    6. `promote` lets an edition serve once it has folded every message that was there when it
       began, but for those that were given up or wait behind such a one; it says whether it does.
       Editions of the same fingerprint before it are retired.
    7. `retire` ends an edition: it is given nothing more. `clear` removes what is left of retired
       ones, a bounded part at a time, and says whether there is more.
    8. `editions` gives all editions, sorted by model and number; `seen` says that they are served.
    9. While an edition is not retired, no message that it was given is pruned.
    10. What is erased, for a key or a subject, empties the rows that it went to, in the same
        transaction and in every edition: those of its own key, and those that `fold` was told of as
        its sources. They are torn from then on. `torn` gives such rows; one that is written, by
        `fold` with lanes or without, is torn no more.
    """

    async def begin(self, new: NewEdition, *, anew: bool = False, now: Instant) -> Edition:
        """Begin an edition, or return the one that there is (1)."""
        ...

    async def fill(self, model: str, number: int, *, limit: int, now: Instant) -> bool:
        """Give an edition messages that were stored before; say whether there are more (2)."""
        ...

    async def fold(self, folded: Folded) -> Verdict:
        """Write rows together with the marks of what was folded into them (3)."""
        ...

    async def rows(self, recipient: str, keys: Sequence[RowKey]) -> tuple[RowKept, ...]:
        """Return rows by their keys, in no order (4)."""
        ...

    async def page(
        self, recipient: str, *, tenant: str = "", after: str | None = None, limit: int
    ) -> Rows:
        """Return one page of rows (4)."""
        ...

    async def history(
        self, recipient: str, *, key: RowKey | None, after: int, limit: int
    ) -> tuple[Due, ...]:
        """Return what was folded behind a number, `limit` of it at most (5)."""
        ...

    async def torn(self, recipients: Sequence[str], *, limit: int) -> tuple[TornRow, ...]:
        """Return rows of editions that are to be folded again, `limit` of them at most (10)."""
        ...

    async def promote(self, model: str, number: int) -> bool:
        """Let an edition serve if it has caught up; say whether it serves (6)."""
        ...

    async def retire(self, model: str, number: int, order: Order) -> bool:
        """End an edition; say whether it was not retired before (7)."""
        ...

    async def clear(self, *, limit: int) -> bool:
        """Remove what is left of retired editions; say whether there is more (7)."""
        ...

    async def editions(self, model: str | None = None) -> tuple[Edition, ...]:
        """Return editions, of one model or of all (8)."""
        ...

    async def seen(self, editions: Sequence[Edition], *, now: Instant) -> None:
        """Say that somebody serves these editions (8)."""
        ...
