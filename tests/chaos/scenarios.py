"""What is done to the processes and their disk, and what must be true of the store after each.

Moments are drawn from a seed, but where they strike depends on the machine: a campaign cannot be
repeated exactly. What makes a failure repeatable is a simulation, and the test written for it.
"""

from __future__ import annotations

import signal
from contextlib import closing
from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from tests.chaos.disk import Trouble
from tests.chaos.shift import FAILED, Ended, Failed, Full, Leads, Placed, StandsBy, Started
from tests.chaos.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from tests.chaos.stage import Child

__all__ = ["SCENARIOS", "Result", "disk_broken", "disk_full", "kills", "stopped", "takeovers"]

KILLS_PER_STORE = 50
ORDERS_PER_LIFE = 40
ORDERS_BEFORE = 5
"""How many orders have ended in a store before its disk is full."""

OPERATIONS_MAX = 800
"""By which of its writes and syncs a disk gives trouble: tens of commits, at most."""

WRITE_MILLISECONDS_MAX = 3_000
"""Who cannot write for so long waits for a process that is stopped, and not for a busy one."""

TRIES_WATCHED = 25
"""How often a standby must have asked in vain, while the leader was stopped."""


class Result(msgspec.Struct, kw_only=True):
    """What a scenario did and found."""

    figures: dict[str, int] = {}
    milliseconds: list[float] = []
    """How long each takeover took."""
    problems: list[str] = []

    def count(self, what: str, times: int = 1) -> None:
        self.figures[what] = self.figures.get(what, 0) + times

    def take(self, stage: Stage) -> None:
        """Add up what a store had at its end."""
        self.problems += stage.problems
        self.count("stores")
        self.count("audits", stage.audits)
        self.count("starts acknowledged", len(stage.starts))
        self.count("ends acknowledged", len(stage.ends))
        if stage.last is not None:
            for status, orders in stage.last.statuses.items():
                self.count(status, orders)
            for reason, orders in stage.last.reasons.items():
                # Nothing that is done here is any order's own fault, or beyond finding out.
                self.problems.append(f"{orders} orders are parked: {reason}")
            self.count("timed out", stage.last.timeouts)


async def kills(rounds: int, *, seed: int, may_go_on: Callable[[], bool]) -> Result:
    """Kill the working process at birth, in recovery, at work, and in the middle of a write."""
    result = Result()
    while rounds > 0 and may_go_on():
        of_store = min(rounds, KILLS_PER_STORE)
        rounds -= of_store
        seed += 1
        async with Stage(orders=of_store * ORDERS_PER_LIFE, seed=seed) as stage:
            landed = 0
            while landed < of_store and may_go_on():
                life = result.figures.get("lives", 0)
                is_killed = await _one_life(stage, life, (landed + 1) * ORDERS_PER_LIFE, result)
                result.count("lives")
                result.count("killed", is_killed)
                landed += is_killed
                await stage.audit()
            await stage.finish()
            result.take(stage)
    return result


async def _one_life(stage: Stage, life: int, orders: int, result: Result) -> bool:
    """Let one process live for a while, and say whether it was killed."""
    kind = ("birth", "recovery", "work", "write")[int(stage.draw("kind", life, 0, 4))]
    # A run that finds its worker dead again and again without getting on is taken for the killer.
    kind = "work" if life % 3 == 0 else kind
    result.count(f"at {kind}")
    trouble = None
    if kind == "write":
        at = int(stage.draw("write", life, 1, 300))
        trouble = Trouble(kind="death", at=at)
    child = await stage.start(stage.unended(orders), trouble=trouble)
    match kind:
        case "birth":
            await child.says(Placed, within=stage.draw("birth", life, 0, 0.9))
        case "recovery":
            await child.says(Leads)
            await child.says(Placed, within=stage.draw("recovery", life, 0, 0.05))
        case "work":
            heard = int(stage.draw("heard", life, ORDERS_PER_LIFE / 4, ORDERS_PER_LIFE))
            await child.says(Ended, times=heard, within=5)
        case _:
            await child.says(Placed)
    return await child.killed()


