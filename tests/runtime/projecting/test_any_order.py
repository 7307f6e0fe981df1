"""Whatever happens on the way, the rows are what the messages come to in their order."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import MessageOperator, ModelOperator, Projection, ReadModel
from makegood.journal.messages import MessageFilter
from makegood.values.schemas import Schema
from tests.runtime.projecting.orders import (
    DAYS,
    Day,
    Forgotten,
    Noted,
    Placed,
    Summary,
    add_up,
    summarize,
)
from tests.runtime.receiving.shop import messages_of, quiet
from tests.runtime.world import World, turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Engine

SEEDS = range(40)
STEPS = 60

KINDS = {each.message_name: Schema(each) for each in (Placed, Noted, Forgotten)}


class Story:
    """A read model that is written, killed, repaired and built anew, as chance has it."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._chance = random.Random(seed)
        self._is_repaired = False
        self.summaries = Projection("summaries", self._fold)
        self.engine: Engine

    def _fold(self, row: Summary | None, event: Placed | Noted | Forgotten) -> Summary | None:
        if isinstance(event, Noted) and event.text == "bad" and not self._is_repaired:
            message = "not yet"
            raise ValueError(message)
        if isinstance(event, Noted) and row is None:
            return Summary(0, (event.text,))
        text = "mended" if isinstance(event, Noted) and event.text == "bad" else None
        return summarize(row, event if text is None else Noted(event.order_id, text))

    async def open(self) -> None:
        self.engine = await self._world.engine(self.summaries, DAYS)

    async def play(self) -> None:
        """Do something, a number of times, and bring it to its end."""
        await self.open()
        for _ in range(STEPS):
            await self._chance.choice(
                [self._publish] * 9 + [self._wait, self._die, self._rebuild, self._resend]
            )()
        self._is_repaired = True
        for _ in range(3):
            self._world.clock.turn(timedelta(hours=3))
            await quiet(self.engine)
            await self._resend()
            await quiet(self.engine)

    async def _publish(self) -> None:
        order = f"order-{self._chance.randrange(4)}"
        text = self._chance.choice(["a", "b", "bad"])
        event = self._chance.choice([Placed(order, 5), Noted(order, text), Forgotten(order)])
        late = self._chance.random() < 0.15
        after = timedelta(minutes=self._chance.randrange(1, 90)) if late else None
        await self.engine.publish(event, after=after)
        for _ in range(self._chance.randrange(12)):
            await turn_of_the_loop()

    async def _wait(self) -> None:
        self._world.clock.turn(timedelta(minutes=self._chance.randrange(60)))
        await quiet(self.engine)

    async def _die(self) -> None:
        await self._world.kill(self.engine)
        await self.open()
        self._world.clock.turn(timedelta(minutes=5))

    async def _rebuild(self) -> None:
        models = {each.model for each in await ModelOperator(self.engine).editions()}
        if "summaries" in models:
            operator = ModelOperator(self.engine)
            await operator.rebuild("summaries", actor="chance", because="to be sure")

    async def _resend(self) -> None:
        self._is_repaired = self._chance.random() < 0.5 or self._is_repaired
        await MessageOperator(self.engine).resend(actor="chance", because="mended")

    async def expected(self) -> tuple[dict[str, Summary], dict[str, Day]]:
        """Return what all messages come to, one after the other as they were stored."""
        rows: dict[str, Summary | None] = {}
        days: dict[str, Day] = {}
        page = await messages_of(self.engine).messages(MessageFilter(limit=200))
        for kept in reversed(page.rows):
            whole = await messages_of(self.engine).message(kept.seq)
            assert whole is not None
            message = KINDS[kept.message.type].read(whole.message)
            rows[message.order_id] = self._fold(rows.get(message.order_id), message)
            if isinstance(message, Placed):
                days[message.day] = add_up(days.get(message.day), message)
        there = {key: row for key, row in sorted(rows.items()) if row is not None}
        return there, days


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_rows_are_what_the_messages_come_to_in_their_order(seed: int) -> None:
    async with World() as world:
        story = Story(world, seed)
        await story.play()

        summaries, days = await story.expected()
        assert (await ReadModel(story.engine, story.summaries).page()).rows == summaries
        assert (await ReadModel(story.engine, DAYS).page()).rows == days
