"""The sandbox: the contract of every gateway, then its faults and its file."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood import InvalidInput
from makegood.payments import GatewayUnavailable, Op, outcome
from makegood.payments.gateways.sandbox import DECLINED_TOKEN, Fault, Faults, SandboxGateway
from makegood.payments.gateways.sandbox_books import Books, Hold
from tests.payments.gateways.contract import (
    PROMISES,
    Counterparty,
    Promise,
    dollars,
    op,
    request,
)

MORNING = datetime(2026, 1, 5, 8, tzinfo=UTC)


class Naps:
    """A sleep that only remembers how long it was to be."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def sandbox(path: Path, faults: Faults | None = None) -> SandboxGateway:
    return SandboxGateway(path, faults=faults, sleep=Naps(), clock=lambda: MORNING)


@pytest.fixture
async def party(tmp_path: Path) -> AsyncIterator[Counterparty]:
    async with sandbox(tmp_path / "books") as gateway:
        yield Counterparty(
            gateway=gateway, accepted_token="tok_visa", declined_token=DECLINED_TOKEN
        )


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_the_sandbox_keeps_the_promise(promise: Promise, party: Counterparty) -> None:
    await promise(party)


def key_with(fault: Fault | None, faults: Faults, asked: int = 1) -> Op:
    """Return the first operation that meets the fault when it is asked for the `asked`-th time."""
    return next(
        candidate
        for candidate in (op(str(number)) for number in range(10_000))
        if faults.draw(candidate.key, asked) is fault and not faults.declines(candidate.key)
    )


async def test_a_declined_card_is_on_record_and_nothing_can_be_taken_from_it(
    party: Counterparty,
) -> None:
    gateway = party.gateway
    answer = await gateway.authorize(op("hold"), request(party.declined_token))
    assert isinstance(answer, outcome.Declined)
    (record,) = await gateway.find(op("hold").op_id)
    assert answer.snapshot == record
    assert await gateway.capture(op("capture"), record.ref, dollars(1177)) == outcome.Conflict(
        "declined", record
    )


async def test_a_refused_connection_leaves_nothing_and_a_retry_may_succeed(tmp_path: Path) -> None:
    faults = Faults(rate=0.5, seed=1)
    operation = next(
        candidate
        for candidate in (op(str(number)) for number in range(10_000))
        if faults.draw(candidate.key, 1) is Fault.UNAVAILABLE
        and faults.draw(candidate.key, 2) is None
        and not faults.declines(candidate.key)
    )
    async with sandbox(tmp_path / "books", faults) as gateway:
        first = await gateway.authorize(operation, request("tok_visa"))
        second = await gateway.authorize(operation, request("tok_visa"))
    assert isinstance(first, outcome.NotSent)
    assert isinstance(second, outcome.Succeeded)


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.ERROR_500])
async def test_an_answer_that_is_lost_leaves_the_effect_behind(
    fault: Fault, tmp_path: Path
) -> None:
    faults = Faults(rate=0.5, seed=2)
    operation = key_with(fault, faults)
    async with sandbox(tmp_path / "books", faults) as gateway:
        answer = await gateway.authorize(operation, request("tok_visa"))
    async with sandbox(tmp_path / "books") as gateway:
        found = await gateway.find(operation.op_id)
    assert isinstance(answer, outcome.Unknown)
    assert [snapshot.authorized for snapshot in found] == [dollars(1177)]


async def test_a_slow_answer_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    faults = Faults(rate=0.5, seed=3)
    patient = key_with(Fault.SLOW, faults)
    hasty = Op(op_id=patient.op_id, key=patient.key, deadline=timedelta(milliseconds=10))
    naps = Naps()
    async with SandboxGateway(
        tmp_path / "1", faults=faults, sleep=naps, clock=lambda: MORNING
    ) as gateway:
        waited = await gateway.authorize(patient, request("tok_visa"))
    async with SandboxGateway(
        tmp_path / "2", faults=faults, sleep=naps, clock=lambda: MORNING
    ) as gateway:
        left = await gateway.authorize(hasty, request("tok_visa"))
    assert isinstance(waited, outcome.Succeeded)
    assert isinstance(left, outcome.Unknown)
    assert naps.seconds == [0.05, 0.01]