async def disk_full(rounds: int, *, seed: int, may_go_on: Callable[[], bool]) -> Result:
    """Let the disk have no room at random writes, and room again: nothing has to be restarted."""
    result = Result()
    for number in range(rounds):
        if not may_go_on():
            break
        async with Stage(orders=2 * ORDERS_PER_LIFE, seed=seed + number) as stage:
            first = await stage.start(stage.all_orders[:ORDERS_BEFORE])
            await first.says(Placed)
            await first.killed()
            at = int(stage.draw("at", number, 100, 400))
            trouble = Trouble(kind="full", at=at, seed=seed + number)
            child = await stage.start(stage.all_orders, trouble=trouble, poll_seconds=0.1)
            told = await child.says(Full, Failed)
            match told:
                case Full():
                    result.count("times full", told.times)
                case Failed(error="StoreFull") if len(stage.ends) == ORDERS_BEFORE:
                    # There was no room even to say who leads.
                    result.count("refused to open")
                case _:
                    stage.problems.append(f"a full disk ended the process: {told}")
            await child.killed()
            await stage.audit()
            await stage.finish()
            result.take(stage)
    return result


async def disk_broken(rounds: int, *, seed: int, may_go_on: Callable[[], bool]) -> Result:
    """Let syncs fail, writes be torn, and the power be cut; start again each time."""
    result = Result()
    expected = {
        "fails_to_sync": FAILED,
        "torn": FAILED,
        "torn_death": -signal.SIGKILL,
        "power_cut": -signal.SIGKILL,
    }
    done = 0
    while done < rounds and may_go_on():
        seed += 1
        of_store = min(rounds - done, KILLS_PER_STORE)
        async with Stage(orders=of_store * ORDERS_PER_LIFE, seed=seed) as stage:
            for number in range(of_store):
                if not may_go_on():
                    break
                kind = tuple(expected)[(done + number) % len(expected)]
                # As above: every third process has the time to get on.
                at = int(stage.draw("at", number, 1, OPERATIONS_MAX))
                at += OPERATIONS_MAX // 2 if number % 3 == 0 else 0
                trouble = Trouble(kind=kind, at=at, seed=seed + number)  # type: ignore[arg-type]
                orders = (number + 1) * ORDERS_PER_LIFE
                child = await stage.start(stage.unended(orders), trouble=trouble)
                await _strikes(child, kind, expected[kind], stage=stage, result=result)
                # What is shared between processes in memory is lost with the power.
                stage.store.with_name("shop.journal-shm").unlink(missing_ok=True)
                await stage.audit()
            done += of_store
            await stage.finish()
            result.take(stage)
    return result


async def _strikes(child: Child, kind: str, status: int, *, stage: Stage, result: Result) -> None:
    """Hear a process until its disk's trouble has ended it as it should."""
    told = await child.says(Placed, Failed)
    if isinstance(told, Placed):
        result.count("spared")
        await child.killed()
        return
    ended = await child.ends()
    result.count(kind)
    if ended != status or (isinstance(told, Failed) and told.error != "StoreFailed"):
        stage.problems.append(f"after {kind} the process ended with {ended}: {told}")


async def takeovers(rounds: int, *, seed: int, may_go_on: Callable[[], bool]) -> Result:
    """Kill the leader, again and again, while a standby waits: it takes over at once."""
    result = Result()
    orders = (rounds + 1) * ORDERS_PER_LIFE // 2
    async with Stage(orders=orders, seed=seed) as stage:
        leader = await stage.start(stage.unended(ORDERS_PER_LIFE))
        await leader.says(Leads)
        for number in range(rounds):
            if not may_go_on():
                break
            placed = ORDERS_PER_LIFE * (number + 3) // 2
            standby = await _standby(stage, stage.unended(placed))
            heard = int(stage.draw("heard", number, 1, ORDERS_PER_LIFE))
            await leader.says(Started, Ended, times=heard, within=2)
            began = stage.clock()
            leader.signal(signal.SIGKILL)
            if await standby.says(Leads) is None:
                stage.problems.append("a standby did not take over")
            result.milliseconds.append((stage.clock() - began) * 1_000)
            result.count("killed", await leader.killed())
            await stage.audit(at_rest=False)
            leader = standby
        await leader.killed()
        await stage.audit()
        await stage.finish()
        result.take(stage)
    return result


async def _standby(stage: Stage, asked: tuple[int, ...] = (), *, is_hurried: bool = False) -> Child:
    """Start a process beside the one that leads."""
    standby = await stage.start(asked, is_hurried=is_hurried)
    told = await standby.says(StandsBy, Leads)
    if not isinstance(told, StandsBy):
        stage.problems.append(f"a second process said {told}, and was to stand by")
    return standby


