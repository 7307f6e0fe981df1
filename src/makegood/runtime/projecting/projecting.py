"""All read models of one engine: building them, folding what comes, and letting them serve.

One coroutine looks after all of them, as with receptors: when it is rung because something was
stored here, when the time of a message comes that has to wait, and now and then in any case. An
edition that is not built yet is filled a part at a time, between folds of those that serve.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from makegood.errors import DefinitionError
from makegood.journal.beside.models import MODEL_PREFIX, EditionState, NewEdition, Verdict
from makegood.journal.lanes.shown import Order
from makegood.runtime.looking.lookout import Lookout
from makegood.runtime.projecting.folding import Folder
from makegood.runtime.telemetry import log
from makegood.values.instants import Instant, micros
from makegood.values.limits import CLEARED_AT_ONCE_MAX, LANE_DELIVERIES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.definition.receiving.projection import Projection
    from makegood.journal.beside.models import Edition, KeepsModels
    from makegood.journal.messages import Held, KeepsMessages, LaneId
    from makegood.runtime.receiving.answering import Answering
    from makegood.runtime.shell import Shell
    from makegood.values.envelope import Envelope

__all__ = ["ENGINE", "Projecting"]

ENGINE = "makegood"
"""Who begins and retires editions where nobody has asked for it."""

LANES_AT_ONCE_MAX = 100
"""The messages of how many keys are folded and written together."""

FILLED_AT_ONCE_MAX = 1_000
"""How many messages are looked at to fill an edition, before it is looked what else there is."""

MENDED_AT_ONCE_MAX = 20
"""How many rows are folded again at once of which something was erased."""

WRITTEN_AGAIN_MAX = 10
"""How often folding is begun again for rows that somebody else writes, before lanes go back."""

SEEN_EVERY = micros(timedelta(minutes=1))
"""How often it is said that an edition is served, in microseconds."""

UNSEEN_MAX = micros(timedelta(minutes=10))
"""How long an edition of another declaration is kept that nobody has served, in microseconds."""


class Projecting:
    """Folds for one engine."""

    def __init__(self, shell: Shell, answering: Answering) -> None:
        self._shell = shell
        self._answering = answering
        # Any: each has rows of a class of its own.
        self._folders: dict[str, Folder[Any]] = {}
        self._types: frozenset[str] = frozenset()
        self._unreleased: list[LaneId] = []
        """Lanes that were taken and of which nothing was written: they are given back."""
        self._seen_at = Instant(0)
        self.lookout = Lookout(
            shell,
            self._look,
            longest=shell.config.poll_max,
            about="folding read models",
            purpose="fold read models",
        )

    # Any: as above.
    def serve(self, projections: Iterable[Projection[Any]]) -> None:
        """Fold these too; refuse another one of a name that is served."""
        for each in projections:
            before = self._folders.get(each.name)
            if before is not None and before.projection is not each:
                message = (
                    f"{each.place}: two read models are named `{each.name}`; give one another name"
                )
                raise DefinitionError(message)
            self._folders[each.name] = Folder(each, self._answering)
            self._types |= frozenset(each.types)
        self.lookout.ring()

    def stored(self, messages: Sequence[Envelope]) -> None:
        """Take notice of messages that were stored from here."""
        if self._types and any(each.type in self._types for each in messages):
            self.lookout.ring()

    # Looking --------------------------------------------------------------------------------------

    async def _look(self) -> bool:
        if not self._folders:
            return False
        shell = self._shell
        messages = shell.journal.messages
        models = messages.models
        await self._release(messages)
        await shell.halts.look()
        mine = await self._editions(models)
        has_more = await self._fill(models, mine)
        while await self._fold_some(messages, mine):
            if self.lookout.is_stopping:
                return False
            has_more = await self._fill(models, mine) or has_more
        has_more = await self._mend(models, mine) or has_more
        has_more = await self._change_over(models, mine) or has_more
        if has_more and not self.lookout.is_stopping:
            self.lookout.ring()
        return False

    async def _editions(self, models: KeepsModels) -> list[Edition]:
        """Return the editions that are folded here, which are begun where there is none."""
        now = self._shell.clock.now()
        there = await models.editions()
        mine: list[Edition] = []
        for folder in self._folders.values():
            projection = folder.projection
            live = [
                each
                for each in there
                if (each.model, each.fingerprint) == (projection.name, projection.fingerprint)
                and each.state is not EditionState.RETIRED
            ]
            if not live:
                because = "it is served, and there was none of its kind"
                new = NewEdition(
                    model=projection.name,
                    fingerprint=projection.fingerprint,
                    types=projection.types,
                    actor=ENGINE,
                    because=because,
                )
                live = [await models.begin(new, now=now)]
                log.info("edition %d of the read model %s is begun", live[0].number, live[0].model)
            mine += live
        if now - self._seen_at >= SEEN_EVERY:
            await models.seen(mine, now=now)
            self._seen_at = now
        return mine

    async def _fill(self, models: KeepsModels, mine: list[Edition]) -> bool:
        """Fill those that are being built, a part each; say whether there is more of it."""
        now = self._shell.clock.now()
        has_more = False
        for each in mine:
            if each.state is EditionState.FILLING:
                # What was filled to its end is folded from the next look on.
                has_more = True
                await models.fill(each.model, each.number, limit=FILLED_AT_ONCE_MAX, now=now)
        return has_more

    async def _fold_some(self, messages: KeepsMessages, mine: Sequence[Edition]) -> bool:
        """Fold what is due, as much as is written together; say whether there was something."""
        shell = self._shell
        filled = [each for each in mine if each.state is not EditionState.FILLING]
        open_to = {each.recipient: each for each in filled if not self._is_halted(each)}
        if not open_to:
            return False
        held = await messages.take(
            shell.worker,
            room=dict.fromkeys(open_to, LANES_AT_ONCE_MAX),
            per_lane=LANE_DELIVERIES_MAX,
            limit=LANES_AT_ONCE_MAX,
            now=shell.clock.now(),
        )
        by_edition: dict[str, list[Held]] = {}
        for each in held:
            by_edition.setdefault(each.id.recipient, []).append(each)
        # Whatever happens to one of them, the others go back.
        self._unreleased += [each.id for each in held]
        for recipient, lanes in by_edition.items():
            await self._fold(messages, open_to[recipient], lanes)
        await self._release(messages)
        if held:
            self._shell.folded.ring()
        return bool(held)

    async def _fold(self, messages: KeepsMessages, edition: Edition, held: Sequence[Held]) -> None:
        shell, models = self._shell, messages.models
        folder = self._folders[edition.model]
        verdict = Verdict.STALE
        for _ in range(WRITTEN_AGAIN_MAX):
            folded = await folder.folded(
                held,
                models=models,
                recipient=edition.recipient,
                worker=shell.worker,
                now=shell.clock.now(),
            )
            verdict = await models.fold(folded)
            if verdict is not Verdict.STALE:
                # Otherwise somebody else has written the same rows: they are read again.
                break
        if verdict is Verdict.WRITTEN:
            written = {each.id for each in held}
            self._unreleased = [each for each in self._unreleased if each not in written]

    async def _mend(self, models: KeepsModels, mine: Sequence[Edition]) -> bool:
        """Fold rows again of which something was erased, a part; say whether there are more."""
        open_to = [each for each in mine if not self._is_halted(each)]
        torn = await models.torn([each.recipient for each in open_to], limit=MENDED_AT_ONCE_MAX)
        has_more = False
        for each in open_to:
            rows = [found.row for found in torn if found.recipient == each.recipient]
            if rows:
                folder = self._folders[each.model]
                mended = await folder.mended(rows, models=models, recipient=each.recipient)
                # Where somebody else has written one of them meanwhile, all are looked at again.
                verdict = await models.fold(mended)
                has_more = has_more or verdict is not Verdict.FENCED
        return has_more

    async def _release(self, messages: KeepsMessages) -> None:
        """Give back what could not be written."""
        if self._unreleased:
            shell = self._shell
            await messages.release(shell.worker, self._unreleased, now=shell.clock.now())
            self._unreleased = []

    async def _change_over(self, models: KeepsModels, mine: Sequence[Edition]) -> bool:
        """Let serve what has caught up, remove what is read no more; say whether more is left."""
        for each in mine:
            if each.state is EditionState.CATCHING_UP and await models.promote(
                each.model, each.number
            ):
                log.info("edition %d of the read model %s serves now", each.number, each.model)
                self._shell.folded.ring()
        there = await models.editions()
        outlived = [each for each in there if self._is_outlived(each, there)]
        for each in outlived:
            now = self._shell.clock.now()
            order = Order(actor=ENGINE, reason="a later declaration is served", at=now)
            await models.retire(each.model, each.number, order)
        if outlived or any(each.state is EditionState.RETIRED for each in there):
            return await models.clear(limit=CLEARED_AT_ONCE_MAX)
        return False

    def _is_outlived(self, edition: Edition, there: Sequence[Edition]) -> bool:
        """Say whether a later one serves, by those who have declared this one otherwise."""
        folder = self._folders.get(edition.model)
        if folder is None or edition.state is EditionState.RETIRED:
            return False
        fingerprint = folder.projection.fingerprint
        is_unseen = self._shell.clock.now() - edition.seen_at > UNSEEN_MAX
        return (
            edition.fingerprint != fingerprint
            and is_unseen
            and any(
                each.model == edition.model
                and each.number > edition.number
                and each.fingerprint == fingerprint
                and each.state is EditionState.SERVING
                for each in there
            )
        )

    def _is_halted(self, edition: Edition) -> bool:
        halts = self._shell.halts
        return bool(halts.known) and halts.holds_receptor(f"{MODEL_PREFIX}{edition.model}")