async def test_a_lookup_that_goes_wrong_says_so_and_may_be_repeated(tmp_path: Path) -> None:
    faults = Faults(rate=0.5, seed=4)
    wanted = next(
        name
        for name in (f"operation-{number:010}" for number in range(10_000))
        if faults.draw(f"find {name}", 1) is Fault.UNAVAILABLE
        and faults.draw(f"find {name}", 2) is None
    )
    async with sandbox(tmp_path / "books", faults) as gateway:
        with pytest.raises(GatewayUnavailable, match="could not be asked"):
            await gateway.find(wanted)
        assert await gateway.find(wanted) == []


async def test_requests_that_come_together_are_all_answered(tmp_path: Path) -> None:
    async with sandbox(tmp_path / "books") as gateway:
        asked = [gateway.authorize(op(str(n)), request("tok_visa")) for n in range(600)]
        answers = await asyncio.gather(*asked)
    assert {type(answer) for answer in answers} == {outcome.Succeeded}


async def test_one_key_asked_many_times_at_once_holds_once(tmp_path: Path) -> None:
    async with sandbox(tmp_path / "books") as gateway:
        asked = [gateway.authorize(op("same"), request("tok_visa")) for _ in range(50)]
        answers = await asyncio.gather(*asked)
        assert len(await gateway.find(op("same").op_id)) == 1
    assert all(answer == answers[0] for answer in answers)


async def test_one_key_asked_through_two_gateways_at_once_has_one_effect(tmp_path: Path) -> None:
    keys = [op(str(number)) for number in range(100)]
    async with sandbox(tmp_path / "books") as one, sandbox(tmp_path / "books") as other:
        asked = [
            gateway.authorize(key, request("tok_visa")) for key in keys for gateway in (one, other)
        ]
        answers = await asyncio.gather(*asked)
        found = [await other.find(key.op_id) for key in keys]
    assert answers[::2] == answers[1::2]
    assert {type(answer) for answer in answers} == {outcome.Succeeded}
    assert [len(snapshots) for snapshots in found] == [1] * 100


def test_new_books_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    at_once = 8
    for number in range(20):
        path, start = tmp_path / str(number), Barrier(at_once)

        def open_books(path: Path = path, start: Barrier = start) -> None:
            start.wait()
            Books(path).close()

        with ThreadPoolExecutor(at_once) as threads:
            for opened in [threads.submit(open_books) for _ in range(at_once)]:
                opened.result()


