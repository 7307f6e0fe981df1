"""A blocking function in a pool of threads: async outside, bounded, never twice under a key."""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextvars import ContextVar

import pytest

from makegood.definition.step import query, step
from makegood.runtime.calling.threads import threaded
from makegood.values.injectable import IdempotencyKey, injected

who: ContextVar[str] = ContextVar("who")


def add(left: int, right: int = 1) -> int:
    """Add up."""
    return left + right


async def test_a_threaded_function_is_awaited_like_an_async_one() -> None:
    assert await threaded(add)(1, right=2) == 3


async def test_it_works_in_another_thread_that_knows_the_context() -> None:
    def look(_of: int) -> tuple[str, int]:
        return who.get(), threading.get_ident()

    who.set("caller")
    seen, thread = await threaded(look)(1)

    assert seen == "caller"
    assert thread != threading.get_ident()


async def test_it_raises_what_the_function_raises() -> None:
    def fail(_of: int) -> None:
        message = "broken"
        raise ConnectionError(message)

    with pytest.raises(ConnectionError, match="broken"):
        await threaded(fail)(1)


def test_it_can_be_declared_and_keeps_name_types_and_docs() -> None:
    asked = query(threaded(add))
    done = step(threaded(add), irreversible="sums stay")

    assert inspect.iscoroutinefunction(threaded(add))
    assert asked.recipe.node.path == "add"
    assert asked.recipe.node.summary == "Add up."
    assert [item.name for item in done.recipe.signature.parameters] == ["left", "right"]


class Gate:
    """A function that blocks until it is opened, and knows how many are inside."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()

    def pass_through(self, number: int, *, key: IdempotencyKey = injected) -> int:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.entered.release()
        self.opened.wait(timeout=10)
        with self.lock:
            self.inside -= 1
        return number

    async def wait_until_entered(self) -> None:
        await asyncio.to_thread(self.entered.acquire, timeout=10)


@pytest.mark.real
async def test_no_more_threads_than_allowed_work_at_once() -> None:
    gate = Gate()
    blocked = threaded(gate.pass_through, threads_max=2)

    calls = [asyncio.ensure_future(blocked(n, key=IdempotencyKey(str(n)))) for n in range(5)]
    await gate.wait_until_entered()
    await gate.wait_until_entered()
    gate.opened.set()

    assert await asyncio.gather(*calls) == [0, 1, 2, 3, 4]
    assert gate.most == 2


@pytest.mark.real
async def test_a_second_attempt_waits_until_the_first_ones_thread_has_ended() -> None:
    gate = Gate()
    blocked = threaded(gate.pass_through)
    key = IdempotencyKey("k")

    first = asyncio.ensure_future(blocked(1, key=key))
    await gate.wait_until_entered()
    first.cancel()
    second = asyncio.ensure_future(blocked(2, key=key))
    other = asyncio.ensure_future(blocked(3, key=IdempotencyKey("other")))
    await gate.wait_until_entered()
    assert gate.most == 2  # The first, whose thread lives on, and the one under another key.
    gate.opened.set()

    assert await second == 2
    assert await other == 3
    assert gate.most == 2
    with pytest.raises(asyncio.CancelledError):
        await first
