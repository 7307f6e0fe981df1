"""What is written together with the record of a step: local steps, and `Writes`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Abort,
    Declined,
    Failure,
    InvalidInput,
    OutcomeUnknown,
    Proceed,
    Retry,
    Transaction,
    Unavailable,
    Verdict,
    Writes,
    WritesRefused,
    injected,
    step,
    workflow,
)
from makegood.extension import Migration
from makegood.runtime.calling.local import LocalBody
from tests.runtime.outside import Gate
from tests.runtime.world import until

if TYPE_CHECKING:
    from collections.abc import Generator

    from makegood import Engine
    from tests.runtime.watched import Watched
    from tests.runtime.world import World

STEADY = Retry(attempts=3, delay=timedelta(seconds=1), factor=1, jitter=False)


@dataclass(frozen=True)
class Shop:
    """Five cups, and a book of what was sold."""

    name: str = "shop"
    migrations: tuple[Migration, ...] = (
        Migration(
            owner="shop",
            number=1,
            sql="CREATE TABLE stock (sku TEXT PRIMARY KEY, cups INTEGER CHECK (cups >= 0)) STRICT;"
            "INSERT INTO stock VALUES ('cup', 5);"
            "CREATE TABLE sold (sku TEXT UNIQUE, n INTEGER) STRICT;",
        ),
    )
    commands: tuple[()] = ()


TAKE = "UPDATE stock SET cups = cups - ? WHERE sku = 'cup'"


async def take(n: int, *, transaction: Transaction = injected) -> int:
    await transaction.execute(TAKE, n)
    rows = await transaction.fetch("SELECT cups FROM stock WHERE sku = 'cup'")
    left = rows[0][0]
    assert isinstance(left, int)
    return left


async def put_back(left: int, *, transaction: Transaction = injected) -> None:
    await transaction.execute("UPDATE stock SET cups = 5")


async def cups(engine: Engine) -> object:
    return (await engine.read("SELECT cups FROM stock"))[0][0]


async def test_a_local_step_writes_and_is_recorded_in_one(stored: World) -> None:
    """G2: what it did and that it did it are one commit."""

    @workflow
    def taking(n: int) -> int:
        return step(take, irreversible="test")(n)

    engine = await stored.engine(taking, extensions=[Shop()])
    started = await engine.start(taking(2))
    assert await stored.finish(engine, started.result()) == 3
    assert await cups(engine) == 3


async def test_what_a_local_step_wrote_goes_with_its_failure(stored: World) -> None:
    """G2: it raises, so nothing of it is there, and it may be tried again."""
    calls: list[str] = []

    async def take_and_stumble(n: int, *, transaction: Transaction = injected) -> int:
        left = await take(n, transaction=transaction)
        calls.append("take")
        if len(calls) < 3:
            raise Unavailable
        return left

    @workflow
    def taking(n: int) -> int:
        return step(take_and_stumble, irreversible="test", retry=STEADY)(n)

    engine = await stored.engine(taking, extensions=[Shop()])
    started = await engine.start(taking(2))
    assert await stored.finish(engine, started.result()) == 3
    assert calls == ["take"] * 3
    assert await cups(engine) == 3


async def test_a_local_step_that_breaks_a_constraint_fails_definitely(stored: World) -> None:
    """G2: nothing was written, so nothing is in doubt and what was done before is undone."""
    freed: list[int] = []

    async def hold(n: int) -> int:
        return n

    async def free(n: int) -> None:
        freed.append(n)

    @workflow
    def taking(n: int) -> int:
        return step(take, irreversible="test")(step(hold, undo=free)(n))

    engine = await stored.engine(taking, extensions=[Shop()])
    outcome = await stored.finish(engine, (await engine.start(taking(6))).outcome())
    assert (outcome.status, outcome.undone, freed) == ("failed", ["hold"], [6])
    assert await cups(engine) == 5


class Elsewhere:
    """Something that a body may not await: it suspends."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def test_a_local_step_that_awaits_something_else_fails(stored: World) -> None:
    async def take_slowly(n: int, *, transaction: Transaction = injected) -> int:
        left = await take(n, transaction=transaction)
        await Elsewhere()
        return left

    @workflow
    def taking(n: int) -> int:
        return step(take_slowly, irreversible="test")(n)

    engine = await stored.engine(taking, extensions=[Shop()])
    outcome = await stored.finish(engine, (await engine.start(taking(2))).outcome())
    assert outcome.status == "failed"
    assert isinstance(outcome.error, InvalidInput)
    assert "await only its transaction" in str(outcome.error)
    assert await cups(engine) == 5


