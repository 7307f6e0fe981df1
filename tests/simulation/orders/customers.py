"""Customers: they start their orders, change their minds, and remember what they were told.

A customer stands outside every process and asks whichever is there. One that gets no answer asks
again with the same key; what they know survives the death of whoever told them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from makegood.errors import KeyConflict, NotUndoable, PastPivot
from tests.simulation.kinds.doors import Doors
from tests.simulation.workflows import deployed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random
    from typing import Any

    from makegood import Call, Engine, Outcome
    from makegood.testing.simulation import Host, Simulation
    from makegood.values.ids import RunId
    from tests.simulation.orders.drawing import Wish
    from tests.simulation.workflows import Order

__all__ = ["Customer"]


class Customer:
    """One customer and their order."""

    def __init__(
        self,
        simulation: Simulation,
        chance: Random,
        wish: Wish,
        *,
        doors: Sequence[Host],
        editions: int,
    ) -> None:
        self.wish = wish
        self.acknowledged: set[RunId] = set()
        """The run that their start was acknowledged with: one and the same, each time."""
        self.conflicts = 0
        self.answers: list[tuple[str, str]] = []
        """What they asked for, and what became of it."""
        self.outcomes: list[Outcome[object]] = []
        """Every end that they were told."""
        self._simulation = simulation
        self._chance = chance
        self._insist = Doors(simulation, chance, doors).insist
        self._editions = editions

    async def live(self) -> None:
        """Do everything that the customer wants."""
        wish = self.wish
        await self._simulation.pause(wish.begins_at)
        await self._start()
        if wish.starts == "conflict":
            await self._conflict()
        if wish.starts == "twice":
            await self._insist(self._begin)
        if wish.cancel_after is not None:
            await self._simulation.pause(wish.cancel_after)
            await asyncio.gather(*(self._insist(self._cancel) for _ in range(wish.cancels)))
        self.outcomes.append(await self._insist(self._outcome))
        if wish.undoes:
            await asyncio.gather(*(self._insist(self._undo) for _ in range(wish.undoes)))
            self.outcomes.append(await self._insist(self._outcome))

    async def _start(self) -> None:
        if self.wish.starts == "race":
            await asyncio.gather(self._insist(self._begin), self._insist(self._begin))
        else:
            await self._insist(self._begin)

    async def _begin(self, engine: Engine) -> None:
        run = await engine.start(self._call(self.wish.order), key=self.wish.order.id)
        self.acknowledged.add(run.id)

    async def _conflict(self) -> None:
        other = msgspec.structs.replace(self.wish.order, amount=self.wish.order.amount + 1)

        async def begin(engine: Engine) -> None:
            try:
                run = await engine.start(self._call(other), key=other.id)
            except KeyConflict:
                self.conflicts += 1
            else:
                self.acknowledged.add(run.id)

        await self._insist(begin)

    async def _cancel(self, engine: Engine) -> None:
        (run,) = self.acknowledged
        try:
            answer = await engine.run(run).cancel()
        except PastPivot:
            self.answers.append(("cancel", "past the pivot"))
        except NotUndoable:
            self.answers.append(("cancel", "parked"))
        else:
            self.answers.append(("cancel", answer.value))

    async def _undo(self, engine: Engine) -> None:
        (run,) = self.acknowledged
        try:
            self.outcomes.append(await engine.run(run).undo())
        except PastPivot:
            self.answers.append(("undo", "past the pivot"))
        except NotUndoable as error:
            self.answers.append(("undo", error.answer))
        else:
            self.answers.append(("undo", "accepted"))

    async def _outcome(self, engine: Engine) -> Outcome[object]:
        (run,) = self.acknowledged
        return await engine.run(run).outcome()

    def _call(self, order: Order) -> Call[Any]:  # Any: what the workflow returns.
        edition = self._chance.randrange(self._editions)
        workflows = deployed(0, edition=edition)
        return next(each for each in workflows if each.name == self.wish.workflow)(order)
