"""What is done to four workers, their server and their connections, and how often it struck.

As for SQLite, moments are drawn from a seed, and where they strike depends on the machine.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from makegood.testing.servers import PostgresServer
from tests.chaos.postgres.proxy import Fates, Proxy
from tests.chaos.postgres.shop import Patience
from tests.chaos.postgres.stage import Stage, until
from tests.chaos.postgres.talk import Kind
from tests.chaos.postgres.witness import takeovers_of
from tests.chaos.scenarios import Result

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping

    from tests.chaos.postgres.life import Life
    from tests.chaos.postgres.reading import Found

__all__ = ["SCENARIOS", "Trial", "cuts", "kills", "kills_and_cuts", "restarts", "zombies"]

ORDERS = 2_000

HELD_MIN = 4
"""How many runs a worker must hold to be worth stopping."""

STOP_SECONDS = 4
"""How long it takes about until a worker is stopped and its runs are taken over."""

GAPS = {
    Kind.COMMIT: 40,
    Kind.BATCH: 40,
    Kind.STEP: 60,
    Kind.POST: 10,
    Kind.LEASE: 25,
    Kind.RENEW: 15,
}
"""How many asks of each kind come to one that meets a fate, on average."""

CUT_GAP = 300
"""How many asks come to one at which some connection is cut that has nothing to do with it."""

HASTY = Patience(answer_max=1.5)
"""For where connections fall silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How much of a scenario is played, and where."""

    server: PostgresServer
    rounds: int
    seed: int
    orders: int = ORDERS
    may_go_on: Callable[[], bool] = lambda: True
    """Whether new rounds may begin."""


async def kills(trial: Trial) -> Result:
    """Kill a worker every second, so often, and have another one begin in its place."""
    result = Result()
    async with _staged(trial, result, is_only_killed=True) as stage, stage.placing(trial.rounds):
        await _kill(stage, trial, result)
    return result


async def _kill(stage: Stage, trial: Trial, result: Result) -> None:
    """Kill a worker every second while orders are under way.

    On a busy machine less often: whoever came last is at work before the next one is killed. A run
    that finds its workers dead again and again without having got on is taken for the killer.
    """
    began = stage.clock()
    for number in range(trial.rounds):
        if not trial.may_go_on():
            break
        stage.share_max = (number + 1) / trial.rounds

        async def has_come(number: int = number) -> bool:
            is_time = stage.clock() - began >= number + 0.5 and stage.under_way > 0
            return is_time or stage.has_ended_all

        await until(has_come)
        if stage.has_ended_all:
            break
        place = await stage.one_at_work(stage.chance.fraction("place", number))
        result.count("killed")
        result.count("killed at work", await stage.kill(place))
        await stage.lives[place].opens()
    stage.share_max = 1.0


async def restarts(trial: Trial) -> Result:
    """Stop the server as a power cut would, and start it again, so often."""
    result = Result()
    async with _staged(trial, result) as stage, stage.placing(trial.rounds):
        for _ in range(trial.rounds):
            if not trial.may_go_on():
                break
            ended = len(stage.ends)

            async def some_end(ended: int = ended) -> bool:
                return (len(stage.ends) > ended and stage.under_way > 0) or stage.has_ended_all

            await until(some_end)
            if stage.has_ended_all:
                break
            await asyncio.to_thread(trial.server.stop, immediate=True)
            result.count("stopped with orders under way", stage.under_way > 0)
            await asyncio.to_thread(trial.server.start)
    result.count("waits for the server", stage.logged["waited"])
    return result


async def cuts(trial: Trial) -> Result:
    """Cut connections while orders are placed over so many seconds at the least.

    At random moments, and precisely before and after an ask is delivered.
    """
    result = Result()
    async with Proxy(trial.server.port) as proxy, _staged(trial, result, proxy) as stage:
        async with stage.placing(trial.rounds):
            with _cutting(proxy, trial, result) as fates:
                await stage.ends_all(unless=lambda: not trial.may_go_on())
        result.problems += fates.missing()
    return result


async def kills_and_cuts(trial: Trial) -> Result:
    """Kill a worker every second, so often, and cut the connections of all."""
    result = Result()
    async with (
        Proxy(trial.server.port) as proxy,
        _staged(trial, result, proxy) as stage,
        stage.placing(trial.rounds),
    ):
        with _cutting(proxy, trial, result):
            await _kill(stage, trial, result)
            await stage.ends_all(unless=lambda: not trial.may_go_on())
    return result


@contextmanager
def _cutting(proxy: Proxy, trial: Trial, result: Result) -> Generator[Fates]:
    """Let asks meet their fates, and cut connections that are at something else."""
    proxy.fates = fates = Fates(GAPS, cut_gap=CUT_GAP, seed=trial.seed)
    try:
        yield fates
    finally:
        proxy.fates = None
    result.count("cut at random", proxy.cut_at_random)
    for (kind, _fate), times in fates.struck.items():
        result.count(f"{kind.value} cut", times)


async def zombies(trial: Trial) -> Result:
    """Stop a worker until others have taken over what it held, and let it go on, so often.

    And stop one for a moment in which somebody else claims what it holds and writes nothing: then
    nothing but the epoch and the name in the run's row tells that it is not the holder any more.
    """
    result = Result()
    async with _staged(trial, result) as stage, stage.placing(trial.rounds * STOP_SECONDS):
        for _ in range(trial.rounds):
            if trial.may_go_on():
                await _stop(stage, result, _let_lease_end)
                await _stop(stage, result, _rob)
    result.count("writes of zombies refused", stage.logged["refused"])
    return result


async def _stop(
    stage: Stage, result: Result, lose: Callable[[Stage, Life, Result], Awaitable[None]]
) -> None:
    """Stop a worker that holds runs, have it lose them, and let it go on."""
    place = await stage.one_that_holds(HELD_MIN)
    if place is None:
        # The orders have ended before it could be stopped again.
        return
    life = stage.lives[place]
    await life.stopped()
    await lose(stage, life, result)
    life.goes_on()


async def _let_lease_end(stage: Stage, life: Life, result: Result) -> None:
    held = await stage.held_by(life.worker)
    await stage.until_nobody_waits_for(life.worker)
    kept = await stage.held_by(life.worker)
    result.count("taken over from a zombie", len(held - kept))


async def _rob(stage: Stage, life: Life, result: Result) -> None:
    result.count("robbed of a zombie", await stage.rob(life.worker))


@asynccontextmanager
async def _staged(
    trial: Trial, result: Result, proxy: Proxy | None = None, *, is_only_killed: bool = False
) -> AsyncGenerator[Stage]:
    """Give a stage, and when all has been done to it have its orders end, and judge.

    With a proxy everybody reaches the server through it. Where workers are only killed, those
    that live renew their leases and lose no run.
    """
    stage = Stage(
        trial.server,
        orders=trial.orders,
        seed=trial.seed,
        port=None if proxy is None else proxy.port,
        patience=Patience() if proxy is None else HASTY,
    )
    async with stage:
        yield stage
        found = await stage.finish()
        _take(result, stage, found)
        if is_only_killed:
            robbed = found.lost_workers - stage.excused
            result.problems += [f"{worker} lived and lost its runs" for worker in sorted(robbed)]


def _take(result: Result, stage: Stage, found: Found) -> None:
    """Add up what was found at the end, and hold the crashes that were counted to the kills."""
    result.problems += stage.problems
    unseen = stage.killed_at_work - found.lost_workers
    result.problems += [f"the death of {worker} was not counted" for worker in sorted(unseen)]
    result.count("starts acknowledged", len(stage.starts))
    result.count("ends acknowledged", len(stage.ends))
    result.count("crashes counted", len(found.lost_workers))
    result.count("runs changed hands", sum(1 for _ in takeovers_of(found.notes)))
    for status, orders in found.statuses.items():
        result.count(status, orders)


# Any: what a coroutine yields and is sent is nobody's business.
def _alone(
    play: Callable[[Trial], Awaitable[Result]],
) -> Callable[..., Coroutine[Any, Any, Result]]:
    """Play a scenario on a server of its own, as the campaign calls for it."""

    async def played(rounds: int, *, seed: int, may_go_on: Callable[[], bool]) -> Result:
        with PostgresServer() as server:
            return await play(Trial(server=server, rounds=rounds, seed=seed, may_go_on=may_go_on))

    return played


SCENARIOS: Mapping[str, tuple[Callable[..., Coroutine[Any, Any, Result]], int]] = {
    "postgres-kills": (_alone(kills), 60),
    "postgres-restarts": (_alone(restarts), 10),
    "postgres-cuts": (_alone(cuts), 20),
    "postgres-zombies": (_alone(zombies), 10),
    "postgres-kills-and-cuts": (_alone(kills_and_cuts), 30),
}
"""Each scenario by its name, and how many rounds of it a campaign has."""
