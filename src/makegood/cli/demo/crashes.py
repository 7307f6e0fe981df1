"""When the shop's process is killed, and how it is started again on the same store.

The moments are drawn from the seed. Each life of the process may place a few more orders than the
one before it, so that work is left whenever it is killed: where there are more orders than kills,
the last ones are placed only when all kills have landed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from makegood.cli.demo.life import Failed, Job, Part, living
from makegood.cli.demo.shop import Evening
from makegood.cli.demo.tally import Killed, Opened
from makegood.decision.retry import Chance
from makegood.errors import MakegoodError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.cli.demo.life import Life, Told
    from makegood.cli.demo.shop import Day
    from makegood.cli.demo.tally import News, Tally

__all__ = ["Moment", "keep_shop_through_crashes", "moments", "placed_by"]

EARLY_SHARE = 0.25
"""How many of the kills wait for no order to end: most of them strike while the runs that the
last kill left are being taken up."""

OPEN_SECONDS = (0.0, 0.02)
"""How long the store is open at least before a kill, drawn from this: about as long as an order
takes that is alone."""

LONG_OPEN_SECONDS = (0.1, 0.2)
"""The same for every third kill. A run that finds its process dead again and again without having
got on is taken for the killer, and parked; so now and then there is time to get on."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When a life of the process ends: once so many orders have ended and the time is up."""

    placed: int
    """How many orders of the sample may be placed by then."""
    ended: int
    """How many have ended, in all lives together: fewer than may be placed."""
    open_seconds: float
    """How long the store has been open."""


def moments(orders: int, crashes: int, *, seed: int) -> Sequence[Moment]:
    """Return when the process is killed, a moment for each crash."""
    chance = Chance(seed)
    found: list[Moment] = []
    before = 0
    for crash in range(1, crashes + 1):
        placed = max(1, orders * crash // (crashes + 1))
        is_early = chance.fraction("early", crash) < EARLY_SHARE
        ended = before + int(chance.fraction("ended", crash) * (placed - before))
        shortest, longest = OPEN_SECONDS if crash % 3 else LONG_OPEN_SECONDS
        found.append(
            Moment(
                placed=placed,
                ended=0 if is_early else min(ended, placed - 1),
                open_seconds=shortest + chance.fraction("open", crash) * (longest - shortest),
            )
        )
        before = placed
    return found


def placed_by(moment: Moment, tally: Tally) -> int:
    """Return how many orders may be placed before a kill.

    Where all that may be placed has ended, one more gives the kill something to strike.
    """
    return min(max(moment.placed, tally.ended + 1), tally.orders)


async def keep_shop_through_crashes(
    day: Day, tally: Tally, hear: Callable[[News], None], *, clock: Callable[[], float]
) -> Evening:
    """Keep shop in a process that is killed as often as the tally says; the last one finishes.

    `hear` passes on to the tally. Raises `MakegoodError` when the shop cannot be kept.
    """
    began = clock()
    for moment in moments(tally.orders, tally.crashes, seed=day.seed):
        until_then = msgspec.structs.replace(day, placed=placed_by(moment, tally))
        async with living(Job(part=Part.SHOP, day=until_then)) as life:
            await _hear_until(moment, life, tally, hear, clock=clock)
            life.kill()
            while (told := await life.listen()) is not None:
                _pass_on(told, hear)
        hear(Killed())
    async with living(Job(part=Part.SHOP, day=day)) as life:
        while not isinstance(told := await life.listen(), Evening):
            assert told is not None, "the last process is not killed"
            _pass_on(told, hear)
        return msgspec.structs.replace(told, seconds=clock() - began)


async def _hear_until(
    moment: Moment,
    life: Life[Told],
    tally: Tally,
    hear: Callable[[News], None],
    *,
    clock: Callable[[], float],
) -> None:
    """Hear what the process says until the moment has come."""
    opened: float | None = None
    while True:
        left = None
        if opened is not None and tally.ended >= moment.ended:
            left = opened + moment.open_seconds - clock()
            if left <= 0:
                return
        try:
            async with asyncio.timeout(left):
                told = await life.listen()
        except TimeoutError:
            continue
        assert told is not None, "it was not killed yet"
        opened = clock() if isinstance(told, Opened) else opened
        _pass_on(told, hear)


def _pass_on(told: Told, hear: Callable[[News], None]) -> None:
    if isinstance(told, Failed):
        raise MakegoodError(told.reason)
    assert not isinstance(told, Evening), "only the last process places the last orders"
    hear(told)