async def test_a_local_result_that_cannot_be_recorded_takes_its_writes_along(
    stored: World,
) -> None:
    """F66: never in doubt: it fails, and nothing of it is there."""

    async def take_badly(n: int, *, transaction: Transaction = injected) -> int:
        await take(n, transaction=transaction)
        return "three"  # type: ignore[return-value] # a mistake of the user's

    @workflow
    def taking(n: int) -> int:
        return step(take_badly, irreversible="test")(n)

    engine = await stored.engine(taking, extensions=[Shop()])
    outcome = await stored.finish(engine, (await engine.start(taking(2))).outcome())
    assert outcome.status == "failed"
    assert await cups(engine) == 5


async def test_a_local_undo_is_written_with_its_record(stored: World) -> None:
    """G13: it takes its place in the reverse order like every other undo."""
    order: list[str] = []

    async def put(left: int, *, transaction: Transaction = injected) -> None:
        order.append("put back")
        await put_back(left, transaction=transaction)

    async def pay(left: int) -> int:
        return left

    async def refund(paid: int) -> None:
        order.append("refund")

    async def send(paid: int) -> int:
        message = "no address"
        raise Declined(message)

    @workflow
    def taking(n: int) -> int:
        taken = step(take, undo=put)(n)
        return step(send, irreversible="test")(step(pay, undo=refund)(taken))

    engine = await stored.engine(taking, extensions=[Shop()])
    outcome = await stored.finish(engine, (await engine.start(taking(2))).outcome())
    assert (outcome.status, outcome.undone) == ("failed", ["pay", "take"])
    assert order == ["refund", "put back"]
    assert await cups(engine) == 5


async def test_a_local_step_that_kills_its_worker_is_parked_in_the_end(world: World) -> None:
    """G12: it leaves no trace of its beginning, so only the claims tell."""

    @workflow
    def taking(n: int) -> int:
        return step(take, irreversible="test")(n)

    engine, journal = await world.watched(taking, extensions=[Shop()])
    journal.dies_of_local = True
    started = await engine.start(taking(1))
    deaths = 0
    while journal.appends[-1].summary.status != "parked":
        deaths += 1
        assert deaths < 10, "it is claimed again and again"
        await world.kill(engine)
        world.clock.turn(timedelta(minutes=1))
        engine, journal = await world.watched(extensions=[Shop()])
        journal.dies_of_local = True
        engine.serve(taking)
        await _arrives_or_dies(journal)

    outcome = await world.finish(engine, engine.run(started.id).outcome())
    assert (outcome.status, outcome.reason) == ("parked", "poison")
    assert deaths == 6


async def _arrives_or_dies(journal: Watched) -> None:
    await until(lambda: any(sent.local or sent.release for sent in journal.appends))


async def test_a_local_body_may_be_run_again_and_the_last_time_counts(world: World) -> None:
    """The commit was lost, so the journal runs the body once more."""
    engine, journal = await world.watched(extensions=[Shop()])
    calls: list[int] = []

    async def take_twice(n: int, *, transaction: Transaction = injected) -> int:
        calls.append(n)
        if len(calls) == 1:
            message = "not the first time"
            raise ValueError(message)
        return await take(n, transaction=transaction)

    @workflow
    def taking(n: int) -> int:
        return step(take_twice, irreversible="test")(n)

    engine.serve(taking)

    async def run_before() -> None:
        body = journal.appends[-1].local
        assert isinstance(body, LocalBody)
        with pytest.raises(ValueError, match="not the first"):
            await body.run(NoTransaction())

    journal.answers += [None, run_before]
    started = await engine.start(taking(2))
    assert await world.finish(engine, started.result()) == 3
    assert calls == [2, 2]