def test_books_that_another_process_keeps_busy_are_unavailable_and_unchanged(
    tmp_path: Path,
) -> None:
    books = Books(tmp_path / "books", busy_milliseconds_max=1)
    other = apsw.Connection(str(tmp_path / "books"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(GatewayUnavailable, match="busy"), books.together():
        books.count_ask("key")
    other.execute("ROLLBACK")
    with books.together():
        assert books.count_ask("key") == 1


async def test_a_caller_who_gives_up_leaves_the_others_their_answers(tmp_path: Path) -> None:
    async with sandbox(tmp_path / "books") as gateway:
        tasks = [
            asyncio.create_task(gateway.authorize(op(str(n)), request("tok_visa")))
            for n in range(3)
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=0)
        tasks[1].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [
        outcome.Succeeded,
        asyncio.CancelledError,
        outcome.Succeeded,
    ]


async def test_a_sandbox_that_is_closed_turns_everyone_away(tmp_path: Path) -> None:
    gateway = sandbox(tmp_path / "books")
    with pytest.raises(GatewayUnavailable, match="async with"):
        await gateway.find("anything")
    async with gateway:
        pass
    with pytest.raises(GatewayUnavailable, match="async with"):
        await gateway.find("anything")


def test_the_books_refuse_what_no_gateway_may_do(tmp_path: Path) -> None:
    books = Books(tmp_path / "books")
    hold = Hold(amount=dollars(100), token="tok_visa", reference="order-1")
    with books.together():
        books.apply("key", hold, declined=False, now=MORNING)
    books.close()
    connection = apsw.Connection(str(tmp_path / "books"))
    for column, amount in (("captured", 101), ("refunded", 1), ("voided", 101), ("captured", -1)):
        with pytest.raises(apsw.ConstraintError):
            connection.execute(f"UPDATE sandbox_payment SET {column} = {amount}")  # noqa: S608


@given(st.text(), st.integers(min_value=1, max_value=20), st.floats(min_value=0, max_value=1))
def test_a_fault_is_drawn_the_same_way_every_time(key: str, asked: int, rate: float) -> None:
    faults = Faults(rate=rate, seed=5)
    assert faults.draw(key, asked) is Faults(rate=rate, seed=5).draw(key, asked)
    assert faults.declines(key) == Faults(rate=rate, seed=5).declines(key)


def test_faults_come_as_often_as_their_rate_and_in_every_kind() -> None:
    faults = Faults(rate=0.2, seed=6)
    drawn = Counter(faults.draw(f"key-{n}", 1) for n in range(10_000))
    assert 7_800 < drawn[None] < 8_200
    assert all(400 < drawn[fault] < 600 for fault in Fault)
    assert 900 < sum(faults.declines(f"key-{n}") for n in range(10_000)) < 1_100


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_that_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(InvalidInput, match="from 0 to 1"):
        Faults(rate=rate)


ENDLESS_HOLDS = """
import asyncio, sys
from pathlib import Path
from makegood.payments import AuthorizeRequest, Money, Op
from makegood.payments.gateways.sandbox import SandboxGateway

async def main():
    async with SandboxGateway(Path(sys.argv[1])) as gateway:
        for number in range(1_000_000):
            key = f"operation-{number:010}"
            request = AuthorizeRequest(amount=Money(1, "USD"), token="tok", reference="order")
            await gateway.authorize(Op(op_id=key, key=key), request)
            print(key, flush=True)

asyncio.run(main())
"""


def asking(path: Path) -> subprocess.Popen[str]:
    """Start a process that asks the sandbox without end, under keys that are always the same."""
    return subprocess.Popen(
        [sys.executable, "-c", ENDLESS_HOLDS, str(path)], stdout=subprocess.PIPE, text=True
    )


def answered_before_it_is_killed(path: Path) -> list[str]:
    """Have another process ask the sandbox without end, kill it, and return what it was told."""
    with asking(path) as process:
        assert process.stdout is not None
        answered = [process.stdout.readline() for _ in range(100)]
        process.send_signal(signal.SIGKILL)
        answered += process.stdout.readlines()
    return [line.strip() for line in answered if line.endswith("\n")]


@pytest.mark.real
async def test_what_was_answered_before_a_kill_is_found_after_it(tmp_path: Path) -> None:
    answered = answered_before_it_is_killed(tmp_path / "books")
    async with sandbox(tmp_path / "books") as gateway:
        found = [await gateway.find(key) for key in answered]
    assert len(answered) >= 100
    assert all(len(snapshots) == 1 for snapshots in found)


@pytest.mark.real
async def test_what_two_processes_ask_under_the_same_keys_happens_once(tmp_path: Path) -> None:
    with asking(tmp_path / "books") as other:
        assert other.stdout is not None
        answered = [other.stdout.readline().strip()]
        answered += answered_before_it_is_killed(tmp_path / "books")
        assert other.poll() is None
        other.kill()
        answered += [line.strip() for line in other.stdout if line.endswith("\n")]
    async with sandbox(tmp_path / "books") as gateway:
        found = {key: await gateway.find(key) for key in answered}
    assert len(answered) > len(found) >= 100
    assert all(len(snapshots) == 1 for snapshots in found.values())