async def stopped(
    rounds: int, *, seed: int, may_go_on: Callable[[], bool], hold_seconds: float = 12.0
) -> Result:
    """Stop the leader and let it go on; stop clients, one of them in its write; kill a stopped one.

    The kernel keeps a stopped process's lock, so nobody takes over from it: it still leads when
    it goes on, and what timed out meanwhile is in doubt and asked about. A client that is stopped
    in the middle of its write holds everybody up, for `hold_seconds` here, and nothing is lost.
    """
    result = Result()
    for number in range(rounds):
        if not may_go_on():
            break
        async with Stage(orders=2 * ORDERS_PER_LIFE, seed=seed + number) as stage:
            orders = stage.all_orders
            quarter = len(orders) // 4
            leader = await stage.start(orders[:quarter], is_hurried=True)
            await leader.says(Leads)
            standby = await _standby(stage, is_hurried=True)
            await _stop_leader(leader, standby, stage, result)
            await _stop_client(stage, orders[quarter : 3 * quarter], result)
            client = await _stop_in_write(stage, orders[3 * quarter :], hold_seconds, result)
            leader.signal(signal.SIGSTOP)
            await leader.stops()
            began = stage.clock()
            leader.signal(signal.SIGKILL)
            if await standby.says(Leads) is None:
                stage.problems.append("nobody took over from a leader that died while stopped")
            result.milliseconds.append((stage.clock() - began) * 1_000)
            result.count("leader killed while stopped", await leader.killed())
            await _expect(client, "after a takeover a client's orders did not end", stage)
            await standby.killed()
            await stage.audit()
            await stage.finish(is_hurried=True)
            result.take(stage)
    return result


async def _stop_leader(leader: Child, standby: Child, stage: Stage, result: Result) -> None:
    """Stop the leader while it works: the standby asks and asks, and does not get to lead."""
    await leader.says(Started, times=20)
    leader.signal(signal.SIGSTOP)
    await leader.stops()
    for _ in range(TRIES_WATCHED):
        told = await standby.says(StandsBy, Leads)
        if not isinstance(told, StandsBy):
            stage.problems.append(f"a standby whose leader is only stopped said {told}")
            break
    result.count("standby asked in vain", TRIES_WATCHED)
    leader.signal(signal.SIGCONT)
    result.count("leader stopped")
    await _expect(leader, "a leader that was stopped did not go on", stage)


async def _stop_client(stage: Stage, orders: tuple[int, ...], result: Result) -> None:
    """Stop a client that waits for its orders: others are served, and then it is too."""
    half = len(orders) // 2
    client = await stage.start(orders[:half], works=False, is_hurried=True)
    while True:
        await client.says(Started, times=2)
        client.signal(signal.SIGSTOP)
        await client.stops()
        if not _holds_up_others(stage):
            break
        client.signal(signal.SIGCONT)
    other = await stage.start(orders[half:], works=False, is_hurried=True)
    await _expect(other, "a client waited for another one that was stopped", stage)
    client.signal(signal.SIGCONT)
    result.count("client stopped")
    await _expect(client, "a client that was stopped did not go on", stage)
    await client.killed()
    await other.killed()


def _holds_up_others(stage: Stage) -> bool:
    """Say whether a process was stopped just in its write: what that does is shown elsewhere."""
    with closing(apsw.Connection(str(stage.store))) as connection:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(WRITE_MILLISECONDS_MAX)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            return True
        connection.execute("ROLLBACK")
        return False


async def _stop_in_write(
    stage: Stage, orders: tuple[int, ...], hold_seconds: float, result: Result
) -> Child:
    """Have a client stop in the middle of a write, which nobody can write beside."""
    trouble = Trouble(kind="stop", at=int(stage.draw("stop", 0, 1, 30)))
    client = await stage.start(orders, works=False, is_hurried=True, trouble=trouble)
    await client.stops()
    await client.says(Placed, within=hold_seconds)
    client.signal(signal.SIGCONT)
    result.count("client stopped in its write")
    if await client.says(Started, Ended, times=3) is None:
        stage.problems.append("a client that was stopped in its write did not go on")
    return client


async def _expect(child: Child, otherwise: str, stage: Stage) -> None:
    """Hear a process until all that it was asked for has ended."""
    told = await child.says(Placed, Failed)
    if not isinstance(told, Placed):
        stage.problems.append(f"{otherwise}: {told}")


# Any: what a coroutine yields and is sent is nobody's business.
SCENARIOS: Mapping[str, tuple[Callable[..., Coroutine[Any, Any, Result]], int]] = {
    "kills": (kills, 500),
    "disk-full": (disk_full, 20),
    "disk-broken": (disk_broken, 100),
    "takeovers": (takeovers, 100),
    "stopped": (stopped, 5),
}
"""Each scenario by its name, and how many rounds of it a campaign has."""