class NoTransaction:
    """A transaction that is lost before anything is asked of it."""

    async def execute(self, sql: str, *parameters: object) -> int:
        raise AssertionError

    async def fetch(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        raise AssertionError


# Writes ---------------------------------------------------------------------------------------

SELL = "INSERT INTO sold VALUES (?, ?)"


async def sell(n: int, *, writes: Writes = injected) -> int:
    writes.execute(SELL, f"cup {n}", n, expect_rows=1)
    return n


@workflow
def selling(n: int) -> int:
    """Sell one."""
    return step(sell, irreversible="test")(n)


async def sold(engine: Engine) -> list[tuple[object, ...]]:
    return list(await engine.read("SELECT n FROM sold ORDER BY n"))


async def test_collected_statements_are_applied_with_the_record_of_the_step(
    stored: World,
) -> None:
    """G22: written if and only if the step's result is."""
    engine = await stored.engine(selling, extensions=[Shop()])
    assert await stored.finish(engine, (await engine.start(selling(1))).result()) == 1
    assert await sold(engine) == [(1,)]


async def test_only_the_attempt_that_succeeds_writes(stored: World) -> None:
    calls: list[int] = []

    async def sell_at_last(n: int, *, writes: Writes = injected) -> int:
        calls.append(n)
        writes.execute(SELL, f"attempt {len(calls)}", len(calls))
        if len(calls) < 3:
            raise Unavailable
        return n

    @workflow
    def trying(n: int) -> int:
        return step(sell_at_last, irreversible="test", retry=STEADY)(n)

    engine = await stored.engine(trying, extensions=[Shop()])
    assert await stored.finish(engine, (await engine.start(trying(1))).result()) == 1
    assert await sold(engine) == [(3,)]


async def test_refused_statements_park_the_run_because_the_effect_has_happened(
    stored: World,
) -> None:
    """Neither repeated nor failed: nobody undoes what may stand."""
    engine = await stored.engine(selling, extensions=[Shop()])
    await stored.finish(engine, (await engine.start(selling(1))).result())
    outcome = await stored.finish(engine, (await engine.start(selling(1))).outcome())

    assert (outcome.status, outcome.reason) == ("parked", "unrecorded effect")
    assert outcome.left == ["sell"]
    assert isinstance(outcome.error, WritesRefused)
    assert await sold(engine) == [(1,)]


@pytest.mark.parametrize("bad", [0, 1, 2, 3])
async def test_of_several_completions_only_the_refused_one_parks(stored: World, bad: int) -> None:
    """The others, ended in the same turn, are recorded with what they wrote."""
    gates = [Gate() for _ in range(4)]

    async def sell_one(n: int, *, writes: Writes = injected) -> int:
        await gates[n].pass_through()
        writes.execute(SELL, "old" if n == bad else f"new {n}", n)
        return n

    one = step(sell_one, irreversible="test")

    @workflow
    def selling_four() -> tuple[int, int, int, int]:
        return (
            one.named("a")(0),
            one.named("b")(1),
            one.named("c")(2),
            one.named("d")(3),
        )

    engine, _journal = await stored.watched(selling, selling_four, extensions=[Shop()])

    async def sell_old(n: int, *, writes: Writes = injected) -> int:
        writes.execute(SELL, "old", 9)
        return n

    @workflow
    def selling_old(n: int) -> int:
        return step(sell_old, irreversible="test")(n)

    engine.serve(selling_old)
    await stored.finish(engine, (await engine.start(selling_old(1))).result())
    started = await engine.start(selling_four())
    for gate in gates:
        await gate.reached.wait()
    for gate in gates:
        gate.open()
    outcome = await stored.finish(engine, started.outcome())

    names = ["a", "b", "c", "d"]
    assert (outcome.status, outcome.left) == ("parked", [names.pop(bad)])
    assert outcome.done == names
    assert await sold(engine) == [(n,) for n in range(4) if n != bad] + [(9,)]


async def test_an_undo_whose_statements_are_refused_is_left(stored: World) -> None:
    """G16: it happened and is not on record, so a person looks at it."""

    async def hold(n: int) -> int:
        return n

    async def free(n: int, *, writes: Writes = injected) -> None:
        writes.execute("INSERT INTO no_such_table VALUES (1)")

    async def fail(n: int) -> int:
        message = "no"
        raise Declined(message)

    @workflow
    def holding(n: int) -> int:
        return step(fail, irreversible="test")(step(hold, undo=free)(n))

    engine = await stored.engine(holding, extensions=[Shop()])
    outcome = await stored.finish(engine, (await engine.start(holding(1))).outcome())
    assert (outcome.status, outcome.reason, outcome.left) == ("parked", "undo gave up", ["hold"])
    assert [type(error) for error in outcome.errors] == [Declined, WritesRefused]


@pytest.mark.parametrize("verdict", [Proceed(7), Abort()], ids=["proceed", "abort"])
async def test_a_compensate_whose_statements_are_refused_leaves_doubt(
    stored: World, verdict: Verdict[int]
) -> None:
    """G4: what it found is not on record, so it has not been found."""

    async def act(n: int) -> int:
        raise OutcomeUnknown

    async def find(failure: Failure, *, writes: Writes = injected) -> Verdict[int]:
        writes.execute("INSERT INTO no_such_table VALUES (1)")
        return verdict

    @workflow
    def acting(n: int) -> int:
        return step(act, compensate=find, irreversible="test")(n)

    engine = await stored.engine(acting, extensions=[Shop()])
    outcome = await stored.finish(engine, (await engine.start(acting(1))).outcome())
    assert (outcome.status, outcome.reason, outcome.left) == ("parked", "in doubt", ["act"])


async def test_a_compensate_writes_with_its_verdict(stored: World) -> None:
    async def act(n: int) -> int:
        raise OutcomeUnknown

    async def find(failure: Failure, *, writes: Writes = injected) -> Verdict[int]:
        writes.execute(SELL, "found", 7)
        return Proceed(7)

    @workflow
    def acting(n: int) -> int:
        return step(act, compensate=find, irreversible="test")(n)

    engine = await stored.engine(acting, extensions=[Shop()])
    assert await stored.finish(engine, (await engine.start(acting(1))).result()) == 7
    assert await sold(engine) == [(7,)]
