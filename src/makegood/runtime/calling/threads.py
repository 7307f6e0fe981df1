"""Running a function that blocks: in a thread of its own pool, seen as an async function.

A thread cannot be stopped. When an attempt ends by its timeout its thread goes on, so the step
is in doubt, and a next attempt under the same idempotency key waits in this process until the
thread has ended: the two never work at the same time.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from makegood.definition.reading.place import caller
from makegood.definition.reading.signature import read_signature
from makegood.errors import DefinitionError
from makegood.values.injectable import IdempotencyKey

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["THREADS_MAX", "threaded"]

P = ParamSpec("P")
R = TypeVar("R")

THREADS_MAX = 8
"""How many threads one threaded function has, unless it says otherwise."""


# Any: what a coroutine yields and is sent is asyncio's own affair.
def threaded(
    function: Callable[P, R], /, *, threads_max: int = THREADS_MAX
) -> Callable[P, Coroutine[Any, Any, R]]:
    """Return an async function that runs a blocking one in a thread, for `step` and `query`.

    At most `threads_max` calls run at once; the others wait for a thread. A function that takes
    `IdempotencyKey` is never run twice at once under the same key.

    Raises `DefinitionError` when the function is async already, or `threads_max` is below 1.
    """
    _check(function, threads_max)
    pool = ThreadPoolExecutor(threads_max, thread_name_prefix=f"makegood-{function.__name__}")
    injections = read_signature(function).injections
    key_name = next((item.name for item in injections if item.wants is IdempotencyKey), None)
    alive: dict[object, Future[R]] = {}

    @functools.wraps(function)
    async def in_thread(*args: P.args, **kwargs: P.kwargs) -> R:
        key = kwargs.get(key_name) if key_name is not None else None
        while key in alive:
            await asyncio.wait([asyncio.wrap_future(alive[key])])
        context = copy_context()
        work = pool.submit(lambda: context.run(function, *args, **kwargs))
        if key is not None:
            alive[key] = work
            work.add_done_callback(lambda _: alive.pop(key, None))
        return await asyncio.wrap_future(work)

    return in_thread


def _check(function: Callable[..., object], threads_max: int) -> None:
    if inspect.iscoroutinefunction(function):
        message = (
            f"{caller()}: threaded({function.__name__}) is given an async function; use it as it is"
        )
        raise DefinitionError(message)
    stored = next((item for item in read_signature(function).injections if item.is_record), None)
    if stored is not None:
        message = (
            f"{caller()}: threaded({function.__name__}) is given a function that takes a Record as "
            f"`{stored.name}`, which a thread cannot await; return what its undo needs"
        )
        raise DefinitionError(message)
    if threads_max < 1:
        message = f"{caller()}: threaded(threads_max={threads_max!r}) has no thread; give 1 or more"
        raise DefinitionError(message)
