"""What a person may look at and do about read models: how far each edition is, and build anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from makegood.errors import InvalidInput
from makegood.journal.beside.models import EditionState, NewEdition
from makegood.runtime.engine import parts_of
from makegood.runtime.receiving.operating import messages_of, ordered_now
from makegood.values.instants import as_datetime
from makegood.values.limits import CLEARED_AT_ONCE_MAX

if TYPE_CHECKING:
    from datetime import datetime

    from makegood.journal.beside.models import Edition
    from makegood.journal.messages import Lag
    from makegood.runtime.engine import Engine

__all__ = ["ModelEdition", "ModelOperator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEdition:
    """One edition of a read model: one building of its rows."""

    model: str
    number: int
    state: str
    """`filling`, `catching up`, `serving`, or `retired` while what is left of it is removed."""
    receptor: str
    """By which name its dead letters are listed."""
    types: tuple[str, ...]
    fingerprint: str
    """Of how it is declared."""
    filled: float
    """Which part of the messages that were stored before it began it was given, from 0 to 1."""
    waiting: int
    """How many messages it is still to fold, counted up to 10,000."""
    oldest_at: datetime | None
    """Since when the oldest of them waits."""
    dead: int
    """How many it has given up."""
    begun_at: datetime
    seen_at: datetime
    """When somebody who serves it has said so last, to about a minute."""
    actor: str
    because: str


class ModelOperator:
    """Looks after the read models on an engine's store, whoever serves them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        return f"<ModelOperator of {self._engine!r}>"

    async def editions(self) -> tuple[ModelEdition, ...]:
        """Return all editions of all read models, sorted by model and number."""
        messages = messages_of(self._engine)
        lags = {each.recipient: each for each in await messages.lag()}
        there = await messages.models.editions()
        return tuple(_shown(each, lags.get(each.recipient)) for each in there)

    async def rebuild(self, model: str, *, actor: str, because: str) -> int:
        """Build a read model anew, from all messages that are stored; return the edition's number.

        The one that serves goes on until the new one has caught up. What cannot be folded becomes
        dead letters of the new edition, and keeps it from nothing.
        """
        ordered_now(self._engine, actor, because)
        shell, _codes = parts_of(self._engine)
        models = messages_of(self._engine).models
        live = [each for each in await models.editions(model) if _is_live(each)]
        if not live:
            raise InvalidInput(_unknown(model))
        new = NewEdition(
            model=model,
            fingerprint=live[-1].fingerprint,
            types=live[-1].types,
            actor=actor,
            because=because,
        )
        edition = await models.begin(new, anew=True, now=shell.clock.now())
        shell.ring_reception()
        return edition.number

    async def retire(self, model: str, number: int, *, actor: str, because: str) -> bool:
        """End an edition that nobody is to read any more; say whether it was not ended before.

        What is left of it is removed by whoever serves the read model, and by `clear`. While it is
        served as it is declared, another one is begun.
        """
        order = ordered_now(self._engine, actor, because)
        models = messages_of(self._engine).models
        if not any(each.number == number for each in await models.editions(model)):
            raise InvalidInput(_unknown(f"{model}@{number}"))
        done = await models.retire(model, number, order)
        shell, _codes = parts_of(self._engine)
        shell.ring_reception()
        return done

    async def clear(self) -> None:
        """Remove what is left of editions that were ended: rows, marks and dead letters."""
        models = messages_of(self._engine).models
        while await models.clear(limit=CLEARED_AT_ONCE_MAX):
            pass


def _is_live(edition: Edition) -> bool:
    return edition.state is not EditionState.RETIRED


def _unknown(name: str) -> str:
    return f"there is no read model {name!r}; `makegood models` lists those that there are"


def _shown(edition: Edition, lag: Lag | None) -> ModelEdition:
    is_filling = edition.state is EditionState.FILLING
    return ModelEdition(
        model=edition.model,
        number=edition.number,
        state=edition.state.value,
        receptor=edition.recipient,
        types=edition.types,
        fingerprint=edition.fingerprint,
        filled=edition.filled / max(1, edition.until) if is_filling else 1.0,
        waiting=0 if lag is None else lag.waiting,
        oldest_at=None if lag is None or lag.oldest_at is None else as_datetime(lag.oldest_at),
        dead=0 if lag is None else lag.dead,
        begun_at=as_datetime(edition.begun_at),
        seen_at=as_datetime(edition.seen_at),
        actor=edition.actor,
        because=edition.because,
    )
